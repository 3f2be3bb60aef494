"""Checks on responses: the expectations of a case, and invariants that hold for every response."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from clients_register import spec
from clients_register.conformance.case import EFFECT_KINDS, Expectation, Step
from clients_register.conformance.exchange import Exchange, RunContext
from clients_register.conformance.fuzz.params import PassedParams
from clients_register.conformance.fuzz.request_decoding import decode_request
from clients_register.conformance.fuzz.response_checks import check_as_sent
from clients_register.conformance.grades import (
    Basis,
    Grade,
    Part,
    basis_of,
    basis_of_code,
    grade_of_reading,
    load_grades,
    weakest,
)
from clients_register.conformance.http_client import HttpRequest
from clients_register.conformance.request import Values, secret_forms
from clients_register.conformance.response import (
    ABSENT,
    CODING,
    ParsedResponse,
    accepts_coding,
    same_json,
    show_value,
)
from clients_register.conformance.results import Finding, Verdict
from clients_register.spec.schemas import severity

# The envelope members that only some statuses carry.
OPTIONAL_MEMBERS = ("data", "session", "application", "errors")

# What identifies findings that differ only in what was expected, because nothing was received.
NOTHING = repr(ABSENT)

PREFLIGHT_HEADER = "access-control-request-method"

# The values of `message` in the entries of `errors`.
ERROR_MESSAGES = frozenset(severity(spec.load("openapi")))

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
# The formats of password hashes: bcrypt, crypt(3) and its modular successors, and those of Django
# and Werkzeug.
_PASSWORD_HASH = re.compile(
    rb"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}"
    rb"|\$(?:argon2(?:id|i|d)|scrypt|pbkdf2(?:-sha\d+)?|[156y7]|apr1)\$[./A-Za-z0-9=,$+-]{22,}"
    rb"|(?:pbkdf2_sha\d+|pbkdf2:sha\d+:\d+|scrypt(?::\d+)*)\$[./A-Za-z0-9=$+]{22,}"
)
_DIGESTS = ("md5", "sha1", "sha256", "sha512")


def check_responses(
    step: Step, exchanges: Sequence[Exchange], values: Values, run: RunContext
) -> Iterator[Finding]:
    """Compares the responses to the requests of a step with its expectations.

    Those about a single response are compared with the first one.
    """
    for expectation in step.expect:
        if expectation.kind == "outcomes":
            yield _check_outcomes(expectation, exchanges, run)
        elif expectation.kind == "as_sent":
            yield from _check_as_sent(expectation, exchanges, run)
        elif expectation.kind not in EFFECT_KINDS:
            yield from check_expectation(
                values.fill_expectation(expectation), run.parse(exchanges[0])
            )
    for each, exchange in zip(step.together, exchanges[1:], strict=False):
        yield from check_responses(each, [exchange], values, run)


def check_expectation(expectation: Expectation, parsed: ParsedResponse) -> list[Finding]:
    """Compares a response with one expectation whose placeholders are filled."""
    return _CHECKS[expectation.kind](expectation, parsed)


def check_invariants(
    parsed: ParsedResponse, secrets: Sequence[str], request_ids: set[str], request: HttpRequest
) -> Iterator[Finding]:
    """Checks what holds for every response, here to `request`.

    `secrets` are passwords that no response may contain. `request_ids` are those of this run so
    far; the id of this response is added.
    """
    for each in _check_every_response(parsed, secrets, request_ids, request):
        yield replace(each, every_response=True)
    preflight = _is_preflight(request) and not parsed.response.body
    row = parsed.statuses.find(parsed.slug)
    if preflight:
        # It is answered before the route is involved.
        yield _compare_codes(HTTPStatus.NO_CONTENT, parsed.response.code, basis_of(Part.PREFLIGHT))
    elif request.method != "HEAD":
        yield _check_known_status(parsed)
        if row is not None:
            yield _compare_codes(row.code, parsed.response.code, basis_of_code(row))


def _check_every_response(
    parsed: ParsedResponse, secrets: Sequence[str], request_ids: set[str], request: HttpRequest
) -> Iterator[Finding]:
    head = request.method == "HEAD"
    yield from _check_framing(parsed)
    yield from _check_body_format(parsed, request)
    if not _is_preflight(request) or parsed.response.body:
        if parsed.response.body or head:
            yield _check_media_type(parsed)
        yield _check_request_id(parsed, request_ids)
        if not head:
            yield from _check_envelope(parsed)
    received = _collect_text(parsed)
    yield _check_no_secret(received, secrets)
    yield from check_no_leak(received.replace(request.body, b"") if request.body else received)


def check_no_leak(received: bytes) -> Iterator[Finding]:
    """Checks that a server leaks no internals; `received` excludes what it only echoes."""
    hashed = _PASSWORD_HASH.search(received) is not None
    shown = "the hash of a password" if hashed else "none"
    yield Finding.of(
        "secrecy", basis_of(Part.SECRECY), "no hash of a password", shown, met=not hashed
    )
    found = _STACK_TRACE.search(received)
    shown = "none" if found is None else found[0].decode("utf-8", "replace").strip()
    yield Finding.of(
        "discretion", basis_of(Part.DISCRETION), "no stack trace", shown, met=found is None
    )


def _check_status(expectation: Expectation, parsed: ParsedResponse) -> list[Finding]:
    terms, grade = expectation.terms, expectation.grade
    expected = [terms["status"], *terms.get("also", ())]
    accepted = {each for slug in expected for each in parsed.statuses.spellings(slug)}
    row = parsed.statuses.find(parsed.slug)
    met = parsed.slug in accepted
    grade = weakest((grade, grade_of_reading(accepted, row)))
    found = parsed.describe_status()
    # Without a status, the server failed, whatever it should have said.
    root = None if parsed.slug is not None else _describe_no_status(parsed)
    findings = [Finding.of("status", grade, " or ".join(expected), found, met=met, root=root)]
    if not met:
        return findings
    assert row is not None, "all accepted slugs are documented"
    return [*findings, _compare_codes(row.code, parsed.response.code, basis_of_code(row))]


def _check_code(expectation: Expectation, parsed: ParsedResponse) -> list[Finding]:
    return [_compare_codes(expectation.terms["code"], parsed.response.code, expectation.grade)]


def _compare_codes(expected: int, received: int, basis: Grade | Basis) -> Finding:
    return Finding.of("HTTP code", basis, str(expected), str(received), met=received == expected)


def _check_errors(expectation: Expectation, parsed: ParsedResponse) -> list[Finding]:
    found, expected = parsed.find("/errors"), expectation.terms["errors"]
    entries = [(each["attr"], each["message"]) for each in expected]
    grade = load_grades().of_errors(entries, found, expectation.cause)
    met = same_json(found, expected)
    shown = show_value(expected), show_value(found)
    return [Finding.of("errors", grade, *shown, met=met, root=_root_of(found))]


def _check_errors_of(expectation: Expectation, parsed: ParsedResponse) -> list[Finding]:
    found = parsed.find("/errors")
    entries = found if isinstance(found, list) else []
    attrs = [each.get("attr") if isinstance(each, Mapping) else None for each in entries]
    expected, grade = expectation.terms["errors_of"], expectation.grade
    shown = show_value(expected)
    return [
        Finding.of("attributes in errors", grade, shown, show_value(found), met=attrs == expected)
    ]


def _check_value(expectation: Expectation, parsed: ParsedResponse) -> list[Finding]:
    terms = expectation.terms
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
        expected, met = NOTHING, found is ABSENT
    basis = load_grades().basis_of_value(
        terms,
        parsed.statuses.find(parsed.slug),
        expectation.cause,
        present=found is not ABSENT,
        is_object=isinstance(found, Mapping),
    )
    root = _root_of(found)
    return [Finding.of(pointer, basis, expected, show_value(found), met=met, root=root)]


def _check_header(expectation: Expectation, parsed: ParsedResponse) -> list[Finding]:
    terms, grade = expectation.terms, expectation.grade
    name = terms["header"]
    found = parsed.response.header(name)
    if "absent" in terms:
        expected, met = NOTHING, found is None
    else:
        expected = f"a value that matches {terms['matches']}"
        met = found is not None and re.search(terms["matches"], found) is not None
    received = NOTHING if found is None else found
    return [Finding.of(f"header {name}", grade, expected, received, met=met)]


def _check_body(expectation: Expectation, parsed: ParsedResponse) -> list[Finding]:
    size, expected = len(parsed.response.body), expectation.terms["body"]
    return [Finding.of("body", expectation.grade, expected, f"{size} bytes", met=size == 0)]


_CHECKS: Mapping[str, Callable[[Expectation, ParsedResponse], list[Finding]]] = {
    "status": _check_status,
    "code": _check_code,
    "errors": _check_errors,
    "errors_of": _check_errors_of,
    "at": _check_value,
    "header": _check_header,
    "body": _check_body,
}


def _is_preflight(request: HttpRequest) -> bool:
    names = {name.lower() for name, _ in request.headers}
    return request.method == "OPTIONS" and {"origin", PREFLIGHT_HEADER} <= names


def _root_of(found: Any) -> str | None:
    return NOTHING if found is ABSENT else None


def _check_known_status(parsed: ParsedResponse) -> Finding:
    found = parsed.find("/status")
    root = _describe_no_status(parsed) if found is ABSENT else None
    shown, known = root or show_value(found), "a status of the contract"
    met = parsed.statuses.find(parsed.slug) is not None
    return Finding.of("status", basis_of(Part.KNOWN_STATUS), known, shown, met=met, root=root)


def _describe_no_status(parsed: ParsedResponse) -> str:
    return f"HTTP {parsed.response.code} without a status"


def _check_envelope(parsed: ParsedResponse) -> Iterator[Finding]:
    document, code = parsed.document, parsed.response.code
    is_object = isinstance(document, Mapping)
    unreadable = parsed.body.unreadable
    received = f"{unreadable}: {parsed.body.text!r}" if unreadable else show_value(document)
    yield Finding.of("envelope", basis_of(Part.ENVELOPE), "a JSON object", received, met=is_object)
    if not is_object:
        return
    found = parsed.find("/code")
    basis, met, root = basis_of(Part.CODE), same_json(found, code), _root_of(found)
    yield Finding.of("code", basis, str(code), show_value(found), met=met, root=root)
    row = parsed.statuses.find(parsed.slug)
    if row is None:
        return
    for name in OPTIONAL_MEMBERS:
        found = parsed.find(f"/{name}")
        basis = load_grades().basis_of_key(name, row)
        if name in row.carries:
            expected, met = "a value", found is not ABSENT and found is not None
        else:
            expected, met = NOTHING, found is ABSENT
        yield Finding.of(name, basis, expected, show_value(found), met=met)
    errors = parsed.find("/errors")
    if "errors" in row.carries and errors is not ABSENT:
        yield from _check_error_list(errors)


def _check_error_list(errors: Any) -> Iterator[Finding]:
    """Checks the form of `errors`, whatever is in it (Q-ERRORS)."""
    entries = errors if isinstance(errors, list) else []
    met = bool(entries) and all(map(_is_error, entries))
    if met:
        attrs = [each["attr"] for each in entries]
        met = attrs == sorted(set(attrs))
    expected = "one {attr, message} per parameter, sorted, with the messages of the contract"
    yield Finding.of("form of errors", basis_of(Part.ERRORS), expected, show_value(errors), met=met)


def _is_error(entry: Any) -> bool:
    match entry:
        case {"attr": str(), "message": str(message)}:
            return message in ERROR_MESSAGES
    return False


def _check_framing(parsed: ParsedResponse) -> Iterator[Finding]:
    for each in parsed.response.framing_problems:
        yield Finding.of("HTTP framing", basis_of(Part.FRAMING), "one length", each, met=False)
    if surplus := parsed.response.surplus:
        # The caller would take them for the beginning of the next response. They are not shown,
        # because they may contain secrets in any form.
        found = f"{len(surplus)} bytes after it"
        expected = "the end of the response"
        yield Finding.of("end of the response", basis_of(Part.END), expected, found, met=False)


def _check_body_format(parsed: ParsedResponse, request: HttpRequest) -> Iterator[Finding]:
    for each in parsed.body.deviations:
        basis = basis_of(each.part)
        yield Finding.of(each.what, basis, each.expected, each.received, met=False)
    accepted = [value for name, value in request.headers if name.lower() == "accept-encoding"]
    basis = basis_of(Part.CONTENT_CODING)
    for coding in parsed.response.members("Content-Encoding"):
        expected = f"one that Accept-Encoding permits: {', '.join(accepted)}"
        if not accepts_coding(accepted, coding):
            yield Finding.of(CODING, basis, expected, coding, met=False)
        elif not accepted:
            # RFC 9110, section 12.5.3, permits any.
            expected = "any, because the request has no Accept-Encoding"
            yield Finding(Verdict.OBSERVED, basis.grade, CODING, expected, coding)


def _check_media_type(parsed: ParsedResponse) -> Finding:
    found, expected = parsed.response.header("Content-Type"), "application/json"
    met = found is not None and found.partition(";")[0].strip(" \t").lower() == expected
    met = met and len(parsed.response.values("Content-Type")) == 1
    return Finding.of("header Content-Type", basis_of(Part.HEADERS), expected, str(found), met=met)


def _check_request_id(parsed: ParsedResponse, request_ids: set[str]) -> Finding:
    values = parsed.response.values("X-Request-Id")
    met = len(values) == 1 and bool(values[0]) and values[0] not in request_ids
    found = ", ".join(values) if values else NOTHING
    expected = "one id that no other response had"
    request_ids.update(values)
    return Finding.of("header X-Request-Id", basis_of(Part.HEADERS), expected, found, met=met)


def _collect_text(parsed: ParsedResponse) -> bytes:
    """Returns all text of a response: as received, and without codings and JSON's escapes."""
    response, body = parsed.response, parsed.body
    texts = [response.raw_head, response.body]
    if response.body != body.content:
        texts.append(body.content)
    texts += (each.encode() for each in (body.text, *_list_strings(body.document)))
    return b"\n".join(texts)


