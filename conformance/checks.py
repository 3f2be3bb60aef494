"""Checks on a response: the expectations of a case, and invariants that hold for every response."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from clients_register.conformance.case import Expectation, Grade, weakest
from clients_register.conformance.envelope import (
    ABSENT,
    ParsedResponse,
    same_json,
    show_value,
)
from clients_register.conformance.request import secret_forms
from clients_register.conformance.results import Finding

# The envelope members that only some statuses carry.
OPTIONAL_MEMBERS = ("data", "session", "application", "errors")

# Characters of a body without a status that a finding shows.
MAX_EXCERPT = 200

TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}

_STACK_TRACE = re.compile(
    rb"Traceback \(most recent call last\)|\n\s+at [\w.$<>]+ ?\(|^\s*File \"[^\"]+\", line \d+"
    rb"|\.rb:\d+:in |Exception in thread|goroutine \d+ \[|#\d+ /[^\s:]+\.php",
    re.MULTILINE,
)
_BCRYPT_HASH = re.compile(rb"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}")

Terms = Mapping[str, Any]


def check_expectation(expectation: Expectation, parsed: ParsedResponse) -> list[Finding]:
    """Compares a response with one expectation whose placeholders are filled."""
    return _CHECKS[expectation.kind](expectation.terms, expectation.grade, parsed)


def check_invariants(
    parsed: ParsedResponse, secrets: Iterable[str], request_ids: set[str], *, sent: bytes
) -> Iterator[Finding]:
    """Checks what holds for every response, here to a request with the body `sent`.

    `secrets` are passwords that no response may contain. `request_ids` are those of this run so
    far; the id of this response is added.
    """
    # A preflight is answered before the route is involved.
    if parsed.response.code != HTTPStatus.NO_CONTENT:
        yield from _check_media_type(parsed)
        yield from _check_request_id(parsed, request_ids)
    received = parsed.response.raw_head + parsed.response.body
    yield _check_no_secret(received, secrets)
    yield from check_no_leak(received.replace(sent, b"") if sent else received)
    if parsed.response.body or parsed.document is not ABSENT:
        yield from _check_envelope(parsed)


def check_no_leak(received: bytes) -> Iterator[Finding]:
    """Checks that a server leaks no internals; `received` excludes what it only echoes."""
    hashed = _BCRYPT_HASH.search(received) is not None
    shown = "a bcrypt hash" if hashed else "none"
    yield Finding.of("secrecy", Grade.DOCUMENTED, "no hash of a password", shown, met=not hashed)
    found = _STACK_TRACE.search(received)
    shown = "none" if found is None else found[0].decode("utf-8", "replace").strip()
    yield Finding.of("discretion", Grade.DOCUMENTED, "no stack trace", shown, met=found is None)


def _check_status(terms: Terms, grade: Grade, parsed: ParsedResponse) -> list[Finding]:
    expected = [terms["status"], *terms.get("also", ())]
    accepted = {each for slug in expected for each in parsed.statuses.spellings(slug)}
    slug = parsed.slug
    met = slug in accepted
    findings = [Finding.of("status", grade, " or ".join(expected), _describe(parsed), met=met)]
    if not met:
        return findings
    row = parsed.statuses.find(slug)
    assert row is not None, "all accepted slugs are documented"
    code_grade = weakest((grade, Grade(row.evidence["code"]["grade"])))
    code = parsed.response.code
    return [*findings, _compare_codes(row.code, code, code_grade)]


def _check_code(terms: Terms, grade: Grade, parsed: ParsedResponse) -> list[Finding]:
    return [_compare_codes(terms["code"], parsed.response.code, grade)]


def _compare_codes(expected: int, received: int, grade: Grade) -> Finding:
    return Finding.of("HTTP code", grade, str(expected), str(received), met=received == expected)


def _check_errors(terms: Terms, grade: Grade, parsed: ParsedResponse) -> list[Finding]:
    found, expected = parsed.find("/errors"), terms["errors"]
    met = same_json(found, expected)
    return [Finding.of("errors", grade, show_value(expected), show_value(found), met=met)]


def _check_errors_of(terms: Terms, grade: Grade, parsed: ParsedResponse) -> list[Finding]:
    found = parsed.find("/errors")
    entries = found if isinstance(found, list) else []
    attrs = [each.get("attr") if isinstance(each, Mapping) else None for each in entries]
    expected = terms["errors_of"]
    shown = show_value(expected)
    return [
        Finding.of("attributes in errors", grade, shown, show_value(found), met=attrs == expected)
    ]


def _check_value(terms: Terms, grade: Grade, parsed: ParsedResponse) -> list[Finding]:
    pointer = terms["at"]
    found = parsed.find(pointer)
    if "is" in terms:
        expected, met = show_value(terms["is"]), same_json(found, terms["is"])
    elif "matches" in terms:
        expected = f"a string that matches {terms['matches']}"
        met = isinstance(found, str) and re.search(terms["matches"], found) is not None
    elif "type" in terms:
        expected, met = f"the type {terms['type']}", TYPES[terms["type"]](found)
    elif "keys" in terms:
        expected = f"an object with {', '.join(sorted(terms['keys']))}"
        met = isinstance(found, Mapping) and set(found) == set(terms["keys"])
    else:
        expected, met = repr(ABSENT), found is ABSENT
    return [Finding.of(pointer, grade, expected, show_value(found), met=met)]


def _check_header(terms: Terms, grade: Grade, parsed: ParsedResponse) -> list[Finding]:
    name = terms["header"]
    found = parsed.response.header(name)
    if "absent" in terms:
        expected, met = repr(ABSENT), found is None
    else:
        expected = f"a value that matches {terms['matches']}"
        met = found is not None and re.search(terms["matches"], found) is not None
    received = repr(ABSENT) if found is None else found
    return [Finding.of(f"header {name}", grade, expected, received, met=met)]


def _check_body(terms: Terms, grade: Grade, parsed: ParsedResponse) -> list[Finding]:
    size = len(parsed.response.body)
    return [Finding.of("body", grade, terms["body"], f"{size} bytes", met=size == 0)]


_CHECKS: Mapping[str, Callable[[Terms, Grade, ParsedResponse], list[Finding]]] = {
    "status": _check_status,
    "code": _check_code,
    "errors": _check_errors,
    "errors_of": _check_errors_of,
    "at": _check_value,
    "header": _check_header,
    "body": _check_body,
}


def _describe(parsed: ParsedResponse) -> str:
    """Returns the status of a response, or what it has instead."""
    if parsed.slug is not None:
        return parsed.slug
    excerpt = parsed.response.body[:MAX_EXCERPT].decode("utf-8", "replace")
    return f"HTTP {parsed.response.code} without a status: {excerpt!r}"


def _check_envelope(parsed: ParsedResponse) -> Iterator[Finding]:
    document, code = parsed.document, parsed.response.code
    is_object = isinstance(document, Mapping)
    received = show_value(document) if is_object else repr(parsed.response.body[:MAX_EXCERPT])
    yield Finding.of("envelope", Grade.FAMILY, "a JSON object", received, met=is_object)
    if not is_object:
        return
    row = parsed.statuses.find(parsed.slug)
    status = show_value(parsed.find("/status"))
    known = "a status of the contract"
    yield Finding.of("status", Grade.DOCUMENTED, known, status, met=row is not None)
    found = parsed.find("/code")
    met = same_json(found, code)
    yield Finding.of("code", Grade.FAMILY, str(code), show_value(found), met=met)
    if row is None:
        return
    grade = Grade(row.evidence["code"]["grade"])
    expected = f"{row.code}, the code of {row.slug}"
    yield Finding.of("HTTP code", grade, expected, str(code), met=code == row.code)
    for name in OPTIONAL_MEMBERS:
        found = parsed.find(f"/{name}")
        if name in row.carries:
            grade = Grade(row.evidence.get(name, {}).get("grade", Grade.DECIDED))
            expected, met = "a value", found is not ABSENT and found is not None
        else:
            grade, expected, met = Grade.DECIDED, repr(ABSENT), found is ABSENT
        yield Finding.of(name, grade, expected, show_value(found), met=met)


def _check_media_type(parsed: ParsedResponse) -> Iterator[Finding]:
    if not parsed.response.body:
        return
    found, expected = parsed.response.header("Content-Type"), "application/json"
    met = found is not None and found.partition(";")[0].strip().lower() == expected
    yield Finding.of("header Content-Type", Grade.DECIDED, expected, str(found), met=met)


def _check_request_id(parsed: ParsedResponse, request_ids: set[str]) -> Iterator[Finding]:
    found = parsed.response.header("X-Request-Id")
    met = bool(found) and found not in request_ids
    expected = "an id that no other response had"
    yield Finding.of("header X-Request-Id", Grade.DECIDED, expected, str(found), met=met)
    if found:
        request_ids.add(found)


def _check_no_secret(received: bytes, secrets: Iterable[str]) -> Finding:
    leaked = any(form in received for secret in secrets for form in secret_forms(secret))
    found = "a password that was sent" if leaked else "none"
    return Finding.of("secrecy", Grade.DOCUMENTED, "no password", found, met=not leaked)
