"""What a request says, as the contract reads it: the media type, the base64, the JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clients_register import spec
from clients_register.conformance.encoding import ALPHABET
from clients_register.conformance.fuzzing import rfc8259
from clients_register.conformance.fuzzing.addresses import SPACE
from clients_register.conformance.fuzzing.world import Fault
from clients_register.conformance.verdicts import Grade
from clients_register.spec.schemas import media_type

MEDIA_TYPE = media_type(spec.load("openapi"))
SPACE_BYTES = SPACE.encode()

# Bytes of a raw body that a server accepts, unless told otherwise (Q-BODY-LIMIT).
BODY_LIMIT = 65_536

# Arrays and objects open at once: as many every server accepts, more than that every one refuses.
DEPTH = range(64, 1025)

_DIGITS = {sign: place for place, sign in enumerate(ALPHABET.encode())}
_PAD = ord("=")
_GROUP = 4


@dataclass(frozen=True)
class Reading:
    """The faults of a request down to its JSON, and the value of that, if there is one.

    `plain`: nothing about it is a detail of which only we say how it is read.
    """

    faults: tuple[Fault, ...]
    value: Any = None
    plain: bool = False


def read(headers: Sequence[tuple[str, str]], body: bytes) -> Reading:
    """What a request with these headers and this raw body says."""
    faults = [*_type(headers)]
    if len(body) > BODY_LIMIT:
        faults.append(Fault("body_is_within_the_limit"))
    packed = body.translate(None, delete=SPACE_BYTES)
    if not packed:
        return Reading((*faults, Fault("params_are_passed")))
    content = unpacked(packed)
    if content is None:
        return Reading((*faults, Fault("body_is_base64")))
    try:
        document = rfc8259.parse(content)
    except rfc8259.NotJSON:
        return Reading((*faults, Fault("body_is_json")))
    if document.depth >= DEPTH.stop:
        faults.append(Fault("body_is_json"))
    elif document.depth > DEPTH.start:
        faults.append(Fault("body_is_json", doubtful=True))
    if not isinstance(document.value, dict) or not document.value:
        faults.append(Fault("params_are_passed"))
    plain = packed == body and _plain_type(headers)
    return Reading(tuple(faults), document.value, plain)


def unpacked(packed: bytes) -> bytes | None:
    """What base64 without white space holds (RFC 4648, section 4); None where it is none."""
    digits = packed.rstrip(b"=")
    pads = len(packed) - len(digits)
    if len(packed) % _GROUP or pads > 2:  # noqa: PLR2004 - a group of four holds a byte at least
        return None
    content = bytearray()
    buffered = bits = 0
    for sign in digits:
        if sign not in _DIGITS:
            return None
        buffered = (buffered << 6 | _DIGITS[sign]) & 0xFFFF
        bits += 6
        if bits >= 8:  # noqa: PLR2004 - of a byte
            bits -= 8
            content.append(buffered >> bits & 0xFF)
    return bytes(content)


def _type(headers: Sequence[tuple[str, str]]) -> list[Fault]:
    types = [value for name, value in headers if name.lower() == "content-type"]
    codings = [value for name, value in headers if name.lower() == "content-encoding"]
    if len(types) > 1 or len(codings) > 1:
        # What repeated headers mean is free.
        return [Fault("content_type_is_accepted", doubtful=True)]
    declared = types[0].partition(";")[0].strip(SPACE).lower() if types else ""
    coding = codings[0].strip(SPACE).lower() if codings else ""
    if declared == MEDIA_TYPE and coding in ("", "identity"):
        return []
    grade = Grade.DOCUMENTED if declared and declared != MEDIA_TYPE else Grade.DECIDED
    return [Fault("content_type_is_accepted", grade=grade)]


def _plain_type(headers: Sequence[tuple[str, str]]) -> bool:
    return [value for name, value in headers if name.lower().startswith("content-")] == [MEDIA_TYPE]
