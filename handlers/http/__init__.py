"""HTTP/1.1, from the transport to ASGI: parser, cycles of request and response, connections."""
