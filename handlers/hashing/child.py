"""The program of a hashing process.

It reads frames, which are the length of a salt, that of a password, salt and password, and answers
each with a line: the bcrypt hash, or an empty one where bcrypt refuses the salt. An empty line says
first of all that it is ready. It ends when there is nobody any more who would write to it.
"""

import os
import sys
from collections.abc import Iterator

import bcrypt

LENGTHS = 2
CHUNK = 2**16


def frame(password: bytes, salt: bytes) -> bytes:
    """Encodes a request to hash `password`. Raises ValueError where one is over 255 bytes."""
    return bytes((len(salt), len(password))) + salt + password


def serve(source: int, sink: int) -> None:
    """Answers what comes from one file descriptor on the other, until its end."""
    os.write(sink, b"\n")
    for password, salt in _frames(source):
        os.write(sink, _hashed(password, salt) + b"\n")


def _frames(source: int) -> Iterator[tuple[bytes, bytes]]:
    rest = b""
    while arrived := os.read(source, CHUNK):
        rest += arrived
        while len(rest) >= LENGTHS and len(rest) >= (end := LENGTHS + rest[0] + rest[1]):
            begin = LENGTHS + rest[0]
            yield rest[begin:end], rest[LENGTHS:begin]
            rest = rest[end:]


def _hashed(password: bytes, salt: bytes) -> bytes:
    try:
        return bcrypt.hashpw(password, salt)
    except ValueError:
        return b""


if __name__ == "__main__":
    serve(sys.stdin.fileno(), sys.stdout.fileno())
