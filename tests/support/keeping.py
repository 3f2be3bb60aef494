"""Where the reference servers of tests keep their data: in files, or in databases."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from support.postgres import Server

# The settings under which a server keeps its data in that file, or in what stands for it. For the
# same file they are the same, so that a server finds what one before it has kept.
Keep = Callable[[Path], dict[str, Any]]


class Keeper(Protocol):
    """Has room for data."""

    def room(self) -> AbstractContextManager[Keep]:
        """Room until the context ends; by then no server is left in it."""
        ...


class InFiles:
    """See `Keeper`. Whoever asks has a directory of their own, which is not tidied here."""

    @contextmanager
    def room(self) -> Iterator[Keep]:
        yield lambda file: {"data": file}


class InDatabases:
    """See `Keeper`. To empty a database takes a fifth of the time in which one is made."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._empty: list[str] = []

    @contextmanager
    def room(self) -> Iterator[Keep]:
        used: dict[Path, str] = {}

        def keep(file: Path) -> dict[str, Any]:
            if file not in used:
                used[file] = self._empty.pop() if self._empty else self._server.made()
            return {"store": self._server.at(used[file])}

        yield keep
        for name in used.values():
            self._clear(name)
            self._empty.append(name)

    def _clear(self, name: str) -> None:
        self._server.told(name, "DROP SCHEMA IF EXISTS clients_register CASCADE")
