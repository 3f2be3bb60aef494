"""HTTP/1.1, from transport to ASGI: parser, request-response cycles, connections, deadlines."""
