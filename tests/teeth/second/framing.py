"""The body of a request, by its length or in chunks (RFC 9112, sections 6 and 7)."""

from email.message import Message
from io import BufferedIOBase

# The size that the contract requires every server to accept, in bytes after transfer coding.
MAX_BODY = 65_536

# A line that gives the length of a chunk, or a trailer, in bytes.
_MAX_LINE = 8192


class BadFraming(Exception):
    """The request is no proper HTTP; the message says what was expected."""


class TooLarge(Exception):
    """The body is over the limit, by its own word or as found; the rest was not read."""


def body(headers: Message, stream: BufferedIOBase) -> bytes:
    """The whole body; empty if there is none.

    Raises TooLarge, BadFraming, and OSError if the caller goes away.
    """
    codings = [str(value).strip().lower() for value in headers.get_all("Transfer-Encoding", [])]
    if codings == ["chunked"]:
        return _chunks(stream)
    if codings:
        raise BadFraming(f"expected no transfer coding but chunked, found {', '.join(codings)}")
    lengths = {str(value).strip() for value in headers.get_all("Content-Length", ["0"])}
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdecimal()) or len(length) > _MAX_LINE:
        raise BadFraming("expected one Content-Length, in decimal digits")
    if len(length.lstrip("0")) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
        raise TooLarge
    return _exactly(stream, int(length))


def _chunks(stream: BufferedIOBase) -> bytes:
    found = bytearray()
    while size := _size(_line(stream)):
        if len(found) + size > MAX_BODY:
            raise TooLarge
        found += _exactly(stream, size)
        if _line(stream):
            raise BadFraming("expected the end of a line after a chunk")
    while _line(stream):
        pass  # trailers say nothing here
    return bytes(found)


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip(b"\t ")
    if not digits or digits.strip(b"0123456789ABCDEFabcdef"):
        raise BadFraming("expected the size of a chunk, in hexadecimal digits")
    return int(digits, 16)


def _line(stream: BufferedIOBase) -> bytes:
    line = stream.readline(_MAX_LINE)
    if not line:
        raise ConnectionAbortedError("the caller went away within a chunked body")
    if not line.endswith(b"\n"):
        raise BadFraming(f"expected a line of at most {_MAX_LINE} bytes")
    return line.rstrip(b"\r\n")


def _exactly(stream: BufferedIOBase, length: int) -> bytes:
    found = stream.read(length)
    if len(found) < length:
        raise ConnectionAbortedError("the caller went away before the end of the body")
    return found
