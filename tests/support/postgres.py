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
from support.absence import absent
from support.process import PATIENCE, children, free_port, until

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

    def __init__(self, folder: Path) -> None:
        """Makes a cluster in `folder`."""
        self._folder = folder
        self._programs = programs()
        self._names = (f"d{number}" for number in count())
        self.port = free_port()
        self._own: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(folder, UNPRIVILEGED, UNPRIVILEGED)
            self._own = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []}
        secret = folder / "password"
        secret.write_text(PASSWORD)
        self._run(
            *("initdb", "--username", USER, "--auth", "scram-sha-256", "--pwfile", str(secret)),
            *("--encoding", "UTF8", "--no-locale", "--no-sync", "--pgdata", str(folder / "data")),
        )

    def _run(self, program: str, *argv: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *argv],
            check=False,
            cwd=self._folder,
            # Not pipes: the server inherits them, and they would never end.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            **self._own,
        )
        log = self._folder / "log"
        told = log.read_text() if log.exists() else ""
        assert done.returncode == 0, f"{program} {argv} ended with {done.returncode}:\n{told}"

    def start(self) -> None:
        """Returns when connections are taken."""
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c fsync=on"
            f" -c unix_socket_directories={self._folder}"
        )
        data, log = str(self._folder / "data"), str(self._folder / "log")
        self._run("pg_ctl", "start", "--wait", "-D", data, "-l", log, "-o", options)

    def stop(self, how: str = "fast") -> None:
        """Returns when the server has ended; connections are cut off.

        `immediate` is as in a power cut.
        """
        data = str(self._folder / "data")
        self._run("pg_ctl", "stop", "--wait", "-D", data, "-m", how)

    @contextmanager
    def still(self) -> Iterator[None]:
        """In the context no process of the server does anything, and no connection breaks."""
        main = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(main, signal.SIGSTOP)
        state = Path(f"/proc/{main}/stat")
        until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")
        # From here on none begins, and of one that ends the number is kept for the main process.
        others = children(main)
        try:
            for process in others:
                os.kill(process, signal.SIGSTOP)
            yield
        finally:
            for process in [*others, main]:
                os.kill(process, signal.SIGCONT)

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

    def stubs(self, name: str) -> int:
        """How many stubs are on the database of that name; who opens a world counts, too."""
        ((count,),) = self.told(
            name,
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE locktype = 'advisory' AND granted AND datname = current_database()",
        )
        return int(count)


@contextmanager
def postgres_server() -> Iterator[Server]:
    """A running server; it and its data are gone when the context ends."""
    folder = Path(mkdtemp(prefix="clients-register-postgres-"))
    try:
        server = Server(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)


@contextmanager
def nobody_writes(server: Server, name: str = SHARED) -> Iterator[None]:
    """Whoever writes to the tables in that database waits until the context ends."""
    with psycopg.connect(**server.at(name).parameters()) as connection:
        connection.execute(
            "LOCK TABLE clients_register.worlds, clients_register.users,"
            " clients_register.sessions, clients_register.mails IN EXCLUSIVE MODE"
        )
        yield
        connection.rollback()


def waiting(server: Server, name: str = SHARED) -> int:
    """How many wait there."""
    return len(server.told(name, "SELECT 1 FROM pg_locks WHERE NOT granted"))
