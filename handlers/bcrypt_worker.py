"""The program of a bcrypt worker process.

Reads requests from standard input, each consisting of the length of the salt, the length of the
password, salt and password. Writes one line per request, in order: the bcrypt hash, or an empty
line if bcrypt rejects the salt. An initial empty line signals that the process is ready. The
program ends at the end of its input.
"""

import os
import sys
from collections.abc import Iterator

import bcrypt

HEADER_BYTES = 2
CHUNK_BYTES = 2**16


def encode_request(password: bytes, salt: bytes) -> bytes:
    """Encodes a request to hash `password`. Raises ValueError if either exceeds 255 bytes."""
    return bytes((len(salt), len(password))) + salt + password


def run(source: int, sink: int) -> None:
    """Answers requests from the file descriptor `source` on `sink`, until the input ends."""
    os.write(sink, b"\n")
    for password, salt in _read_requests(source):
        os.write(sink, _hash(password, salt) + b"\n")


def _read_requests(source: int) -> Iterator[tuple[bytes, bytes]]:
    buffer = b""
    while chunk := os.read(source, CHUNK_BYTES):
        buffer += chunk
        while len(buffer) >= HEADER_BYTES:
            password_start = HEADER_BYTES + buffer[0]
            end = password_start + buffer[1]
            if len(buffer) < end:
                break
            yield buffer[password_start:end], buffer[HEADER_BYTES:password_start]
            buffer = buffer[end:]


def _hash(password: bytes, salt: bytes) -> bytes:
    try:
        return bcrypt.hashpw(password, salt)
    except ValueError:
        return b""


if __name__ == "__main__":
    run(sys.stdin.fileno(), sys.stdout.fileno())
