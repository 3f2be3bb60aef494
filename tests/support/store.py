"""Stores for tests: where they keep data, and what is stored, also after a process was killed."""

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

import psycopg
import pytest
from msgspec.structs import replace
from support.command import environment
from support.limits import LIMIT
from support.postgres import Server
from support.records import (
    about_to_register,
    mail,
    register_client,
    registered,
    session,
    user,
)

from clients_register.handlers.models import Mail, Session, User, encode_record
from clients_register.handlers.settings import Settings
from clients_register.handlers.store.base import Store, StoreError
from clients_register.handlers.store.journaled.disk import LOCAL, Disk
from clients_register.handlers.store.postgres.store import PostgresStore
from clients_register.handlers.store.tinydb import TinyDBStore

STORES = ("tinydb", "postgres")

# Opens a store on data that stays when it is closed.
Opening = Callable[[], Awaitable[Store]]


def in_file(directory: Path) -> Opening:
    async def opening() -> Store:
        return TinyDBStore(directory / "data.json", public_allowed=True)

    return opening


def in_database(server: Server, name: str) -> Opening:
    async def opening() -> Store:
        return await PostgresStore.open(server.at(name))

    return opening


@asynccontextmanager
async def opened(opening: Opening) -> AsyncIterator[Store]:
    """A store, closed when the context ends."""
    store = await opening()
    try:
        yield store
    finally:
        await store.close()


# The settings with which a server keeps its data in that file, or in its equivalent. They are the
# same for the same file, so that a server finds what an earlier one has stored.
Keep = Callable[[Path], dict[str, Any]]


class Keeper(Protocol):
    """Has room for data."""

    def room(self) -> AbstractContextManager[Keep]:
        """Room until the context ends; by then no server is left in it."""
        ...


class InFiles:
    """See `Keeper`. Each caller has a directory of its own, which is not cleaned up here."""

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


# Table -> its records by a name of theirs, as a data file has them.
TABLES = {
    "users": "SELECT id::text, record FROM clients_register.users ORDER BY 1",
    "sessions": "SELECT digest, record FROM clients_register.sessions ORDER BY 1",
    "outbox": "SELECT number::text, record FROM clients_register.mails ORDER BY number",
}

# Every row of every table, as text that a database gives to whoever may read it.
ROWS = """
    SELECT to_json(users)::text FROM clients_register.users
    UNION ALL SELECT to_json(sessions)::text FROM clients_register.sessions
    UNION ALL SELECT to_json(mails)::text FROM clients_register.mails ORDER BY 1
"""


def text_of(settings: Settings) -> str:
    """Returns all that is stored there, as text that differs only where something has changed."""
    if settings.store is None:
        return stored_text(settings.data_file)
    with psycopg.connect(**settings.store.parameters()) as connection:
        return "\n".join(row for (row,) in connection.execute(ROWS))


def tables_of(settings: Settings) -> dict[str, Any]:
    """Users, sessions and mails that would be found if the server was killed now."""
    if settings.store is None:
        return stored(settings.data_file)
    with psycopg.connect(**settings.store.parameters()) as connection:
        return {name: dict(connection.execute(query)) for name, query in TABLES.items()}


def to_document(record: User | Session | Mail) -> dict[str, Any]:
    """The document of a record, as it is stored."""
    document: dict[str, Any] = json.loads(encode_record(record))
    return document


def files(data: Path) -> list[Path]:
    """The data file and its journals."""
    return [data, *sorted(data.parent.glob(f"{data.name}.journal.*"))]


def stored_text(data: Path) -> str:
    """All that is written in them."""
    return "".join(each.read_text("utf-8") for each in files(data))


def edited(content: bytes, edit: Callable[[dict[str, Any]], object]) -> bytes:
    """The content of a data file, edited on purpose: without its checksum."""
    tables = json.loads(content)
    tables["_generation"]["1"].pop("crc32")
    edit(tables)
    return json.dumps(tables).encode()


def flipped(content: bytes) -> Iterator[bytes]:
    """Copies of `content` in which one bit is another, for each bit."""
    for position, byte in enumerate(content):
        for bit in range(8):
            yield content[:position] + bytes([byte ^ 1 << bit]) + content[position + 1 :]


def stored(data: Path) -> dict[str, Any]:
    """The tables that would be found if the server was killed now."""
    with TemporaryDirectory() as folder:
        for each in files(data):
            shutil.copy(each, folder)
        copied = Path(folder, data.name)
        asyncio.run(TinyDBStore(copied, public_allowed=True).close())
        tables: dict[str, Any] = json.loads(copied.read_text("utf-8"))
        return tables


def clients_in(data: Path) -> list[str]:
    """The addresses of the clients that a data file holds, with its journals."""
    users = stored(data)["users"].values()
    return [user["email"] for user in users if user["client"]]


