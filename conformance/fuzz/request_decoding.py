"""Decodes a request as the contract demands: route, media type, base64, JSON.

A request violates rules of `x-statuses`, and raises questions that the owner's page leaves open;
both determine the grade of its response.
"""

import re
from base64 import b64encode
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from clients_register import spec
from clients_register.conformance.fuzz.world_model import WHITE_SPACE
from clients_register.conformance.grades import Grade, load_grades
from clients_register.conformance.http_client import HttpRequest
from clients_register.conformance.strict_json import Document, NotJson, parse_json
from clients_register.spec.schemas import media_type

# Bytes of a raw body that a server accepts by default (Q-BODY-LIMIT).
BODY_LIMIT = 65_536

# Nesting that every server accepts (start) and that every server refuses (stop).
DEPTH = range(64, 1025)

MEDIA_TYPE = media_type(spec.load("openapi"))

# What any server handles: larger bodies, and numbers of more digits, rest on our limits.
ORDINARY_BODY = 16_384
ORDINARY_DIGITS = 15

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_DIGITS = {sign: value for value, sign in enumerate(_ALPHABET)}
_GROUP = 4
_BYTE = 8

# Headers that say what the body is.
DESCRIBING_HEADERS = ("content-type", "content-encoding")

# The media range of a caller that accepts everything.
MEDIA_RANGE = "*/*"

# Escapes of JSON that some parsers handle differently, and white space between its tokens.
_UNUSUAL_JSON = re.compile(rb"\\[u\\]|[\t\r\n]")

# Headers that may name a token, which the route ignores.
_TOKEN_HEADERS = re.compile("authorization|cookie|.*token.*", re.IGNORECASE)


@dataclass(frozen=True)
class BrokenRule:
    """A rule of `x-statuses` that a request violates.

    `attr` and `message` are its entry in `errors`, if its status lists any. `question` is the open
    question on whose answer the rule rests; correct servers may differ about a rule that is
    `uncertain`.
    """

    rule: str
    attr: str | None = None
    message: str | None = None
    question: str | None = None
    uncertain: bool = False

    @property
    def grade(self) -> Grade:
        """The evidence for the rule."""
        grades = load_grades()
        if self.attr is not None and self.message is not None:
            return grades.of_error(self.attr, self.message)
        return grades.of_causes([self.question] if self.question else [])


@dataclass(frozen=True)
class DecodedRequest:
    """The JSON value of a request, and the rules that it violates on the way there.

    `questions` are those that it raises, whatever rules it violates.
    """

    broken: tuple[BrokenRule, ...]
    value: Any = None
    questions: frozenset[str] = frozenset()


def check_route(request: HttpRequest, route: str) -> tuple[list[BrokenRule], set[str]]:
    """Returns the rules of routing that a request violates, and the questions that it raises."""
    path, _, query = request.target.partition("?")
    broken = []
    if path != route:
        near = unquote(path).rstrip("/").lower() == route.lower()
        question = "Q-PATH-DETAIL" if near else None
        broken.append(BrokenRule("route_exists", question=question))
    if request.method != "POST":
        broken.append(BrokenRule("route_exists", question="Q-METHOD"))
    return broken, {"Q-PATH-DETAIL"} if query else set()


