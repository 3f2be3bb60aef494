"""A disk that stores nothing, for a storage that keeps its documents only in memory.

The documents are lost when the process ends. The storage still encodes every write, although the
result is discarded: this takes less time than a sync to a disk, and both cases share one code path.
"""

from pathlib import Path

from typing_extensions import override

from clients_register.handlers.store.journaled.disk import Disk, File, Permissions, Version


class NoFile(File):
    """A file to which everything can be written, and nothing is."""

    def __init__(self) -> None:
        """It has no descriptor."""

    @override
    def write(self, content: bytes) -> None:
        pass

    @override
    def rewrite(self, offset: int, content: bytes) -> None:
        pass

    @override
    def sync(self) -> None:
        pass

    @override
    def truncate(self, length: int) -> None:
        pass

    @override
    def is_at(self, path: Path) -> bool:
        return True

    @override
    def set_permissions(self, permissions: Permissions) -> None:
        pass

    @override
    def close(self) -> None:
        pass


class NoDisk(Disk):
    """Has every directory and no file. Files are created and replaced without effect."""

    is_shared = False

    @override
    def resolve(self, path: Path) -> Path:
        return path

    @override
    def exists(self, path: Path) -> bool:
        return False

    @override
    def is_file(self, path: Path) -> bool:
        return False

    @override
    def is_directory(self, path: Path) -> bool:
        return True

    @override
    def names(self, directory: Path) -> list[str]:
        return []

    @override
    def read(self, path: Path) -> bytes:
        raise FileNotFoundError(path)

    @override
    def version(self, path: Path) -> Version:
        return Version(0, 0, 0, 0)

    @override
    def permissions(self, path: Path) -> Permissions:
        return Permissions(0, 0)

    @override
    def make_directory(self, path: Path) -> None:
        pass

    @override
    def create(self, path: Path) -> File:
        return NoFile()

    @override
    def open(self, path: Path) -> File:
        return NoFile()

    @override
    def lock(self, path: Path) -> File | None:
        return None

    @override
    def rename(self, source: Path, target: Path) -> None:
        pass

    @override
    def unlink(self, path: Path) -> None:
        pass

    @override
    def sync_directory(self, directory: Path) -> None:
        pass


NO_DISK = NoDisk()
