"""The suite's own base64 (RFC 4648, section 4), and the ways to write it that servers may meet.

Its own, so that a fault in the standard library that a server uses too would be seen.
"""

from collections.abc import Callable

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

# Characters in a line of MIME (RFC 2045, section 6.8).
LINE = 76

_URLSAFE = str.maketrans("+/", "-_")
_NO_WHITE_SPACE = str.maketrans("", "", "\t\n\v\f\r ")
_PLACES = {character: place for place, character in enumerate(ALPHABET)}


def encoded(data: bytes) -> str:
    """`data` in base64, padded, in one line."""
    pieces = []
    for start in range(0, len(data), 3):
        group = data[start : start + 3]
        number = int.from_bytes(group.ljust(3, b"\0"))
        digits = "".join(ALPHABET[number >> shift & 63] for shift in (18, 12, 6, 0))
        pieces.append(digits[: len(group) + 1].ljust(4, "="))
    return "".join(pieces)


def decoded(text: str) -> bytes | None:
    """What `text` encodes, ASCII white space aside; None where it is no base64."""
    digits = text.translate(_NO_WHITE_SPACE)
    bare = digits.rstrip("=")
    surplus = len(digits) - len(bare)
    if len(digits) % 4 or surplus > 2 or not set(bare) <= set(ALPHABET):  # noqa: PLR2004
        return None
    data = bytearray()
    for start in range(0, len(bare), 4):
        group = bare[start : start + 4]
        number = 0
        for character in group.ljust(4, "A"):
            number = number << 6 | _PLACES[character]
        data += number.to_bytes(3)[: len(group) - 1]
    return bytes(data)


def urlsafe(text: str) -> str:
    """In the alphabet of RFC 4648, section 5."""
    return text.translate(_URLSAFE)


def unpadded(text: str) -> str:
    """Without the `=` at its end."""
    return text.rstrip("=")


def padded(text: str) -> str:
    """With one `=` more than it has."""
    return text + "="


def wrapped(text: str) -> str:
    """In the lines of MIME, each with CRLF at its end."""
    return _lines(text, "\r\n")


def lf(text: str) -> str:
    """In lines as `base64` of coreutils writes them."""
    return _lines(text, "\n")


def spaced(text: str) -> str:
    """With a blank between all characters."""
    return " ".join(text)


def filled(text: str, size: int) -> str:
    """`text` with line feeds after it, up to `size` bytes. Raises ValueError where it is longer."""
    length = len(text.encode())
    if length > size:
        raise ValueError(f"expected at most {size} bytes to fill up, found {length}")
    return text + "\n" * (size - length)


def _lines(text: str, end: str) -> str:
    return end.join(text[start : start + LINE] for start in range(0, len(text), LINE)) + end


# name -> how an encoded text is written otherwise
FILTERS: dict[str, Callable[[str], str]] = {
    each.__name__: each for each in (urlsafe, unpadded, padded, wrapped, lf, spaced)
}
