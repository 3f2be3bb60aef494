"""A process that writes to a store, to be killed: `python -m support.writer MODE DATA ...`.

It prints what was acknowledged, a line each.
"""

import asyncio
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.records import about_to_register, mail, register_client, registered, session

from clients_register.handlers.store.base import StoreError
from clients_register.handlers.store.journaled import storage
from clients_register.handlers.store.tinydb import TinyDBStore

# Exit code of a process that ends without closing its store.
DIED = 99

NOBODY = 65534


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def register_on_and_on(data: Path, seed: int) -> None:
    """Several callers register, and take some back; the file is compacted every few writes."""
    storage.MIN_COMPACTION_SIZE = 4096
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
        made = await register_client(store, about_to_register(f"{name}@x.test"), None)
        await store.put_session(session(name, made.id))
        await store.add_mail(mail(f"{name}@x.test"))
    gone = await register_client(store, about_to_register("gone@x.test"), None)
    await store.put_session(session("gone", gone.id))
    await store.remove_client(gone, None)


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
        register_client(store, about_to_register("full@x.test"), None),
        store.add_mail(mail("full@x.test")),
        return_exceptions=True,
    )
    say(*(type(each).__name__ for each in outcomes))
    say(await store.user_by_email("full@x.test"), len(await store.mails()))
    say(length_of_journal(data) - length)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    made = await register_client(store, about_to_register("full@x.test"), None)
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
    "limited": limited,
    "refused": refused,
}

if __name__ == "__main__":
    mode, path, *rest = sys.argv[1:]
    asyncio.run(MODES[mode](Path(path), *rest))
