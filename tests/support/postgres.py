"""A PostgreSQL server of the tests' own, and connections to it that fail as a network does.

Failures are chosen by the text of a statement, which the driver sends unchanged unless it has
prepared the statement.
"""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
from support.command import absent, reserved_port
from support.limits import LIMIT, communicate, impatient, until

from clients_register.handlers.store.postgres.address import DatabaseAddress

USER = "tester"

# The database that every server has.
SHARED = "postgres"

# It must not appear in any output. Its characters would mislead a naive parser of URLs.
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
        communicate(self._process)

    def at(self, name: str) -> DatabaseAddress:
        """The database of that name."""
        return DatabaseAddress("127.0.0.1", name, self.port, USER, PASSWORD)

    def url(self, name: str) -> str:
        """The same, as people write it."""
        return f"postgresql://{USER}:{IN_URL}@127.0.0.1:{self.port}/{name}"

    def made(self, more: str = "") -> str:
        """The name of a new database, empty."""
        name = next(self._names)
        self.told(SHARED, f"CREATE DATABASE {name} {more}")
        return name

    def told(self, name: str, statement: str) -> list[tuple[Any, ...]]:
        """Returns the rows that `statement` selects in the database of that name, if any."""
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
    """Writes to the tables of that database wait until the context ends."""
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


SIZE = 65536


class Way:
    """Listens on a port of its own and leads to a database. Use as a context manager."""

    def __init__(self, database: DatabaseAddress) -> None:
        self._there = (database.host, database.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.database = replace(database, port=self._listener.getsockname()[1])
        self.cuts = 0
        self._statement = b""
        self._answered = False
        self._stays = False
        self._closed = False
        self._flowing = threading.Event()
        self._flowing.set()
        self._data_waits = threading.Event()
        self._led: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)

    def cut(self, statement: str, *, answered: bool, stays: bool = False) -> None:
        """Cuts off the connection on which `statement` is sent next.

        That is before it arrives, or once it is `answered` and before the answer arrives. Nobody is
        let through afterwards where it `stays` so, until `mend` is called.
        """
        self._answered, self._stays = answered, stays
        self._statement = statement.encode()

    def mend(self) -> None:
        """Lets everybody through."""
        self._closed = False

    @contextmanager
    def frozen(self) -> Iterator[threading.Event]:
        """Forwards nothing in the context, without breaking a connection.

        Yields an event that is set once data for the database is waiting.
        """
        self._data_waits.clear()
        self._flowing.clear()
        try:
            yield self._data_waits
        finally:
            self._flowing.set()

    def __enter__(self) -> "Way":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Wakes the threads, which `close` alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in [*self._led]:
            _end(each)
        self._thread.join()

    def _accept(self) -> None:
        threads = []
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                if self._closed:
                    here.close()
                    continue
                self._led.append(here)
                threads.append(threading.Thread(target=self._lead, args=(here,)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _lead(self, here: socket.socket) -> None:
        with here, socket.create_connection(self._there) as there:
            back = threading.Thread(target=self._forward, args=(there, here))
            back.start()
            self._forward_until_cut(here, there, back)
            _end(here)
            _end(there)
            back.join()

    def _forward_until_cut(
        self, here: socket.socket, there: socket.socket, back: threading.Thread
    ) -> None:
        with suppress(OSError):
            while content := here.recv(SIZE):
                if not self._flowing.is_set():
                    self._data_waits.set()
                self._flowing.wait()
                if not self._statement or self._statement not in content:
                    there.sendall(content)
                    continue
                self._statement, self._closed = b"", self._stays
                self.cuts += 1
                if self._answered:
                    here.shutdown(socket.SHUT_WR)
                    there.sendall(content)
                    there.shutdown(socket.SHUT_WR)
                    # The database is done when it has closed its side.
                    back.join()
                return

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        """Leads one way until its source ends; what cannot be delivered is dropped."""
        with suppress(OSError):
            while content := source.recv(SIZE):
                self._flowing.wait()
                with suppress(OSError):
                    target.sendall(content)


def _end(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)


@contextmanager
def stopped_database(server: Server) -> Iterator[None]:
    """Stops the database within the context, in which nothing waits long for it."""
    server.stop()
    try:
        with impatient():
            yield
    finally:
        server.start()
