"""A process that writes to a store, to be killed: `python -m support.storing MODE DATA ...`.

It says on standard output what it was told is stored, a line each, and nothing before it was told.
"""

import asyncio
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.people import about_to_register, enrolled, mail, session
from support.process import PATIENCE

from clients_register.handlers.store import StoreError, file
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


async def register_on_and_on(data: Path, seed: int) -> None:
    """Several callers register, and take some back; the file is compacted every few writes."""
    file.SMALLEST = 4096
    store, chance = TinyDBStore(data, public_allowed=True), random.Random(seed)

    async def caller(name: int) -> None:
        number = 0
        while True:
            number += 1
            email = f"{seed}.{name}.{number}@kill.test"
            made = await enrolled(store, about_to_register(email), None)
            say("client", email)
            if chance.random() < 0.1:
                say("leaving", email)
                await store.remove_client(made, None)
                say("left", email)
                continue
            await store.add_mail(mail(email))
            say("mail", email)
            await store.put_session(session(email, made.id))
            say("session", email)

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
