"""Measures what the store costs, and whether the cost grows with the number of clients.

    python bench/store.py            up to 100,000 clients
    python bench/store.py --large    a million clients, which need some 5 GB of memory and disk

The writes of a registration are those of the route: a client, a mail and a session, in one durable
commit. They are compared with a bare sync of as many bytes. The files are filled beforehand, with a
user, a session and a mail per client. The stores of all sizes are open at once, and each round
measures them in turn, so that noise affects all of them equally. The tables show medians of the
rounds, and ratios to the smallest store.

Opening a file is compared with parsing it by `json`, also in turn. Memory is the growth of a
process's resident set when it opens the file, and the peak of that growth.
"""

import asyncio
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clients_register.handlers.models import (
    Client,
    Mail,
    Registration,
    Session,
    User,
    encode_record,
)
from clients_register.handlers.store.journaled.storage import FileFormat, JournalStorage
from clients_register.handlers.store.tinydb import INITIAL, TinyDBStore, document_id

ROUNDS = 7
REGISTRATIONS = 150
SIZES = (1_000, 10_000, 100_000)
LARGE = 1_000_000
OPENED = 100_000

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
HASH = "$2b$10$ibkOcb/P3vGEcti0hNhc3.tFkgxXoWnqEwhEkoT/7Qzmxwpvju80G"
TEXT = "Welcome to PlanoAuth!\n\nYour account is ready. Sign in with this address."


def main() -> None:
    """Prints the tables; in a child process, prints the memory that a file takes."""
    if sys.argv[1:2] == ["--memory"]:
        print(json.dumps(memory(Path(sys.argv[2]))))
        return
    sizes = (*SIZES, LARGE) if "--large" in sys.argv[1:] else SIZES
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    print(f"medians of {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as folder:
        files = {size: filled(Path(folder, f"{size}.json"), size) for size in sizes}
        print_memory(files)
        print_opening(files[OPENED])
        print_writes(files)


def print_writes(files: dict[int, Path]) -> None:
    """Prints the cost of a registration's writes by the number of stored clients."""
    with tempfile.TemporaryDirectory(dir=files[SIZES[0]].parent) as folder:
        costs, syncs = asyncio.run(write_costs(files, Path(folder, "syncs")))
    medians = {size: statistics.median(each) for size, each in costs.items()}
    print(f"\nwrites of a registration; a bare sync takes {statistics.median(syncs):.0f} us")
    for size, cost in medians.items():
        print(f"{size:>9,} clients  {cost:6.0f} us  x{cost / medians[SIZES[0]]:.2f}")


def print_opening(file: Path) -> None:
    """Prints how long it takes to open a file, and to parse it."""
    opening, parsing = [], []
    for _ in range(ROUNDS):
        opening.append(took(lambda: asyncio.run(TinyDBStore(file, public_allowed=True).close())))
        parsing.append(took(lambda: json.loads(file.read_bytes())))
    megabytes = file.stat().st_size / 1e6
    ours, theirs = statistics.median(opening), statistics.median(parsing)
    print(f"\nopening {OPENED:,} clients, {megabytes:.0f} MB")
    print(f"json       {theirs:6.2f} s")
    print(f"the store  {ours:6.2f} s  x{ours / theirs:.2f}")


def print_memory(files: dict[int, Path]) -> None:
    """Prints the memory per client."""
    print("\nmemory per client after opening the file, and at the peak")
    for size, file in files.items():
        told = subprocess.run(
            [sys.executable, __file__, "--memory", str(file)], stdout=subprocess.PIPE, check=True
        ).stdout
        now, highest = json.loads(told)
        print(f"{size:>9,} clients  {now / size:6.0f} B  {highest / size:6.0f} B")


def filled(file: Path, clients: int) -> Path:
    """Writes a data file with this many clients."""
    users, sessions, outbox = dict[int, bytes](), dict[int, bytes](), dict[int, bytes]()
    for number in range(clients):
        user_id, address = 1001 + 2 * number, f"person.{number}@example.test"
        registration = about_to_register(address)
        fields = {name: getattr(registration, name) for name in Registration.__struct_fields__}
        made = {name: value for name, value in fields.items() if name not in _OF_THE_USER}
        client = Client(id=user_id + 1, **made)
        users[user_id] = encode_record(User(user_id, address, address, HASH, frozenset(), client))
        session = session_of(user_id)
        sessions[document_id(session.digest)] = encode_record(session)
        outbox[number + 1] = encode_record(mail_to(address))
    tables = {**INITIAL, "users": users, "sessions": sessions, "outbox": outbox}
    JournalStorage(file, file_format=FileFormat(tables)).close()
    return file


_OF_THE_USER = {"email_key", "password_hash"}


def about_to_register(address: str) -> Registration:
    """Returns a registration as the route creates it."""
    name, phone, company = ("Ada", "Lovelace"), "+44 20 7946 0018", (42, "Analytical Engines")
    return Registration(address, address, HASH, *name, phone, *company, False, NOW)  # noqa: FBT003


def session_of(user_id: int) -> Session:
    """Returns a session as the route opens it."""
    digest = hashlib.sha256(str(user_id).encode()).hexdigest()
    return Session(digest, user_id, "planoauth", False, NOW, NOW)  # noqa: FBT003


def mail_to(address: str) -> Mail:
    """Returns a welcome e-mail."""
    return Mail(address, "welcome@example.test", "Welcome", TEXT, "0123456789abcdef", NOW)


async def write_costs(
    files: dict[int, Path], beside: Path
) -> tuple[dict[int, list[float]], list[float]]:
    """Returns the µs per registration, by size and round, and per bare sync, by round."""
    stores = {size: TinyDBStore(file, public_allowed=True) for size, file in files.items()}
    costs: dict[int, list[float]] = {size: [] for size in files}
    syncs = []
    for turn in range(ROUNDS + 1):
        for size, store in stores.items():
            begun = time.perf_counter()
            for number in range(REGISTRATIONS):
                await registered(store, f"new.{turn}.{number}@example.test")
            costs[size].append((time.perf_counter() - begun) / REGISTRATIONS * 1e6)
        syncs.append(took(lambda: bare_syncs(beside)) / REGISTRATIONS * 1e6)
    for store in stores.values():
        await store.close()
    # The first round warms up and creates the journals.
    return {size: each[1:] for size, each in costs.items()}, syncs[1:]


async def registered(store: TinyDBStore, address: str) -> None:
    """Performs the writes of one registration."""
    async with store.begin_registration(about_to_register(address), None) as pending:
        await pending.add_mail(mail_to(address))
        await pending.put_session(session_of(pending.user.id))
        await pending.commit()


def bare_syncs(file: Path) -> None:
    """Writes and syncs as many bytes as the registrations, without a store."""
    with file.open("ab", buffering=0) as journal:
        for _ in range(REGISTRATIONS):
            journal.write(bytes(1200))
            os.fdatasync(journal.fileno())


def memory(file: Path) -> tuple[int, int]:
    """Returns how much this process grows when it opens the file, and the peak, in bytes."""
    with watched() as grown:
        store = TinyDBStore(file, public_allowed=True)
    asyncio.run(store.close())
    return grown[0], grown[1]


@contextmanager
def watched() -> Iterator[list[int]]:
    """Yields a list, to which the growth of the resident set and its peak are added, in bytes."""
    grown: list[int] = []
    before = resident("VmRSS")
    yield grown
    grown += [resident("VmRSS") - before, resident("VmHWM") - before]


def resident(name: str) -> int:
    """Returns a memory figure of this process from Linux, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def took(act: Callable[[], Any]) -> float:
    """Returns how long `act` takes, in seconds."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