# The records after each change of `work`: users, sessions, mails.
AFTER = [(0, 0, 0), (1, 1, 0), (2, 1, 0), (2, 2, 0), (2, 2, 1), (1, 1, 1), (1, 1, 0)]


async def work(path: Path, folder: Path) -> Path:
    """One change of each kind, killed before the end of it: the journal is there."""
    store = TinyDBStore(path, public_allowed=True)
    await store.seed([user(7, "bea@x.test")], [session("t", 7)], public=True)
    made = await register_client(store, about_to_register("ada@x.test"), None)
    await store.put_session(session("u", made.id))
    await store.add_mail(mail("ada@x.test"))
    await store.remove_client(made, None)
    await store.remove(mails=True)
    left = killed(path, folder)
    await store.close()
    return left


def killed(path: Path, folder: Path) -> Path:
    """The files as they are now, copied to where no process holds them."""
    folder.mkdir()
    for each in files(path):
        shutil.copy(each, folder)
    return folder / path.name


def journal_of(data: Path) -> Path:
    return data.with_name("data.json.journal.1")


def lengths(journal: Path) -> list[int]:
    """How long the journal is after each line."""
    ends, length = [], 0
    for line in journal.read_bytes().splitlines(keepends=True):
        length += len(line)
        ends.append(length)
    return ends


def refusal(data: Path, disk: Disk = LOCAL) -> str:
    """Why the store is not opened, which leaves all files as they are."""
    before = {each: each.read_bytes() for each in data.parent.iterdir() if each.suffix != ".lock"}
    with pytest.raises(StoreError) as caught:
        TinyDBStore(data, public_allowed=True, disk=disk)
    after = {each: each.read_bytes() for each in data.parent.iterdir() if each.suffix != ".lock"}
    assert after == before
    message = str(caught.value)
    assert str(data) in message
    assert "--data" in message, "the next step"
    assert "\n" not in message
    return message


async def everything(store: TinyDBStore) -> tuple[Any, ...]:
    return await store.users(), await store.sessions(), await store.mails()


ROLES = frozenset({"liaison"})

Act = Callable[[Store, User], Awaitable[Any]]

# The user is one without a client.
ACTS: dict[str, Act] = {
    "add a new client": lambda store, _: register_client(
        store, about_to_register("new@x.test"), None
    ),
    "register": lambda store, _: registered(store, "new@x.test"),
    "make a client": lambda store, there: register_client(
        store, about_to_register(there.email), there
    ),
    "put a session": lambda store, there: store.put_session(session("new", there.id)),
    "add a mail": lambda store, there: store.add_mail(mail(there.email)),
    "remove a user": lambda store, there: store.remove_client(there, None),
    "remove everything": lambda store, there: store.remove([there.id], mails=True),
    "restore a user": lambda store, there: store.remove_client(there, replace(there, roles=ROLES)),
    "seed": lambda store, _: store.seed(
        [user(8, "s@x.test"), user(9, "t@x.test")], [session("s", 8), session("t", 7)], public=True
    ),
}


T = TypeVar("T")

TESTS = Path(__file__).parents[1]


class Dying:
    """A process of `support.writer`. Use as a context manager, which ends it."""

    def __init__(self, *words: object) -> None:
        # Coverage is not measured: a process that is killed, or may not write, cannot report it.
        env = environment(PYTHONPATH=str(TESTS))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.writer", *map(str, words)],
            env={name: value for name, value in env.items() if not name.startswith("COVERAGE_")},
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Dying":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.__exit__(None, None, None)

    @property
    def code(self) -> int:
        """The exit code, once it has ended."""
        return self._process.wait(LIMIT)

    def lines(self, at_most: int | None = None) -> Iterator[str]:
        """The next lines of its output. It is killed if it is silent for too long."""
        assert self._process.stdout is not None
        for _ in range(sys.maxsize if at_most is None else at_most):
            with self._watched():
                line = self._process.stdout.readline()
            if not line:
                return
            yield line.rstrip("\n")

    def kill(self) -> None:
        self._process.kill()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        watchdog = threading.Timer(LIMIT, self.kill)
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
            watchdog.join()


def ended(*words: object) -> tuple[int, list[str]]:
    """Exit code and output of a process of `support.writer` that ends by itself."""
    with Dying(*words) as process:
        lines = [*process.lines()]
        return process.code, lines


def asked(path: Path, question: Callable[[TinyDBStore], Coroutine[Any, Any, T]]) -> T:
    """Opens the store at `path`, asks it, and closes it."""

    async def ask() -> T:
        store = TinyDBStore(path, public_allowed=True)
        answer = await question(store)
        await store.close()
        return answer

    return asyncio.run(ask())
