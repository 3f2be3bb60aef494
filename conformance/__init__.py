"""The conformance suite: judges any server that implements the route, over HTTP only.

    commands     the command line: verify, plan, smoke, list, trace, report; fuzz has its own
      detection  our stub, another server of the route, or something else
      profiles   a YAML file -> target: where the server is, and what may be done to it
      init_profile  the answers to five questions -> such a file
      grades     the table of grades, of the spec
      case       cases/*.yaml -> cases
      runner     runs the cases, concurrently where it is safe; for each case:
        states      arranges what it needs: by our control plane, a hook, or the route itself
        exchange    sends one request (request builds it, http_client transmits it)
        response    decodes the response, and finds its envelope
        checks      compares responses with expectations and invariants
        states      looks at what the requests left behind
      results    grade -> verdict of a finding, verdict of a case, exit code of a run
      redaction  masks passwords, tokens and keys
      report     results -> JSON, without secrets -> HTML, JUnit, Markdown, terminal; archive: HAR
      escaping   makes received text safe to show, on every way out
    pairs        derives cases from a table of properties
    fuzz         searches for faults that no case covers

The suite and the server share no code but `spec`, and the seeded names in `fixtures`: each of the
two implements the document independently.
"""
