"""What holds of every answer, whatever was asked."""

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from clients_register.conformance.encoding import encoded
from clients_register.conformance.envelope import ABSENT, shown
from clients_register.conformance.findings import Finding, judged
from clients_register.conformance.matching import Seen, row_of, same
from clients_register.conformance.verdicts import Grade

# The keys that an envelope has only where its status carries them.
CARRIED = ("data", "session", "application", "errors")

TRACES = re.compile(
    rb"Traceback \(most recent call last\)|\n\s+at [\w.$<>]+ ?\(|^\s*File \"[^\"]+\", line \d+"
    rb"|\.rb:\d+:in |Exception in thread|goroutine \d+ \[|#\d+ /[^\s:]+\.php",
    re.MULTILINE,
)
BCRYPT = re.compile(rb"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}")

# Shorter than this, a secret may stand somewhere by chance.
MEANINGFUL = 16


def check(seen: Seen, secrets: Iterable[str], ids: set[str], *, sent: bytes) -> Iterator[Finding]:
    """Every invariant, held against one answer to `sent`.

    `secrets` are passwords that no answer may hold; `ids` the request ids of this run so far, to
    which that of this answer is added.
    """
    # A preflight is answered before the route is asked.
    if seen.answer.code != HTTPStatus.NO_CONTENT:
        yield from _media_type(seen)
        yield from _request_id(seen, ids)
    whole = seen.answer.raw_head + seen.answer.body
    yield from _discreet(whole, secrets)
    yield from bare(whole.replace(sent, b"") if sent else whole)
    if seen.answer.body or seen.document is not ABSENT:
        yield from _envelope(seen)


def _envelope(seen: Seen) -> Iterator[Finding]:
    document = seen.document
    right = isinstance(document, Mapping)
    received = shown(document) if right else repr(seen.answer.body[:200])
    yield judged("envelope", Grade.FAMILY, "a JSON object", received, right=right)
    if not right:
        return
    row = row_of(seen.slug, seen.statuses)
    known = "one of the contract's statuses"
    yield judged("status", Grade.DOCUMENTED, known, shown(seen.find("/status")), right=bool(row))
    code, told = seen.answer.code, seen.find("/code")
    yield judged("code", Grade.FAMILY, str(code), shown(told), right=same(told, code))
    if row is None:
        return
    grade = Grade(row.evidence["code"]["grade"])
    of_it = f"{row.code}, the code of {row.slug}"
    yield judged("HTTP code", grade, of_it, str(code), right=code == row.code)
    for name in CARRIED:
        found = seen.find(f"/{name}")
        if name in row.carries:
            yield judged(
                name, _carried(name, row.evidence), "something", shown(found), right=_is(found)
            )
        else:
            yield judged(name, Grade.DECIDED, repr(ABSENT), shown(found), right=found is ABSENT)


def _carried(name: str, evidence: Mapping[str, Mapping[str, str]]) -> Grade:
    return Grade(evidence.get(name, {}).get("grade", Grade.DECIDED))


def _is(found: Any) -> bool:
    return found is not ABSENT and found is not None


def _media_type(seen: Seen) -> Iterator[Finding]:
    told = seen.answer.header("Content-Type")
    right = told is not None and told.partition(";")[0].strip().lower() == "application/json"
    if seen.answer.body:
        yield judged(
            "header Content-Type", Grade.DECIDED, "application/json", str(told), right=right
        )


def _request_id(seen: Seen, ids: set[str]) -> Iterator[Finding]:
    told = seen.answer.header("X-Request-Id")
    right = bool(told) and told not in ids
    yield judged(
        "header X-Request-Id", Grade.DECIDED, "one that no other answer had", str(told), right=right
    )
    if told:
        ids.add(told)


def _discreet(whole: bytes, secrets: Iterable[str]) -> Iterator[Finding]:
    told = next((each for each in secrets if any(form in whole for form in forms(each))), None)
    received = "nothing of it" if told is None else "a password that was sent"
    yield judged("secrecy", Grade.DOCUMENTED, "no password", received, right=told is None)


def bare(own: bytes) -> Iterator[Finding]:
    """What holds of all that a server writes itself: `own` has nothing that it only echoes."""
    hashed = BCRYPT.search(own) is not None
    received = "a bcrypt hash" if hashed else "none"
    yield judged("secrecy", Grade.DOCUMENTED, "no hash of a password", received, right=not hashed)
    found = TRACES.search(own)
    received = "none" if found is None else found[0].decode("utf-8", "replace").strip()
    yield judged("discretion", Grade.DOCUMENTED, "no stack trace", received, right=found is None)


def forms(secret: str) -> list[bytes]:
    """A secret as it may stand in an answer: as such, and in base64 at each of its alignments."""
    raw = secret.encode()
    if len(raw) < MEANINGFUL:
        return []
    # Of a base64 at another alignment the first and last characters depend on what is around it.
    shifted = (encoded(b"\0" * shift + raw)[(0, 2, 3)[shift] : -4] for shift in range(3))
    return [raw, *(each.encode() for each in shifted)]
