"""Crash reports for the log: everything that helps, and nothing secret.

A report has the stack trace. The message of an exception is left out if it quotes the request,
because any library may put a value into its messages, in whole or in part, escaped or not. One line
suffices for a crash that was requested, and for a store that is unavailable.
"""

import json
import logging
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator

from clients_register.handlers.context import Request
from clients_register.handlers.decoding import Body
from clients_register.handlers.store.base import StoreError, StoreUnavailable

# Seconds in which the same failure of a store is logged only once.
INTERVAL = 10

# How many different failures are remembered for that.
MAX_LINES = 100

SECRETS = ("client.password", "token")
HIDDEN = "[hidden, because it quotes the request]"

# Length in characters from which a match counts as a quotation and not as a coincidence.
MIN_QUOTE = 8

log = logging.getLogger(__name__)


class StoreErrorLog:
    """Logs errors of stores, each now and then, because every request fails the same way."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        # When each message was logged, and how often it was left out since.
        self._lines: dict[str, tuple[float, int]] = {}

    def error(self, where: str, error: StoreError) -> None:
        """Logs `error` in one line, with the number of those left out since the last one."""
        now, message = self._clock(), str(error)
        at, left_out = self._lines.get(message, (float("-inf"), 0))
        if now - at < INTERVAL:
            self._lines[message] = at, left_out + 1
            return
        if message not in self._lines and len(self._lines) >= MAX_LINES:
            recent = {each: line for each, line in self._lines.items() if now - line[0] < INTERVAL}
            self._lines = recent
            if len(recent) >= MAX_LINES:
                return
        self._lines[message] = now, 0
        since = f" ({left_out} more failed like this since the last such line)" if left_out else ""
        log.error("%s: %s%s", where, message, since)


# That of the process.
store_errors = StoreErrorLog()


class RequestedCrash(RuntimeError):
    """A crash that was requested for a test. Its stack trace would say nothing."""


def log_crash(request: Request, error: BaseException, where: str = "crash") -> None:
    """Logs a crash report, see `crash_report`; only now and then if the store is unavailable.

    A requested crash is logged in one line.
    """
    if isinstance(error, StoreUnavailable):
        store_errors.error(f"{request.id}: {where}", error)
    elif isinstance(error, RequestedCrash):
        log.error("%s: %s: %s", request.id, where, error)
    else:
        log.error("%s", crash_report(request, error, where))


def crash_report(request: Request, error: BaseException, where: str = "crash") -> str:
    """Describes `error` in several lines; the first begins with the request id.

    The other lines are indented, so that the message of an exception cannot pass for a log entry.
    `where` says how far the request got.
    """
    fragments = _secret_fragments(request)
    report = "\n".join(_describe(each, fragments) for each in _chain(error))
    return f"{request.id}: {where}\n" + textwrap.indent(report, "  ")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields `error`, the members of groups, and causes or contexts."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        yield current
        for member in current.exceptions if isinstance(current, BaseExceptionGroup) else ():
            yield from _chain(member)
        seen.add(id(current))
        context = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or context


def _describe(error: BaseException, fragments: frozenset[str]) -> str:
    """Formats the stack trace, the type and the message of `error`."""
    try:
        message = "\n".join([str(error), *getattr(error, "__notes__", ())])
    except Exception:  # noqa: BLE001 - str() of a foreign exception may fail
        message = "[no message]"
    message = HIDDEN if _quotes(message, fragments) else message
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{type(error).__module__}.{type(error).__qualname__}: {message}"


def _quotes(message: str, fragments: frozenset[str]) -> bool:
    return any(text in message for text in fragments if len(text) < MIN_QUOTE) or any(
        message[at : at + MIN_QUOTE] in fragments for at in range(len(message) - MIN_QUOTE + 1)
    )


def _secret_fragments(request: Request) -> frozenset[str]:
    """Cuts the body and its secrets, in every form they may be printed, into fragments."""
    raw = request.body or b""
    texts = [raw.decode("latin-1"), "".join(raw.decode("latin-1").split())]
    for secret in _find_secrets(raw):
        texts += [secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], ascii(secret)[1:-1]]
        texts.append(repr(secret.encode(errors="replace"))[2:-1])
    return frozenset(fragment for text in texts for fragment in _fragments(text))


def _fragments(text: str) -> Iterator[str]:
    yield from (
        text[at : at + MIN_QUOTE] for at in range(max(1, len(text) - MIN_QUOTE + 1)) if text
    )


def _find_secrets(raw: bytes) -> list[str]:
    try:
        params = Body(raw).params
        secrets = [params[path] for path in SECRETS if path in params]
    except Exception:  # noqa: BLE001 - decoding may be what crashed
        return []
    return [each if isinstance(each, str) else str(each) for each in secrets]
