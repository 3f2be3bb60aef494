"""Processes with a store that meet real limits, and, before a release, hundreds of real kills.

On every change, `test_store_crash` simulates crashes, and `test_kill` kills a whole server.
"""

import os
import random
import signal
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.records import session
from support.store import Dying, asked, ended
from support.writer import DIED

from clients_register.handlers.store.tinydb import TinyDBStore

KILLS = 300

# So many processes use one file, one after the other. A small file is compacted more often.
TOGETHER = 5

ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signal")


class Told:
    """What processes have reported as stored, by address."""

    def __init__(self) -> None:
        self.stored: dict[str, set[str]] = {}
        self.leaving: set[str] = set()

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            what, email = line.split()
            match what:
                case "leaving":
                    self.leaving.add(email)
                case "left":
                    self.leaving.discard(email)
                    self.stored[email] = {"left"}
                case _:
                    self.stored[email] = {"client", "mail", "session"}


async def missing(store: TinyDBStore, told: Told) -> list[tuple[str, str]]:
    """Returns reports that are not true: of users that are not stored, or not removed."""
    recipients = {each.recipient for each in await store.mails()}
    wrong = []
    for email, words in told.stored.items():
        if email in told.leaving:
            continue
        user = await store.user_by_email(email)
        there = {
            "client": user is not None and user.client is not None,
            "left": user is None,
            "mail": email in recipients,
            "session": await store.session(session(email, 1).digest) is not None,
        }
        wrong += [(email, word) for word in words if not there[word]]
    return wrong


async def half_written(store: TinyDBStore) -> list[object]:
    """Users without client, mail or session, and sessions without user: no process writes them."""
    users, sessions = await store.users(), await store.sessions()
    known, digests = {each.id for each in users}, {each.digest for each in sessions}
    recipients = {each.recipient for each in await store.mails()}
    return [
        *[each for each in users if each.client is None or each.email not in recipients],
        *[each for each in users if session(each.email, each.id).digest not in digests],
        *[each for each in sessions if each.user_id not in known],
    ]


@ON_POSIX
@pytest.mark.soak
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    chance, registered = random.Random(4018), 0
    for kill in range(KILLS):
        if kill % TOGETHER == 0:
            data, told = tmp_path / f"{kill}.json", Told()
        with Dying("register", data, kill) as process:
            told.read(process.lines(chance.randint(1, 150)))
            process.kill()
            told.read(process.lines())
        assert process.code == -signal.SIGKILL
        assert asked(data, partial(missing, told=told)) == []
        assert asked(data, half_written) == []
        registered += len(told.stored)
    assert registered > KILLS


@pytest.mark.smoke
@ON_POSIX
def test_a_file_that_may_not_grow_fails_the_write_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    code, lines = ended("limited", data)
    assert code == DIED
    assert lines == ["StoreUnavailable StoreUnavailable", "None 2", "0", "User"]
    users = asked(data, TinyDBStore.users)
    assert [each.email for each in users] == ["ada@x.test", "bea@x.test", "full@x.test"]


@ON_POSIX
@pytest.mark.parametrize("there", [True, False], ids=["a store", "no store"])
def test_a_directory_that_may_not_be_written_is_told_of_at_opening(*, there: bool) -> None:
    with TemporaryDirectory() as folder:
        data = Path(folder, "data.json")
        if there:
            asked(data, half_written)
        before = list(Path(folder).iterdir())
        Path(folder).chmod(0o555)
        code, lines = ended("refused", data)
        Path(folder).chmod(0o755)
        assert code == 0
        assert lines[0].startswith(f"the data file {data} cannot be opened: Permission denied;")
        assert list(Path(folder).iterdir()) == before
