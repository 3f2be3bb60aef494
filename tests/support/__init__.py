"""Shared by the tests: a real server in a thread, a clock that can be set, raw connections."""