def _list_strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield name
            yield from _list_strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _list_strings(each)


def _check_no_secret(received: bytes, secrets: Iterable[str]) -> Finding:
    forms = {form for secret in secrets for form in (*secret_forms(secret), *_digests(secret))}
    leaked = any(form in received for form in forms)
    found = "a password that was sent, or its digest" if leaked else "none"
    return Finding.of("secrecy", basis_of(Part.SECRECY), "no password", found, met=not leaked)


def _digests(secret: str) -> Iterator[bytes]:
    """Yields the unsalted hashes of a secret, unless it is too short to search for."""
    if secret_forms(secret):
        for name in _DIGESTS:
            digest = hashlib.new(name, secret.encode(), usedforsecurity=False).hexdigest()
            yield digest.encode()


def _check_outcomes(
    expectation: Expectation, exchanges: Sequence[Exchange], run: RunContext
) -> Finding:
    counts = Counter(run.parse(each).slug for each in exchanges)
    expected = expectation.terms["outcomes"]
    met = counts.total() == sum(expected.values()) and all(
        sum(counts[each] for each in run.statuses.spellings(slug)) == count
        for slug, count in expected.items()
    )
    found = dict(sorted((str(slug), count) for slug, count in counts.items()))
    return Finding.of("outcomes", expectation.grade, str(expected), str(found), met=met)


def _check_as_sent(
    expectation: Expectation, exchanges: Sequence[Exchange], run: RunContext
) -> Iterator[Finding]:
    missed = False
    for exchange in exchanges:
        parsed = run.parse(exchange)
        if parsed.slug in run.statuses.spellings(run.statuses.success.slug):
            sent = exchange.sent
            assert sent is not None, "each request of a case is recorded"
            params = PassedParams(decode_request(sent.headers, sent.body).value)
            for miss in check_as_sent(params, {}, expectation.cause, parsed):
                missed = True
                yield miss
    if not missed:
        yield Finding.of("success", expectation.grade, "as sent", "as sent", met=True)
