"""A way to a database that fails as a network does: connections are cut off, or stand still.

It goes by the statements' text, which the driver sends as it is for those that it has not prepared.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from clients_register.handlers.store.postgres.database import Database

SIZE = 65536


class Way:
    """Listens on a port of its own and leads to a database. Use as a context manager."""

    def __init__(self, database: Database) -> None:
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
