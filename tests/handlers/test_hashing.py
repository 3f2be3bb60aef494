"""Many passwords at once are hashed in processes of their own, which callers never notice."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import bcrypt
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.command import Process, children, serving
from support.limits import LIMIT, until
from support.live import encoded, registration

from clients_register.handlers import bcrypt_worker
from clients_register.handlers import passwords as passwords_module
from clients_register.handlers.passwords import MAX_IN_THREADS, PasswordHasher, WorkerPool

PASSWORDS = [b"correct horse", b"", b"x" * 72, b"a\nb", "ß€".encode()]
SALTS = [bcrypt.gensalt(4), bcrypt.gensalt(4, b"2a"), bcrypt.hashpw(b"other", bcrypt.gensalt(4))]


@pytest.fixture
async def passwords() -> AsyncIterator[PasswordHasher]:
    """At the lowest cost there is."""
    passwords = PasswordHasher(4)
    yield passwords
    await passwords.close()


async def crowded(passwords: PasswordHasher) -> list[int]:
    """Has many hash at once, until no more processes are started: their ids."""
    await asyncio.gather(*(passwords.hash("password") for _ in range(MAX_IN_THREADS + 1)))
    while passwords._pool._starting:
        await asyncio.wait([passwords._pool._starting])
    return hashers()


def hashers() -> list[int]:
    """The processes that this one has started to hash."""
    return [each for each in children(os.getpid()) if hashes(each)]


def hashes(process: int) -> bool:
    """Whether it runs the program that hashes, which one that has ended does not."""
    try:
        command = Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return False
    return bcrypt_worker.__file__ in command.split("\0")


def answered(chunks: Sequence[bytes]) -> list[bytes]:
    """The lines that the program of a process writes, to what comes in `chunks`."""
    (asking, asked), (answering, answers) = os.pipe(), os.pipe()
    program = threading.Thread(target=bcrypt_worker.run, args=(asking, answers))
    program.start()
    for chunk in chunks:
        os.write(asked, chunk)
    os.close(asked)
    program.join()
    os.close(answers)
    said = b""
    while more := os.read(answering, 2**16):
        said += more
    os.close(answering)
    os.close(asking)
    return said.split(b"\n")


@settings(max_examples=20)
@given(
    asked=st.lists(st.tuples(st.sampled_from(PASSWORDS), st.sampled_from(SALTS)), max_size=4),
    cuts=st.lists(st.integers(0, 400), max_size=3),
)
def test_a_process_answers_in_order_however_questions_are_cut(
    asked: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    sent = b"".join(bcrypt_worker.encode_request(password, salt) for password, salt in asked)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(sent)), len(sent)]
    hashed = [bcrypt.hashpw(password, salt) for password, salt in asked]
    assert answered([sent[a:b] for a, b in pairwise(bounds)]) == [b"", *hashed, b""]


@pytest.mark.parametrize("salt", [b"", b"none", b"$2b$04$\0" + b"x" * 21, b"\n"])
def test_a_process_goes_on_after_a_salt_that_is_none(salt: bytes) -> None:
    frames = [bcrypt_worker.encode_request(b"password", each) for each in (salt, SALTS[0])]
    assert answered(frames) == [b"", b"", bcrypt.hashpw(b"password", SALTS[0]), b""]


async def test_a_few_callers_start_no_process(passwords: PasswordHasher) -> None:
    await asyncio.gather(*(passwords.hash("password") for _ in range(MAX_IN_THREADS)))
    assert hashers() == []


async def test_a_crowd_starts_one_for_each_core(passwords: PasswordHasher) -> None:
    assert len(await crowded(passwords)) == os.cpu_count()


async def test_workers_share_the_cores() -> None:
    passwords = PasswordHasher(4, server_processes=1000)
    assert len(await crowded(passwords)) == 1
    await passwords.close()


async def test_what_processes_hash_matches_and_nothing_else_does(passwords: PasswordHasher) -> None:
    await crowded(passwords)
    texts = [f"pass\nwörd {number}" for number in range(40)]
    hashes = await asyncio.gather(*map(passwords.hash, texts))
    assert all(await asyncio.gather(*map(passwords.verify, texts, hashes)))
    assert not any(await asyncio.gather(*map(passwords.verify, reversed(texts), hashes)))


@pytest.mark.parametrize("hashed", ["", "none", "x" * 300])
@pytest.mark.parametrize("many", [False, True])
async def test_what_is_no_hash_is_told_of(
    passwords: PasswordHasher, hashed: str, many: bool
) -> None:
    if many:
        await crowded(passwords)
    with pytest.raises(ValueError, match=r"salt|range"):
        await passwords.verify("password", hashed)


async def test_who_waits_no_more_holds_up_nobody(passwords: PasswordHasher) -> None:
    await crowded(passwords)
    gone = [asyncio.create_task(passwords.hash("password")) for _ in range(MAX_IN_THREADS)]
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    hashed = await passwords.hash("password")
    assert await passwords.verify("password", hashed)


async def test_who_waits_for_a_process_that_is_killed_is_served(passwords: PasswordHasher) -> None:
    killed = await crowded(passwords)
    waiting = [asyncio.create_task(passwords.hash("password")) for _ in range(60)]
    await asyncio.sleep(0)
    for process in killed:
        os.kill(process, signal.SIGKILL)
    hashes = await asyncio.gather(*waiting)
    assert all(await asyncio.gather(*(passwords.verify("password", each) for each in hashes)))


async def test_the_next_crowd_replaces_a_process_that_ended(passwords: PasswordHasher) -> None:
    killed = await crowded(passwords)
    for process in killed:
        os.kill(process, signal.SIGKILL)
    found = killed
    while len(found) != os.cpu_count() or set(found) & set(killed):
        found = await crowded(passwords)


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ((sys.executable, "-c", "pass"), "found that it exited"),
        (("/nowhere/python",), "found [Errno 2] No such file or directory"),
    ],
)
async def test_where_none_can_be_started_threads_hash_and_that_is_said_once(
    passwords: PasswordHasher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    command: tuple[str, ...],
    found: str,
) -> None:
    monkeypatch.setattr(passwords_module, "WORKER_COMMAND", command)
    await crowded(passwords)
    hashes = await asyncio.gather(*(passwords.hash("password") for _ in range(MAX_IN_THREADS + 1)))
    assert all(await asyncio.gather(*(passwords.verify("password", each) for each in hashes)))
    (message,) = caplog.messages
    assert "passwords are hashed in threads of the server only" in message
    assert found in message


async def test_two_that_did_not_start_are_no_reason_to_give_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    starts = tmp_path / "starts"
    program = f'echo >> {starts}; [ $(($(wc -l < {starts}) % 3)) = 0 ] && exec "$@"'
    monkeypatch.setattr(
        passwords_module,
        "WORKER_COMMAND",
        ("sh", "-c", program, "sh", *passwords_module.WORKER_COMMAND),
    )
    many = WorkerPool(2)
    many.start()
    while many._starting:
        await asyncio.wait([many._starting])
    assert len(hashers()) == 2
    assert starts.read_text() == 6 * "\n"
    assert caplog.messages == []
    await many.close()


async def test_none_is_left_when_they_are_closed_while_they_work() -> None:
    passwords = PasswordHasher(4)
    await crowded(passwords)
    waiting = [asyncio.create_task(passwords.hash("password")) for _ in range(60)]
    await asyncio.sleep(0)
    await passwords.close()
    assert hashers() == []
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    """A server as people start it, on which a crowd has registered: its processes are there."""
    options = ("--bcrypt-cost", "4", "--data", str(tmp_path / "data.json"))
    with serving(*options) as server:
        crowd(server)
        yield server


def crowd(server: Process) -> list[int]:
    """Has many register until all processes are there, and have hashed: their ids."""
    while len(found := [each for each in server.workers if has_hashed(each)]) != os.cpu_count():
        register_many(server)
    return found


def has_hashed(process: int) -> bool:
    """Whether it has written more than the one byte that says that it is ready."""
    try:
        counts = Path(f"/proc/{process}/io").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(counts.partition("wchar: ")[2].split()[0]) > 1


def register_many(server: Process) -> None:
    """Registers a crowd at once."""
    http = httpx2.Client(
        headers={"Content-Type": "text/plain"}, limits=httpx2.Limits(), timeout=LIMIT, verify=False
    )

    def register(_: int) -> int:
        sent = encoded(registration(f"{uuid4().hex}@crowd.test"))
        return http.post(server.url, content=sent).status_code

    with http, ThreadPoolExecutor(3 * MAX_IN_THREADS) as threads:
        assert {*threads.map(register, range(9 * MAX_IN_THREADS))} == {200}


def is_alive(process: int) -> bool:
    return Path(f"/proc/{process}/fd/0").exists()


def test_nobody_who_registers_notices_that_a_process_is_killed(server: Process) -> None:
    for _ in range(3):
        for process in crowd(server):
            os.kill(process, signal.SIGKILL)
        register_many(server)
    left = crowd(server)
    server.tell(signal.SIGTERM)
    ended = server.ended()
    assert (ended.code, ended.err) == (0, "")
    assert not any(map(is_alive, left)), "none outlives a server that stops"


def test_none_outlives_a_server_that_is_killed(server: Process) -> None:
    left = server.workers
    assert all(os.getpgid(process) == process for process in left), "Ctrl-C is for the server alone"
    server.tell(signal.SIGKILL)
    until(lambda: not any(map(is_alive, left)))
