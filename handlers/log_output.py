"""How a server tells what happens: to people as text, or to programs as JSON, one object per line.

As text, the log is on standard error, and announcements such as the banner are on standard output.
As JSON, all of it is on standard error.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import MemoryHandler

from typing_extensions import override

from clients_register import output

TEXT, JSON = FORMATS = ("text", "json")

# The attribute of a record with further fields for JSON.
FIELDS = "fields"

# Lines held back until the format is known. There are only a few.
MAX_HELD = 1000

# One line per request, if enabled.
access = logging.getLogger("clients_register.access")
# With it, also those of bytes that were not a request.
_http = logging.getLogger("clients_register.handlers.http.connection")
# What happens to the server as a whole. As text, it is printed instead.
_lifecycle = logging.getLogger("clients_register.lifecycle")


class JSONFormatter(logging.Formatter):
    """Formats a record as a JSON object in ASCII, with `time`, `level` and `message`."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class LogOutput:
    """The handler of the root logger, whose lines wait until `configure` has been called."""

    def __init__(self) -> None:
        self._held = MemoryHandler(MAX_HELD, flushLevel=logging.CRITICAL + 1)
        logging.getLogger().addHandler(self._held)

    def configure(self, log_format: str = TEXT, *, logs_requests: bool = False) -> None:
        """Sets how lines look, and whether there is one per request."""
        handler = logging.StreamHandler()
        if log_format == JSON:
            handler.setFormatter(JSONFormatter())
            _lifecycle.setLevel(logging.INFO)
        else:
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        if logs_requests:
            access.setLevel(logging.INFO)
            _http.setLevel(logging.INFO)
        logging.getLogger().addHandler(handler)
        self.release(handler)

    def release(self, target: logging.Handler | None = None) -> None:
        """Passes on what was held back, to `target` or to standard error."""
        root = logging.getLogger()
        if self._held in root.handlers:
            root.removeHandler(self._held)
            self._held.setTarget(target or logging.StreamHandler())
            self._held.close()


@contextmanager
def log_output() -> Iterator[LogOutput]:
    """Holds lines back until the format is known, or the context ends."""
    opened = LogOutput()
    try:
        yield opened
    finally:
        opened.release()


def report_event(text: str, **fields: object) -> None:
    """Prints `text` for people; for programs, logs its first line with `fields`."""
    if _lifecycle.isEnabledFor(logging.INFO):
        message = text.strip().partition("\n")[0]
        if message:
            _lifecycle.info("%s", message, extra={FIELDS: fields})
    else:
        output.say(text)


def report_failure(message: str) -> None:
    """Says why the server cannot run, or runs no longer."""
    if _lifecycle.isEnabledFor(logging.INFO):
        _lifecycle.error("%s", message)
    else:
        output.complain(message)


def is_watched() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()
