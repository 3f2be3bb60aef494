"""The machine of sequences on a server that stops and starts again on its data."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.fuzzing import explored
from support.keeping import Keep, options
from support.process import free_port, serving


class Restartable:
    """`clients-register serve` on one port and one `place`, as often as it is started."""

    def __init__(self, *place: str) -> None:
        self._options = ("--port", str(free_port()), *place)
        self._stack = ExitStack()
        self.starts = 0
        self.base = ""

    def start(self) -> None:
        """Starts it, and stops it before if it runs."""
        self._stack.close()
        process = self._stack.enter_context(serving(*self._options))
        self.base = process.url.removesuffix("/clients/register")
        self.starts += 1

    def stop(self) -> None:
        """Stops it for good."""
        self._stack.close()


@contextmanager
def restartable(*place: str) -> Iterator[Restartable]:
    server = Restartable(*place)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_a_server_does_as_the_model_does_over_restarts(keep: Keep, tmp_path: Path) -> None:
    with (
        restartable(*options(keep(tmp_path / "data.json"))) as server,
        explored(server.base, 100, "sequences", restart=server.start) as (campaign, ended),
    ):
        assert [each.about for each in campaign.violations] == []
        assert ended == "the budget is spent"
        assert server.starts > 1
