"""The files of a stub's worlds: each world's store is a file of its own, for one process."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from clients_register.handlers.store import Store
from clients_register.handlers.store.beside import erase
from clients_register.handlers.store.disk import LOCAL, Disk
from clients_register.handlers.store.tinydb import TinyDBStore

# The world of the plain base URL.
DEFAULT = "default"


class Files:
    """Opens and erases the stores of worlds by their names."""

    def __init__(self, data_file: Path, disk: Disk = LOCAL) -> None:
        """`data_file` is the default world's; the others' stand in a folder beside it."""
        self._data_file = data_file
        self._disk = disk
        self._folder = data_file.with_name(data_file.name + ".worlds")
        self._folder_is_durable = False

    async def worlds(self) -> Sequence[str]:
        """The names of the worlds that have a file, those of earlier runs included."""
        return await asyncio.to_thread(self._found)

    async def store(self, world: str) -> Store:
        """Opens the store of `world`; one that has no file yet is empty. Raises StoreError."""
        return await asyncio.to_thread(self._open, world)

    def erase(self, world: str) -> None:
        """Removes the file of `world`, whose store is closed."""
        erase(self._file(world), self._disk)

    def _open(self, world: str) -> TinyDBStore:
        # The default world's lock stands for them all, and its folder is the user's to make.
        alone = world == DEFAULT
        if not alone:
            self._make_folder()
        return TinyDBStore(self._file(world), public_allowed=True, locked=alone, disk=self._disk)

    def _make_folder(self) -> None:
        self._disk.make_directory(self._folder)
        if not self._folder_is_durable:
            self._disk.sync_directory(self._folder.parent)
            self._folder_is_durable = True

    def _found(self) -> Sequence[str]:
        if not self._disk.is_directory(self._folder):
            return []
        names = sorted(self._disk.names(self._folder))
        return [_name_of(name) for name in names if name.endswith(".json")]

    def _file(self, world: str) -> Path:
        return self._data_file if world == DEFAULT else self._folder / _file_of(world)


def _file_of(world: str) -> str:
    """The name of a world's file; some file systems take `A` and `a` for one name."""
    return re.sub(r"[A-Z]", lambda found: "+" + found[0].lower(), world) + ".json"


def _name_of(file: str) -> str:
    return re.sub(r"\+(.)", lambda found: found[1].upper(), file.removesuffix(".json"))