def decode_request(
    headers: Sequence[tuple[str, str]],
    body: bytes,
    *,
    chunked: bool = False,
    own: Collection[str] = (),
) -> DecodedRequest:
    """Decodes a request with these headers and this raw body.

    `own` are the names of headers that the target wants, which raise no question.
    """
    broken = [*_find_content_type(headers)]
    others = [each for each in headers if each[0] not in own]
    questions = {*_find_questions_of_headers(others)}
    described = [value for name, value in headers if name.lower() in DESCRIBING_HEADERS]
    if not broken and described != [MEDIA_TYPE]:
        questions.add("Q-MEDIA-TYPE")
    if chunked or len(body) > ORDINARY_BODY:
        questions.add("Q-BODY-LIMIT")
    if len(body) > BODY_LIMIT:
        broken.append(BrokenRule("body_is_within_the_limit", question="Q-BODY-LIMIT"))

    def decoded(*more: BrokenRule, value: Any = None) -> DecodedRequest:
        return DecodedRequest((*broken, *more), value, frozenset(questions))

    packed = body.translate(None, delete=WHITE_SPACE.encode())
    if not packed:
        return decoded(BrokenRule("params_are_passed", question="Q-NO-PARAMS"))
    content = decode_base64(packed)
    if content is None:
        # Unencoded JSON is no base64 to any decoder; about the rest they differ.
        question = None if _is_json_object(body) else "Q-BASE64-DETAIL"
        return decoded(BrokenRule("body_is_base64", question=question))
    if packed != body or b64encode(content) != packed:
        questions.add("Q-BASE64-DETAIL")
    try:
        document = parse_json(content)
    except NotJson:
        return decoded(BrokenRule("body_is_json", question="Q-JSON-DETAIL"))
    if document.depth >= DEPTH.stop:
        broken.append(BrokenRule("body_is_json", question="Q-JSON-DETAIL"))
    elif document.depth > DEPTH.start:
        broken.append(BrokenRule("body_is_json", question="Q-JSON-DETAIL", uncertain=True))
    if _is_unusual_json(document, content):
        questions.add("Q-JSON-DETAIL")
    if not isinstance(document.value, dict) or not document.value:
        broken.append(BrokenRule("params_are_passed", question="Q-NO-PARAMS"))
    return decoded(value=document.value)


def decode_base64(packed: bytes) -> bytes | None:
    """Decodes base64 without white space (RFC 4648, section 4); None if it is invalid.

    Independent of the standard library, whose decoder is lenient.
    """
    digits = packed.rstrip(b"=")
    pads = len(packed) - len(digits)
    if len(packed) % _GROUP or pads > 2:  # noqa: PLR2004 - a group encodes at least one byte
        return None
    content = bytearray()
    buffered = bits = 0
    for sign in digits:
        if sign not in _DIGITS:
            return None
        buffered = (buffered << 6 | _DIGITS[sign]) & 0xFFFF
        bits += 6
        if bits >= _BYTE:
            bits -= _BYTE
            content.append(buffered >> bits & 0xFF)
    return bytes(content)


def _find_content_type(headers: Sequence[tuple[str, str]]) -> Iterator[BrokenRule]:
    types = [value for name, value in headers if name.lower() == "content-type"]
    codings = [value for name, value in headers if name.lower() == "content-encoding"]
    if len(types) > 1 or len(codings) > 1:
        # The meaning of repeated headers is open.
        yield BrokenRule("content_type_is_accepted", question="Q-MEDIA-TYPE", uncertain=True)
        return
    declared = types[0].partition(";")[0].strip(WHITE_SPACE).lower() if types else ""
    coding = codings[0].strip(WHITE_SPACE).lower() if codings else ""
    if declared != MEDIA_TYPE or coding not in ("", "identity"):
        question = None if declared and declared != MEDIA_TYPE else "Q-MEDIA-TYPE"
        yield BrokenRule("content_type_is_accepted", question=question)


def _find_questions_of_headers(headers: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, value in headers:
        match name.lower():
            case "accept" if MEDIA_RANGE not in value:
                yield "Q-HEADERS"
            case "accept-encoding" if "q=0" in value:
                yield "Q-HEADERS"
            case "x-request-id":
                yield "Q-HEADERS"
        if _TOKEN_HEADERS.fullmatch(name):
            yield "Q-TOKEN"


def _is_json_object(body: bytes) -> bool:
    try:
        return isinstance(parse_json(body).value, dict)
    except NotJson:
        return False


def _is_unusual_json(document: Document, content: bytes) -> bool:
    opened = content.count(b"[") + content.count(b"{")
    return (
        document.repeated is not None
        or opened > DEPTH.start
        or _UNUSUAL_JSON.search(content) is not None
        or any(map(_is_unusual_number, _list_numbers(document.value)))
    )


def _list_numbers(value: Any) -> Iterator[float]:
    """Yields the numbers in a JSON value, apart from the id of a company, which may be any."""
    waiting = [("", value)]
    while waiting:
        name, each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.items()
        elif isinstance(each, list):
            waiting += (("", member) for member in each)
        elif isinstance(each, int | float) and name != "company_id":
            yield each


def _is_unusual_number(number: float) -> bool:
    return isinstance(number, float) or abs(number) >= 10**ORDINARY_DIGITS
