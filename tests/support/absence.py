"""What a machine may lack: such tests are skipped by name, and fail in CI, which installs it."""

import os
import socket
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """Ends a test that needs `what`, which tells how to get it, too."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def needs_ipv6() -> None:
    """Skips a test by name where the machine has no IPv6, which nobody can install there."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
