"""clients-register: a stub, a reference and a conformance suite for one documented HTTP route."""

__version__ = "0.1.0"
