"""The suite's own base64 (RFC 4648, section 4), and the ways to write it that servers may meet.

Its own, so that a fault in the standard library that a server uses too would be seen.
"""

from collections.abc import Callable

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

# Characters in a line of MIME (RFC 2045, section 6.8).
LINE = 76

_URLSAFE = str.maketrans("+/", "-_")


def encoded(data: bytes) -> str:
    """`data` in base64, padded, in one line."""
    pieces = []
    for start in range(0, len(data), 3):
        group = data[start : start + 3]
        number = int.from_bytes(group.ljust(3, b"\0"))
        digits = "".join(ALPHABET[number >> shift & 63] for shift in (18, 12, 6, 0))
        pieces.append(digits[: len(group) + 1].ljust(4, "="))
    return "".join(pieces)


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
