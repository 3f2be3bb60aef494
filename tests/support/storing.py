"""A process that writes to a store, to be killed: `python -m support.storing MODE DATA ...`.

It says on standard output what it was told is stored, a line each, and nothing before it was told.
"""

import asyncio
import math
import os
import random
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

from support.people import about_to_register, enrolled, mail, registered, session
from support.process import PATIENCE

from clients_register.handlers.store import StoreError, file, journal
from clients_register.handlers.store.tinydb import TinyDBStore

# Exit code of a process that died at a step.
DIED = 99

NOBODY = 65534

# What a snapshot is made of -> the function, which call of it, and whether death comes before it.
STEPS: dict[str, tuple[str, int, bool]] = {
    "before anything is written": ("unlink", 0, True),
    "when what was left is gone": ("unlink", 0, False),
    "before the new file is synced": ("fsync", 0, True),
    "when the new file is synced": ("fsync", 0, False),
    "before it is renamed": ("replace", 0, True),
    "when it is renamed": ("replace", 0, False),
    "when the directory is synced": ("fsync", 1, False),
    "before the journal is removed": ("unlink", 1, True),
    "when the journal is removed": ("unlink", 1, False),
}


# A registration's line of the journal: how much of it comes to the file before death, and whether
# what was written is synced and told of.
MOMENTS: dict[str, tuple[float, bool]] = {
    "before the line is written": (0, False),
    "when its first byte is written": (0.001, False),
    "when half of it is written": (0.5, False),
    "when all but its end is written": (0.999, False),
    "when it is written": (1, False),
    "when it is synced": (1, True),
}


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def die_at(step: str) -> None:
    """Ends this process at that step, without a chance to tidy up."""
    name, wanted, before = STEPS[step]
    real, calls = getattr(os, name), iter(range(1000))

    def fatal(*args: Any, **kwargs: Any) -> Any:
        is_it = next(calls) == wanted
        if is_it and before:
            os._exit(DIED)
        try:
            return real(*args, **kwargs)
        finally:
            if is_it:
                os._exit(DIED)

    setattr(os, name, fatal)


class FatalFile(FileIO):
    """A journal of which a part of the next write comes to the disk, before death."""

    part, synced = 1.0, True

    def write(self, content: Any) -> int:
        longest = len(content) if self.part == 1 else len(content) - 1
        super().write(content[: min(math.ceil(len(content) * self.part), longest)])
        if self.synced:
            os.fsync(self.fileno())
        os._exit(DIED)


async def register_once(data: Path, moment: str) -> None:
    """Registers one client, and dies at that moment of the next one's write."""
    store = TinyDBStore(data, public_allowed=True)
    await registered(store, "ada@x.test")
    store._file.journal.close()
    FatalFile.part, FatalFile.synced = MOMENTS[moment]
    journal.open = lambda path, *_, **__: FatalFile(path, "ab")  # type: ignore[attr-defined]
    await registered(store, "bea@x.test")


async def register_on_and_on(data: Path, seed: int) -> None:
    """Several callers register, and take some back; the file is compacted every few writes."""
    file.SMALLEST = 4096
    store, chance = TinyDBStore(data, public_allowed=True), random.Random(seed)

    async def caller(name: int) -> None:
        number = 0
        while True:
            number += 1
            email = f"{seed}.{name}.{number}@kill.test"
            made = await registered(store, email)
            say("registered", email)
            if chance.random() < 0.1:
                say("leaving", email)
                await store.remove_client(made, None)
                say("left", email)

    await asyncio.gather(*map(caller, range(3)))


async def fill(store: TinyDBStore) -> None:
    """Some who stay and one who goes: a journal that must neither be lost nor made twice."""
    for name in ("ada", "bea"):
        made = await enrolled(store, about_to_register(f"{name}@x.test"), None)
        await store.put_session(session(name, made.id))
        await store.add_mail(mail(f"{name}@x.test"))
    gone = await enrolled(store, about_to_register("gone@x.test"), None)
    await store.put_session(session("gone", gone.id))
    await store.remove_client(gone, None)


async def compact(data: Path, step: str) -> None:
    """Dies while the file is compacted beside the writes."""
    store = TinyDBStore(data, public_allowed=True)
    await fill(store)
    file.SMALLEST = 0
    store._file._snapshot_size = 0
    die_at(step)
    await store.add_mail(mail("last@x.test"))
    await asyncio.wait_for(asyncio.Event().wait(), PATIENCE)


async def close(data: Path, step: str) -> None:
    """Dies while the store is closed."""
    store = TinyDBStore(data, public_allowed=True)
    await fill(store)
    await store.add_mail(mail("last@x.test"))
    die_at(step)
    await store.close()


async def upgrade(data: Path, step: str) -> None:
    """Dies at the first write to a file of the version without journals."""
    store = TinyDBStore(data, public_allowed=True)
    die_at(step)
    await store.add_mail(mail("new@x.test"))


def length_of_journal(data: Path) -> int:
    return Path(f"{data}.journal.1").stat().st_size


async def limited(data: Path) -> None:
    """Meets a limit of the length of files, like a full disk, and goes on when it is lifted."""
    import resource

    store = TinyDBStore(data, public_allowed=True)
    await fill(store)
    length = length_of_journal(data)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (length + 100, hard))
    outcomes = await asyncio.gather(
        enrolled(store, about_to_register("full@x.test"), None),
        store.add_mail(mail("full@x.test")),
        return_exceptions=True,
    )
    say(*(type(each).__name__ for each in outcomes))
    say(await store.user_by_email("full@x.test"), len(await store.mails()))
    say(length_of_journal(data) - length)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    made = await enrolled(store, about_to_register("full@x.test"), None)
    say(type(made).__name__)
    os._exit(DIED)


async def refused(data: Path) -> None:
    """Says why a store cannot be opened by somebody who is not root."""
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    try:
        TinyDBStore(data, public_allowed=True)
    except StoreError as error:
        say(error)


MODES: dict[str, Callable[..., Any]] = {
    "once": register_once,
    "register": lambda data, seed: register_on_and_on(data, int(seed)),
    "compact": compact,
    "close": close,
    "upgrade": upgrade,
    "limited": limited,
    "refused": refused,
}

if __name__ == "__main__":
    mode, path, *rest = sys.argv[1:]
    asyncio.run(MODES[mode](Path(path), *rest))
