"""Records of what callers of a world did: the request log, and the coverage of statuses.

Requests are recorded on the hot path of other people's tests and read by people, so an entry of the
log only holds references; everything else is computed when it is shown.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct
from starlette.types import Scope

from clients_register.handlers.context import Request, RequestContext
from clients_register.handlers.models import format_time
from clients_register.handlers.stub.explain import explain_response
from clients_register.handlers.stub.problems import Headers, Problem
from clients_register.spec.schema_errors import suggest
from clients_register.spec.statuses import StatusTable

# The bounds of a world's log: entries, and bytes. The logs of all worlds share `MAX_TOTAL_BYTES`.
MAX_ENTRIES = 500
MAX_BYTES = 8 * 1024 * 1024
MAX_TOTAL_BYTES = 256 * 1024 * 1024

# The size of an entry without the text of its request, in bytes.
ENTRY_SIZE = 4096

HIDDEN = "[hidden]"

# Shown in place of a number that JSON can write but a float cannot hold.
INFINITE = "[a number beyond any machine's]"
SECRETS = frozenset({"password", "token"})

# Words for sets of statuses that may be required.
ALL, COMMON = "all", "common"


class LogEntry(Struct):
    """One request and its response.

    `slug` is None if the response is a problem, `forced` says how a response was forced, `script`
    shows the item of the script it used, `forwarded_to` is the URL that an upstream answered at.
    `path` has no prefix of a world. `target` is the path and the query as they were sent, without
    that prefix, and `headers` are those of the request. `misplaced` says where the route is, if the
    request was none to it. `request` is None if the world could not be opened or the body was not
    kept, and `context` if no rules were checked. `size` is about how many bytes of memory a log
    needs for it.
    """

    id: str
    at: datetime
    method: str
    path: str
    target: bytes = b""
    headers: Headers = []
    number: int = 0
    milliseconds: float = 0
    code: int = 0
    slug: str | None = None
    forced: str | None = None
    fault: str | None = None
    script: Mapping[str, Any] | None = None
    forwarded_to: str | None = None
    misplaced: str | None = None
    client_left: bool = False
    response_headers: Headers = []
    envelope: Mapping[str, Any] | None = None
    request: Request | None = None
    context: RequestContext | None = None
    size: int = 0

    @classmethod
    def begin(cls, request_id: str, at: datetime, scope: Scope) -> "LogEntry":
        """Makes the entry of a request that has just arrived."""
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        return cls(request_id, at, scope["method"], scope["path"], target, scope["headers"])

    def release_decoded(self) -> None:
        """Frees what was decoded of the request."""
        if self.context is not None:
            self.context.release_decoded()
        elif self.request is not None:
            self.request.release_decoded()

    async def to_dict(self) -> dict[str, Any]:
        """Returns the entry as a JSON value, explained and without secrets."""
        try:
            return await self._to_dict()
        finally:
            self.release_decoded()

    async def _to_dict(self) -> dict[str, Any]:
        # Each step takes milliseconds for a large body. Others have their turn in between.
        value = self.request.content.value if self.request else None
        await asyncio.sleep(0)
        params = redact(value) if isinstance(value, dict) else None
        await asyncio.sleep(0)
        explanation = await explain_response(
            self.context, self.slug, self.forced, self.forwarded_to, self.misplaced
        )
        await asyncio.sleep(0)
        return {
            "number": self.number,
            "id": self.id,
            "at": format_time(self.at),
            "milliseconds": round(self.milliseconds, 3),
            "method": self.method,
            "path": self.path,
            "code": self.code,
            "status": self.slug,
            "forced": self.forced,
            "fault": self.fault,
            "script": self.script,
            "forwarded_to": self.forwarded_to,
            "client_left": self.client_left,
            "params": params,
            "answer": redact(dict(self.envelope or {})),
            "explanation": explanation,
        }


class RequestLog:
    """The latest entries of a world, oldest first, numbered from 1."""

    def __init__(self) -> None:
        self._entries: deque[LogEntry] = deque()
        self._count = 0
        self._size = 0
        self._max_size = MAX_BYTES

    def __iter__(self) -> Iterator[LogEntry]:
        """Oldest first."""
        return iter(self._entries)

    @property
    def count(self) -> int:
        """The number of requests so far, including those no longer in the log."""
        return self._count

    def add(self, entry: LogEntry) -> None:
        """Adds `entry`, dropping the oldest ones if the log is full."""
        self._count += 1
        entry.number = self._count
        entry.release_decoded()
        self._entries.append(entry)
        entry.size += _measure(entry)
        self._size += entry.size
        self._drop_oldest()

    def limit(self, size: int) -> None:
        """Sets the maximum size, in bytes."""
        self._max_size = size
        self._drop_oldest()

    def find(self, request_id: str) -> LogEntry | None:
        """Returns the entry whose response had that X-Request-Id."""
        return next((entry for entry in self._entries if entry.id == request_id), None)

    def clear(self) -> None:
        """Removes all entries; numbering continues."""
        self._entries.clear()
        self._size = 0

    def _drop_oldest(self) -> None:
        while len(self._entries) > MAX_ENTRIES or self._size > self._max_size:
            self._size -= self._entries.popleft().size


def _measure(entry: LogEntry) -> int:
    """Returns about how many bytes of memory an entry takes, without the body of its response."""
    headers = sum(len(name) + len(value) for name, value in entry.headers + entry.response_headers)
    body = entry.request.size if entry.request else 0
    texts = len(entry.path) + len(entry.target) + len(entry.misplaced or "")
    return ENTRY_SIZE + texts + headers + body


def redact(value: Any) -> Any:
    """Returns `value` with all members hidden whose name is that of a secret.

    Null and empty values stay: whether a password was sent is not a secret.
    """
    if isinstance(value, dict):
        return {key: _redact_member(key, member) for key, member in value.items()}
    if isinstance(value, list):
        return [redact(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return INFINITE
    return value


def _redact_member(key: str, member: Any) -> Any:
    if key.lower() in SECRETS and member is not None and member != "":
        return HIDDEN
    return redact(member)


@dataclass(slots=True)
class Coverage:
    """How often each status was returned, by slug. `natural` counts unforced responses."""

    natural: Counter[str] = field(default_factory=Counter)
    forced: Counter[str] = field(default_factory=Counter)

    def count(self, slug: str, *, forced: bool) -> None:
        """Counts one response."""
        (self.forced if forced else self.natural)[slug] += 1

    def add(self, other: "Coverage") -> None:
        """Adds the counts of `other`."""
        self.natural += other.natural
        self.forced += other.forced


def total(coverages: Iterable[Coverage]) -> Coverage:
    """Returns the sum."""
    result = Coverage()
    for coverage in coverages:
        result.add(coverage)
    return result


def summarize_coverage(
    coverage: Coverage, statuses: StatusTable, required: list[str], *, natural: bool
) -> dict[str, Any]:
    """Reports the coverage as a JSON value; `missing` lists the `required` slugs not covered.

    With `natural`, forced responses do not count. Two spellings of one status count as one.
    """
    counts = coverage.natural if natural else coverage.natural + coverage.forced
    spellings = {row.slug: row.alias_of or row.slug for row in statuses}
    met = {spellings[slug] for slug in counts if slug in spellings}
    return {
        "met": sum(original in met for original in spellings.values()),
        "of": len(spellings),
        "missing": [slug for slug in required if spellings[slug] not in met],
        "statuses": [
            {"slug": slug, "natural": coverage.natural[slug], "forced": coverage.forced[slug]}
            for slug in spellings
        ],
    }


def summarize(coverage: Coverage, statuses: StatusTable) -> str:
    """Summarizes the coverage for the terminal, when the stub stops."""
    report = summarize_coverage(coverage, statuses, [row.slug for row in statuses], natural=False)
    lines = [f"\nStatuses met: {report['met']} of {report['of']}"]
    lines += [
        f"  {row['slug']:<26} {row['natural']:>6} by the rules {row['forced']:>6} forced"
        for row in report["statuses"]
        if row["natural"] or row["forced"]
    ]
    if report["met"] and report["missing"]:
        lines.append(f"  never met: {', '.join(report['missing'])}")
    return "\n".join(lines) + "\n"


def parse_required(text: str, statuses: StatusTable) -> list[str]:
    """Parses `all`, `common`, or a list of slugs. Raises Problem for an unknown slug."""
    if text == ALL:
        return [row.slug for row in statuses]
    if text == COMMON:
        return [row.slug for row in statuses if not row.uncommon]
    known = [row.slug for row in statuses]
    slugs = [word.strip() for word in text.split(",")]
    for slug in slugs:
        if slug not in known:
            raise Problem(
                "unknown-status",
                f"require: no status is called {slug!r}",
                suggest(slug, [ALL, COMMON, *known]),
            )
    return slugs
