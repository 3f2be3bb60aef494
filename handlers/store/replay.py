"""Reading a journal. Its last line may be torn; anything else that does not fit is damage."""

import json
import re
from zlib import crc32

from clients_register.handlers.store import changes
from clients_register.handlers.store.contents import Contents
from clients_register.handlers.store.documents import Misfit
from clients_register.handlers.store.journal import FORMAT, Valid, first_line

_LINE = re.compile(rb'\{"crc32": "([0-9a-f]{8})", "changes": \[(.*)\]\}', re.DOTALL)


class DamagedJournal(ValueError):
    """A journal cannot be believed; the message says where, what was expected and found."""


def replay(journal: bytes, generation: int, contents: Contents) -> Valid:
    """Makes the changes of `journal`, the content of one, in `contents`.

    The last line is skipped if it is torn: it has no end, or zeros in it, of which JSON has none.
    Its write was interrupted, so it was never acknowledged. Raises DamagedJournal.
    """
    lines = journal.split(b"\n")
    torn = lines.pop()
    if lines and not torn and b"\0" in lines[-1]:
        torn = lines.pop() + b"\n"
    end = checksum = 0
    for number, line in enumerate(lines, start=1):
        where = f"line {number}, at byte {end}"
        if number == 1:
            checksum = _head(line, generation, where)
        else:
            checksum = _replay_line(line, checksum, contents, where)
        end += len(line) + 1
    # The first write is two lines.
    begin = end - sum(len(line) + 1 for line in lines[-2:])
    return Valid(end, checksum, journal[begin:end], len(torn))


def _head(line: bytes, generation: int, where: str) -> int:
    expected = first_line(generation)
    if line + b"\n" != expected:
        found = _generation(line)
        what = "something else" if found is None else f"one of generation {found}"
        raise DamagedJournal(
            f"{where}: expected the head of a journal of generation {generation}, found {what}"
        )
    return crc32(expected)


def _generation(line: bytes) -> object:
    try:
        head = json.loads(line)
        return head["generation"] if head["format"] == FORMAT else None
    except (ValueError, RecursionError, LookupError, TypeError):
        return None


def _replay_line(line: bytes, before: int, contents: Contents, where: str) -> int:
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise DamagedJournal(f"{where}: expected changes and a checksum, found something else")
    checksum = crc32(parts[2], before)
    if checksum != int(parts[1], 16):
        raise DamagedJournal(
            f"{where}: expected what has the checksum {parts[1].decode()}, found {checksum:08x}"
        )
    try:
        for change in changes.read(b"[%b]" % parts[2]):
            changes.replay(change, contents)
    except Misfit as error:
        raise DamagedJournal(f"{where}: {error}") from None
    except (ValueError, RecursionError):
        raise DamagedJournal(f"{where}: expected JSON, found something else") from None
    return checksum
