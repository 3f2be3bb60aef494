"""The server: the reference implementation, and in `stub/` the layers around it.

A request passes these modules, and its response the same way back:

    app          reads the request, routes with Connexion, responds to crashes and unknown routes
    register     the route, step by step
    decoding     media type, base64, JSON, parameters, the e-mail address
    rules        the rules, in the order of the spec
    passwords    hashes, made and verified in processes of their own
    sessions     tokens, issued and looked up
    store        atomic and durable: client, session and mail
    mail         the welcome e-mail
    responses    views and envelopes

`context` holds what is known about the request meanwhile, and the services that process it, which
`resources` opens. `models` has the records, and the time. `serve` is the command: it parses the
settings, and runs `server` in one or several processes.
"""
