"""The stub: layers around the reference implementation, which knows nothing about them.

A request passes, in the order of `app.Stub`:

    worlds    the world that the path belongs to
    control   requests to /_mock: the control plane and the console
    cors      what pages of other origins may do
    forwarding  requests that an upstream answers, by way of `upstream`
    forcing   responses forced by the header `Prefer`, by the script, or by a magic address
    faults    states of the world that make statuses occur naturally, and broken connections
    handlers.app.dispatch: the reference implementation, on the services of the world
    traffic   the request log, and the coverage of statuses; `traffic_archive` exports the log
"""
