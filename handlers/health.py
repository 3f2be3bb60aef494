"""`clients-register health`: asks a server whether it is ready, for containers and CI jobs.

Containers run it every few seconds, so it imports nothing of the server but its settings.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLError
from threading import Thread
from time import monotonic, sleep
from typing import TypeVar
from urllib.parse import urlsplit

from clients_register import output
from clients_register.argument_parser import ArgumentParser
from clients_register.handlers import options
from clients_register.handlers.arguments import variable_of
from clients_register.handlers.settings import HEALTH_PATH, PROBLEM, Settings

PROGRAM = "clients-register health"

# How long one attempt takes at most, and the pause between two attempts, in seconds.
ATTEMPT_TIMEOUT = 5
PAUSE = 0.2

# How much of a response is read, in bytes.
MAX_BODY = 1024

DESCRIPTION = f"""\
Ask a server started by `clients-register serve` whether it is ready.

It is if GET {HEALTH_PATH} responds with 200, which means that its data can be used.
"""

EPILOG = f"""\
examples:
  {PROGRAM}
      once, as in the health check of a container
  {PROGRAM} http://127.0.0.1:8080/api/v1 --wait 30
      in a CI job that has just started the server

exit codes:
  0 ready, 1 not ready, 2 wrong usage
"""

T = TypeVar("T")


def main(argv: list[str]) -> int:
    """Asks the server that `argv` names; returns the exit code."""
    parser = ArgumentParser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument(
        "url",
        metavar="URL",
        nargs="?",
        type=_argument(options.url),
        default=default_url(os.environ),
        help="origin or base URL of the server; its path is ignored (default: %(default)s, where"
        f" serve listens, also if {variable_of('host')} or {variable_of('port')} is set)",
    )
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=_argument(options.seconds),
        default=0,
        help="how long to try again while the server is not ready (default: not at all); one"
        f" attempt takes up to {ATTEMPT_TIMEOUT} seconds",
    )
    given = parser.parse_args(argv)
    scheme, netloc, *_ = urlsplit(given.url)
    origin = f"{scheme}://{netloc}"
    problem = wait_until_ready(origin, given.wait)
    if problem is not None:
        output.complain(f"{PROGRAM}: {origin}{HEALTH_PATH}: expected a ready server, {problem}")
        return 1
    print(f"{origin} is ready")
    return 0


def wait_until_ready(origin: str, seconds: float) -> str | None:
    """Asks until the server is ready or the time is over; returns as `find_problem`."""
    deadline = monotonic() + seconds
    while (problem := find_problem(origin)) is not None and monotonic() < deadline:
        sleep(PAUSE)
    return problem


def default_url(environ: Mapping[str, str]) -> str:
    """Returns the URL of a server that was started with the variables `environ`."""
    host = environ.get(variable_of("host")) or Settings().host
    return options.http_origin(
        options.reachable_host(host), environ.get(variable_of("port")) or Settings().port
    )


def find_problem(origin: str) -> str | None:
    """Returns what was found instead of a ready server, and what to do; None if it is ready."""
    found: list[str | None] = []
    # A server that sends a little now and then would be waited for however long it takes.
    attempt = Thread(target=lambda: found.append(_attempt(origin)), daemon=True)
    attempt.start()
    attempt.join(ATTEMPT_TIMEOUT)
    return found[0] if found else _timed_out()


def _attempt(origin: str) -> str | None:
    try:
        code, content_type, body = _ask(origin)
    except (OSError, HTTPException) as error:
        return _describe_failure(error)
    if code == HTTPStatus.OK and _says_ready(body):
        return None
    if code == HTTPStatus.SERVICE_UNAVAILABLE and content_type == PROBLEM:
        return "found 503, since its data cannot be used; look into its log"
    return f"found {code} from another server; correct the URL"


def _ask(origin: str) -> tuple[int, str, bytes]:
    """Returns code, media type and body of the response. Raises OSError, HTTPException."""
    parts = urlsplit(origin)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=ATTEMPT_TIMEOUT)
    try:
        connection.request("GET", HEALTH_PATH)
        response = connection.getresponse()
        return response.status, response.headers.get_content_type(), response.read(MAX_BODY)
    finally:
        connection.close()


def _describe_failure(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return _timed_out()
    if isinstance(error, SSLError):
        return f"found no usable TLS ({error.reason or error}); correct the URL or the certificate"
    if isinstance(error, OSError):
        found = error.strerror or error
        return f"found {found}; start one with clients-register serve, or correct the URL"
    return "found one that does not speak HTTP; correct the URL"


def _timed_out() -> str:
    return f"found none that responds within {ATTEMPT_TIMEOUT} seconds; look into its log"


def _says_ready(body: bytes) -> bool:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("ready") is True


def _argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Turns a parser of a setting into one of an argument."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"expected {error}, found {text!r}") from None

    return parse_argument
