"""A PostgreSQL server of the tests' own, from the programs of Debian's package."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
from support import hang
from support.absence import absent
from support.hang import LIMIT, until
from support.process import reserved_port

from clients_register.handlers.store.postgres.database import Database

USER = "tester"

# The database that every server has.
SHARED = "postgres"

# It may stand in no output; the characters are those that URLs are read wrongly by.
PASSWORD = "hush-7f3a@:/%?#"
IN_URL = "hush-7f3a%40%3A%2F%25%3F%23"

# The server refuses to be run by root; the package makes this user.
UNPRIVILEGED = "postgres"


def programs() -> Path:
    """Where the programs of the newest version are."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if not found:
        absent("PostgreSQL is not installed: run `apt-get install postgresql`")
    return found[-1].parent


class Server:
    """A server that stopped and started keeps its data and its port."""

    def __init__(self, folder: Path, port: int) -> None:
        """Makes a cluster in `folder`. Only this server may be able to listen on `port`."""
        self._folder = folder
        self._programs = programs()
        self._names = (f"d{number}" for number in count())
        self._data, self._log = folder / "data", folder / "log"
        self._process: subprocess.Popen[str]
        self.port = port
        self._own: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(folder, UNPRIVILEGED, UNPRIVILEGED)
            self._own = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []}
        secret = folder / "password"
        secret.write_text(PASSWORD)
        self._run(
            *("initdb", "--username", USER, "--auth", "scram-sha-256", "--pwfile", str(secret)),
            *("--encoding", "UTF8", "--no-locale", "--no-sync", "--pgdata", str(self._data)),
        )

    def _run(self, program: str, *argv: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *argv],
            check=False,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
            **self._own,
        )
        assert done.returncode == 0, f"{program} ended with {done.returncode}:\n{done.stdout}"

    def start(self) -> None:
        """Returns when connections are taken."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "fsync": "on",
            "unix_socket_directories": self._folder,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data), *options],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                text=True,
                # Ctrl-C at a terminal is for the tests.
                process_group=0,
                **self._own,
            )
        until(lambda: self._is_ready() or self._process.poll() is not None)
        assert self._process.poll() is None, self._log.read_text()

    def _is_ready(self) -> bool:
        """Whether the server says so; the first line of what it says is the id of its process."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self._process.pid)] and "ready" in "".join(lines[7:])

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Returns when the server has ended; connections are cut off.

        SIGQUIT is as a power cut.
        """
        self._process.send_signal(number)
        hang.communicate(self._process)

    def at(self, name: str) -> Database:
        """The database of that name."""
        return Database("127.0.0.1", name, self.port, USER, PASSWORD)

    def url(self, name: str) -> str:
        """The same, as people write it."""
        return f"postgresql://{USER}:{IN_URL}@127.0.0.1:{self.port}/{name}"

    def made(self, more: str = "") -> str:
        """The name of a new database, empty."""
        name = next(self._names)
        self.told(SHARED, f"CREATE DATABASE {name} {more}")
        return name

    def told(self, name: str, statement: str) -> list[tuple[Any, ...]]:
        """What `statement` selects in the database of that name, if anything."""
        with psycopg.connect(**self.at(name).parameters(), autocommit=True) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []


@contextmanager
def postgres_server() -> Iterator[Server]:
    """A running server; it and its data are gone when the context ends."""
    folder = Path(mkdtemp(prefix="clients-register-postgres-"))
    try:
        with reserved_port() as port:
            server = Server(folder, port)
            server.start()
            try:
                yield server
            finally:
                server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


@contextmanager
def nobody_writes(server: Server, name: str) -> Iterator[None]:
    """Whoever writes to the tables in that database waits until the context ends."""
    with psycopg.connect(**server.at(name).parameters()) as connection:
        connection.execute(
            "LOCK TABLE clients_register.meta, clients_register.users,"
            " clients_register.sessions, clients_register.mails IN EXCLUSIVE MODE"
        )
        yield
        connection.rollback()


def waiting(server: Server, name: str) -> int:
    """How many wait there."""
    return len(server.told(name, "SELECT 1 FROM pg_locks WHERE NOT granted"))
