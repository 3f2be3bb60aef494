"""A running stub as tests meet it: started here or elsewhere, it hands out worlds."""

import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from clients_register.testing.world import PATIENCE, World, ask

# How many characters of a test's name are left in the name of its world, which has at most 64.
NAME = 48

# Seconds that the stub may take to stop; all it holds is temporary.
PARTING = 10.0


class StubError(Exception):
    """The stub did not start, or nobody answers there; the message says what to do next."""


class Stub:
    """A stub at a URL. It is its own default world's address, and makes others.

    A context manager, which closes the connections when it ends, and leaves the stub running.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        """`url` is the origin, such as http://127.0.0.1:4018; `token` the control token, if any.

        Raises StubError where no stub answers.
        """
        self.base = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Proxies of the environment are for the world outside.
        self._http = httpx.Client(headers=headers, timeout=PATIENCE, trust_env=False)
        try:
            self.url = self.base + str(self.control("GET", "/health")["route"])
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
            self._http.close()
            raise StubError(
                f"expected a stub at {self.base}, found none ({error}); start it with"
                " `clients-register serve`, or leave the URL out to have one started"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    @contextmanager
    def world(self, name: str) -> Iterator[World]:
        """A new world, whose name begins with `name`, deleted when the context ends."""
        kept = re.sub(r"[^A-Za-z0-9_]+", "-", name)[:NAME].strip("-")
        # Others may run the same tests on the same stub.
        unique = f"{kept}-{secrets.token_hex(4)}"
        world = World(self._http, f"{self.base}/_world/{unique}", unique)
        try:
            yield world
        finally:
            self.control("DELETE", f"/worlds/{unique}")

    def control(self, method: str, path: str, json: object = None) -> Any:
        """What the control plane of the default world answers. Raises ControlError."""
        return ask(self._http, method, f"{self.base}/_mock{path}", json)

    def coverage(self) -> Any:
        """Which statuses were met, all worlds together."""
        return self.control("GET", "/coverage")


@contextmanager
def started(folder: Path, options: Sequence[str], cwd: Path) -> Iterator[str]:
    """Runs a stub with further `options` of `serve`, its data in `folder`; gives its origin.

    It ends with the context. Raises StubError where it does not start.
    """
    # -P, since the folder that tests run in may hold a module named as one that the stub needs.
    command = (sys.executable, "-P", "-m", "clients_register", "serve", "--no-reference")
    place = ("--host", "127.0.0.1", "--port", "0", "--data", str(folder / "data.json"))
    complaints = folder / "stderr.txt"
    with (
        complaints.open("wb") as stderr,
        subprocess.Popen(  # noqa: S603 - this very program, and options of whoever runs the tests
            [*command, *place, *options],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            # Ctrl-C is for the tests, whose last requests the stub still has to answer.
            start_new_session=True,
        ) as process,
    ):
        try:
            origin = _origin_in_banner(process)
            if origin is None:
                process.wait()
                said = complaints.read_text("utf-8", "replace").strip()
                raise StubError(f"the stub did not start: {said or f'exit {process.returncode}'}")
            yield origin
        finally:
            _stop(process)


def _origin_in_banner(process: subprocess.Popen[bytes]) -> str | None:
    """Where the stub says that it listens; None where it ends before, or takes too long."""
    killer = threading.Timer(PATIENCE, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.match(r"\s+listening\s+(http://[^/\s]+)", line.decode("utf-8")):
                return found[1]
    finally:
        killer.cancel()
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=PARTING)
    except subprocess.TimeoutExpired:
        process.kill()
