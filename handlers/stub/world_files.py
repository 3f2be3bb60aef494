"""The data files of worlds: that of the default world, and the others in a folder next to it."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from clients_register.handlers.store.base import StoreError
from clients_register.handlers.store.journaled.disk import LOCAL, Disk, remedy
from clients_register.handlers.store.journaled.storage import erase_data_file
from clients_register.handlers.store.tinydb import TinyDBStore

# The world of the plain base URL.
DEFAULT = "default"


class WorldFiles:
    """The data files of worlds, one per world, opened and erased by name."""

    def __init__(self, data_file: Path, disk: Disk = LOCAL, *, fresh: bool = False) -> None:
        """`data_file` is that of the default world, which is emptied when it is opened `fresh`."""
        self._data_file = data_file
        self._fresh = fresh
        self._disk = disk
        self._folder = data_file.with_name(data_file.name + ".worlds")
        self._folder_is_durable = False

    async def list_names(self) -> Sequence[str]:
        """Returns the names of worlds that have a file, also from earlier runs.

        Raises StoreError.
        """
        return await asyncio.to_thread(self._list_names)

    async def open_store(self, world: str) -> TinyDBStore:
        """Opens the store of `world`, which is empty if it has no file yet. Raises StoreError."""
        fresh = self._fresh and world == DEFAULT
        return await asyncio.to_thread(partial(self._open, world, fresh=fresh))

    def erase(self, world: str) -> None:
        """Removes the file of `world`, whose store must be closed. Raises StoreError."""
        with self._explained("changed"):
            erase_data_file(self._path(world), self._disk)

    async def erase_named(self) -> None:
        """Removes the files of all worlds but the default one, which must not be open.

        Raises StoreError, and removes none, if one of them, or the data file, is not ours, damaged
        or in use.
        """
        # The lock of the default world covers all of them.
        default = await asyncio.to_thread(self._open, DEFAULT)
        try:
            names = await self.list_names()
            for name in names:
                store = await self.open_store(name)
                await store.close(compact=False)
            for name in names:
                await asyncio.to_thread(self.erase, name)
        finally:
            await default.close(compact=False)

    def _open(self, world: str, *, fresh: bool = False) -> TinyDBStore:
        # The lock of the default world covers all of them. Its folder has to exist.
        is_default = world == DEFAULT
        if not is_default:
            with self._explained("created"):
                self._create_folder()
        return TinyDBStore(
            self._path(world),
            public_allowed=True,
            locked=is_default,
            fresh=fresh,
            disk=self._disk,
        )

    def _create_folder(self) -> None:
        self._disk.make_directory(self._folder)
        if not self._folder_is_durable:
            self._disk.sync_directory(self._folder.parent)
            self._folder_is_durable = True

    def _list_names(self) -> Sequence[str]:
        with self._explained("read"):
            if not self._disk.is_directory(self._folder):
                return []
            names = sorted(self._disk.names(self._folder))
        return [_world_name(name) for name in names if name.endswith(".json")]

    def _path(self, world: str) -> Path:
        return self._data_file if world == DEFAULT else self._folder / _file_name(world)

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        """Turns OSError into StoreError."""
        try:
            yield
        except OSError as error:
            usual = (
                "expected a folder that can be written to, or none and a writable parent; correct"
                " that, or name another place with --data"
            )
            raise StoreError(
                f"the folder {self._folder}, which holds the data of named worlds, cannot be"
                f" {action}: {error.strerror}; {remedy(error, usual)}"
            ) from None


def _file_name(world: str) -> str:
    """Returns the file name of a world; some file systems do not distinguish `A` and `a`."""
    return re.sub(r"[A-Z]", lambda found: "+" + found[0].lower(), world) + ".json"


def _world_name(file: str) -> str:
    return re.sub(r"\+(.)", lambda found: found[1].upper(), file.removesuffix(".json"))
