"""A running stub, started here or elsewhere, which provides worlds for tests."""

import os
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

import httpx2

from clients_register.testing.world import TIMEOUT, World

# For pytest: a traceback ends at the line that called this module.
__tracebackhide__ = True

# Characters of a test's name in the name of its world, which has at most 64.
MAX_NAME = 48

# How long the stub may take to stop, in seconds; its data is temporary.
STOP_TIMEOUT = 10.0


class StubError(Exception):
    """The stub did not start, or does not respond; the message says what to do next."""


class Stub:
    """A running stub, with its default world, whose URLs `base`, `root` and `url` it also has.

    As a context manager it closes its connections at the end; the stub keeps running.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        """`url` is the origin or the base URL of the stub, such as http://127.0.0.1:4018.

        `token` is the control token, if any. Raises StubError if there is no stub, and ControlError
        if it refuses the token.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Proxies in the environment are for other hosts.
        self._http = httpx2.Client(headers=headers, timeout=TIMEOUT, trust_env=False)
        try:
            self._server = _find_server(self._http, url.rstrip("/"))
            self.default = World(self._http, self._server)
        except BaseException:
            self._http.close()
            raise
        self.base, self.root, self.url = self.default.base, self.default.root, self.default.url

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
    def world(self, name: str, snapshot: str | None = None) -> Iterator[World]:
        """Yields a new world, named after `name`; it is deleted when the context ends.

        It contains what was saved as `snapshot` (see `World.save`). Raises ControlError if there is
        no such snapshot.
        """
        prefix = re.sub(r"[^A-Za-z0-9_]+", "-", name)[:MAX_NAME].strip("-")
        # Others may run the same tests against the same stub.
        unique = f"{prefix}-{secrets.token_hex(4)}"
        if snapshot is not None:
            self.control("PUT", f"/worlds/{unique}", {"snapshot": snapshot})
        world = World(self._http, self._server, unique)
        try:
            yield world
        finally:
            self.control("DELETE", f"/worlds/{unique}")

    def control(self, method: str, path: str, json: object = None) -> Any:
        """Calls the control plane of the default world. Raises ControlError."""
        return self.default.control(method, path, json)

    def coverage(self) -> dict[str, Any]:
        """Returns the coverage of all worlds together."""
        return self.default.coverage()


@contextmanager
def start_stub(folder: Path, options: Sequence[str], cwd: Path) -> Iterator[str]:
    """Runs a stub with more `options` of `serve` and its data in `folder`; yields its origin.

    The stub stops when the context ends. Raises StubError if it does not start.
    """
    # -P, because the working directory may contain modules with the names of ours.
    command = (sys.executable, "-P", "-m", "clients_register", "serve", "--no-reference")
    address = ("--host", "127.0.0.1", "--port", "0", "--data", str(folder / "data.json"))
    # The stub ends with this process, however that ends. Windows cannot do this.
    end = ("--stop-on-eof",) if os.name == "posix" else ()
    errors = folder / "stderr.txt"
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(  # noqa: S603 - this program, with options of the test author
            [*command, *address, *end, *options],
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            # Ctrl-C interrupts the tests; the stub still has to respond to their last requests.
            start_new_session=True,
        ) as process,
    ):
        try:
            origin = _read_origin(process)
            if origin is None:
                process.wait()
                message = errors.read_text("utf-8", "replace").strip()
                raise StubError(
                    f"the stub did not start: {message or f'exit {process.returncode}'}"
                )
            yield origin
        finally:
            _stop(process)


def _find_server(http: httpx2.Client, url: str) -> str:
    """Returns the URL below which the stub of `url` has its paths. Raises StubError."""
    found = ""
    try:
        # A base URL has a path, which may also be that of a reverse proxy before the stub.
        origin = str(httpx2.URL(url).copy_with(raw_path=b"/")).rstrip("/")
        for server in dict.fromkeys((origin, url)):
            response = http.get(f"{server}/_mock/health")
            if "Mock-Error" in response.headers or _is_health(response):
                return server
            found = f"a response with the code {response.status_code} at {server}/_mock/health"
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        found = f"none ({error})"
    raise StubError(
        f"expected a stub at {url}, found {found}; start it with `clients-register serve`, or leave"
        " out the URL to have one started"
    )


def _is_health(response: httpx2.Response) -> bool:
    try:
        health = response.json()
    except ValueError:
        return False
    return isinstance(health, dict) and "base" in health


def _read_origin(process: subprocess.Popen[bytes]) -> str | None:
    """Returns the origin from the banner; None if the stub exits first or takes too long."""
    killer = threading.Timer(TIMEOUT, process.kill)
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
        process.communicate(timeout=STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
