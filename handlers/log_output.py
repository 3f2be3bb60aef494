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

# One line per request, if enabled.
access = logging.getLogger("clients_register.access")
# What happens to the server as a whole. As text, it is printed instead.
_lifecycle = logging.getLogger("clients_register.lifecycle")

# Levels of their own, so that they do not depend on that of the root logger.
for _logger in (access, _lifecycle):
    _logger.setLevel(logging.WARNING)


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
        # Without a target it keeps every record.
        self._held = MemoryHandler(capacity=0)
        self._handler: logging.Handler | None = None
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
        self._handler = handler
        logging.getLogger().addHandler(handler)
        self._release(handler)

    def release(self) -> None:
        """Writes what is still held back, as text."""
        self._release(logging.StreamHandler())

    def close(self) -> None:
        """Leaves logging as it was before."""
        self.release()
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
        for logger in (access, _lifecycle):
            logger.setLevel(logging.WARNING)

    def _release(self, target: logging.Handler) -> None:
        """Passes what was held back on to `target`."""
        logging.getLogger().removeHandler(self._held)
        self._held.setTarget(target)
        self._held.close()


@contextmanager
def log_output() -> Iterator[LogOutput]:
    """Holds lines back until the format is known, or the context ends."""
    opened = LogOutput()
    try:
        yield opened
    finally:
        opened.close()


def report_event(
    message: str, text: str | None = None, *, level: int = logging.INFO, **fields: object
) -> None:
    """Prints `text`, or else `message`, for people; for programs, logs `message` with `fields`."""
    if _lifecycle.isEnabledFor(logging.INFO):
        _lifecycle.log(level, "%s", message, extra={FIELDS: fields})
    else:
        output.say(f"{message}\n" if text is None else text)


def report_failure(message: str) -> None:
    """Says why the server cannot run, or runs no longer."""
    if _lifecycle.isEnabledFor(logging.INFO):
        _lifecycle.error("%s", message)
    else:
        output.complain(message)


def is_watched() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()
