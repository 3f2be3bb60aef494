"""HTTP/1.1, from the transport to ASGI: heads, exchanges and connections."""
