"""What a machine may lack: such tests are skipped by name, and fail in CI, which installs it."""

import os
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """Ends a test that needs `what`, which tells how to get it, too."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
