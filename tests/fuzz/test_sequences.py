"""The machine of sequences on a server that stops and starts again on its data."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.live import LiveStub
from support.suite import base, explored

from clients_register.handlers.serve import open_listener
from clients_register.handlers.settings import Settings


class StubOn(LiveStub):
    """A stub on a socket that outlives it."""

    def __init__(self, settings: Settings, shared: socket.socket) -> None:
        super().__init__(settings)
        self._shared = shared

    def listener(self) -> socket.socket:
        return self._shared.dup()


class Restartable:
    """One stub after another on the same data and the same listening socket."""

    def __init__(self, settings: Settings, shared: socket.socket) -> None:
        self._settings = settings
        self._shared = shared
        self._stack = ExitStack()
        self.starts = 0
        self.base = ""

    def start(self) -> None:
        """Starts a stub, after it has stopped the one that runs."""
        self._stack.close()
        self.base = base(self._stack.enter_context(StubOn(self._settings, self._shared)))
        self.starts += 1

    def stop(self) -> None:
        self._stack.close()


@contextmanager
def restartable(settings: Settings) -> Iterator[Restartable]:
    with open_listener(settings.host, 0) as shared:
        server = Restartable(settings, shared)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def test_a_server_does_as_the_model_does_over_restarts(tmp_path: Path) -> None:
    settings = Settings(port=0, bcrypt_cost=4, data=tmp_path / "data.json")
    with (
        restartable(settings) as server,
        explored(server.base, 100, "sequences", restart=server.start) as (campaign, ended),
    ):
        assert [each.about for each in campaign.violations] == []
        assert ended == "the budget is spent"
        assert server.starts > 1
