"""Snapshots: TinyDB files, one line per document, with a generation and a checksum at the end.

    {
    "users": {
    "7": {...}
    },
    "_generation": {
    "1": {"generation": 7, "crc32": "9c25d1f0"}
    }
    }

The checksum covers all bytes before the table `_generation`, and the generation. Each single
flipped bit of such a file is detected. Plain TinyDB keeps the table as it is, but writes another
layout, in which the checksum is not compared; in a file that it created, the table is missing, and
the generation is the first one. Someone who edits a file by hand has to remove `crc32`.
"""

from collections.abc import Iterable, Iterator, Mapping
from zlib import crc32

import msgspec

from clients_register.handlers.store.journaled.journal import Documents, decode_tables

# The table that holds the generation of a snapshot and its checksum, in document 1.
GENERATION = "_generation"

# Generations are below this number, and so is the length of the names of journals.
MAX_GENERATION = 10**19

_BEGIN = b'{\n"'
_LAST_TABLE = b'"%b": {' % GENERATION.encode()


class WrongChecksum(ValueError):
    """The content of a snapshot is not what was written."""


def encode_snapshot(tables: Mapping[str, Documents], generation: int) -> Iterator[bytes]:
    """Yields a snapshot in parts, one per document."""
    checksum = 0
    for part in _encode_tables(tables):
        checksum = crc32(part, checksum)
        yield part
    checksum = crc32(b"%d" % generation, checksum)
    yield b'%b\n"1": {"generation": %d, "crc32": "%08x"}\n}\n}\n' % (
        _LAST_TABLE,
        generation,
        checksum,
    )


def decode_snapshot(content: bytes) -> tuple[dict[str, Documents], int]:
    """Returns the tables of a snapshot, and its generation.

    Raises InvalidJSON, WrongChecksum, or ValueError for a file that is no snapshot.
    """
    tables = decode_tables(content)
    is_own_layout = content.startswith(_BEGIN)
    if is_own_layout and GENERATION not in tables:
        raise WrongChecksum(f"expected the table {GENERATION} at its end, found none")
    generation, checksum = _decode_last_table(tables.pop(GENERATION, {}))
    if checksum is not None and is_own_layout:
        covered = content[: content.rfind(_LAST_TABLE)]
        found = f"{crc32(b'%d' % generation, crc32(covered)):08x}"
        if found != checksum:
            raise WrongChecksum(f"expected the checksum {checksum!a:.12}, found {found}")
    return tables, generation


def _encode_tables(tables: Mapping[str, Documents]) -> Iterator[bytes]:
    """Yields one line per document: readable, and as fast as encoding without indentation."""
    yield b"{\n"
    for name, documents in tables.items():
        yield b"%b: {" % msgspec.json.encode(name)
        yield from _encode_documents(documents.items())
        yield b"\n},\n"


def _encode_documents(documents: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    before = b"\n"
    for doc_id, document in documents:
        yield b'%b"%d": %b' % (before, doc_id, document)
        before = b",\n"


def _decode_last_table(documents: Documents) -> tuple[int, str | None]:
    if not documents:
        return 1, None
    found = msgspec.json.decode(documents.get(1, b"{}"))
    generation, checksum = found.pop("generation", None), found.pop("crc32", None)
    if type(generation) is not int or not 0 < generation < MAX_GENERATION:
        raise ValueError(
            f"{GENERATION}.1.generation: expected a positive integer, found something else"
        )
    if found or len(documents) > 1 or not isinstance(checksum, str | None):
        raise ValueError(
            f"{GENERATION}.1: expected a generation and a checksum, found something else"
        )
    return generation, checksum
