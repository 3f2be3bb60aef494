"""clients-register: stub, reference implementation and conformance suite for one HTTP route."""

__version__ = "0.1.0"
