"""Making what was written durable: of a file, and of its name."""

import os
from pathlib import Path


def sync(descriptor: int) -> None:
    """Returns when the content and the length of the file are durable. Raises OSError."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_directory(directory: Path) -> None:
    """Returns when it is durable which files are in `directory`. Raises OSError."""
    # Windows has no such call.
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private(path: str, flags: int) -> int:
    """An opener for `open`: password hashes are nobody else's business on a shared machine."""
    return os.open(path, flags, 0o600)
