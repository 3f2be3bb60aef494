"""What the tests share: a real server in a thread, a clock that can be set, a raw wire."""
