"""`clients-register serve --workers`: several processes are one server, which none of them ends."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from textwrap import indent

import httpx2
import pytest
from support.command import Process, listens, reserved_port, run, run_program, serving
from support.limits import LIMIT, until
from support.live import encoded, registration
from support.postgres import Server
from support.suite import bad, verified

pytestmark = pytest.mark.measured

# As few as there can be: each imports the server, which takes seconds.
WORKERS = 2


class Caller:
    """Asks servers, each in its turn, on as many connections as there are threads."""

    def __init__(self, http: httpx2.Client, *processes: Process) -> None:
        self._http = http
        self._urls = [process.url for process in processes]

    def registered(self, number: int, email: str) -> str:
        """The status of registering `email`, asked of the server whose turn `number` is."""
        url = self._urls[number % len(self._urls)]
        headers = {"Content-Type": "text/plain"}
        sent = encoded(registration(email))
        return str(self._http.post(url, content=sent, headers=headers).json()["status"])

    def all(self, emails: list[str]) -> list[str]:
        """The statuses of registering `emails`, many at once."""
        with ThreadPoolExecutor(16) as threads:
            return [*threads.map(self.registered, range(len(emails)), emails)]


def on(postgres: Server, name: str) -> dict[str, str]:
    """The variable that keeps the data of a command in the database of that name."""
    return {"CLIENTS_REGISTER_STORE": postgres.url(name)}


@pytest.fixture
def store(postgres: Server, database: str) -> dict[str, str]:
    return on(postgres, database)


@contextmanager
def many(store: dict[str, str], *, count: int = WORKERS) -> Iterator[Process]:
    options = ("--reference", "--workers", str(count), "--bcrypt-cost", "4")
    with serving(*options, env=store) as process:
        until(lambda: len(process.workers) == count)
        yield process


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(timeout=LIMIT, verify=False) as client:
        yield client


def stopped(process: Process, number: signal.Signals = signal.SIGTERM) -> str:
    """Returns the output of the process, after it has ended without an error."""
    process.tell(number)
    ended = process.ended()
    assert (ended.code, ended.err) == (0, "")
    return ended.out


def kill(process: Process, worker: int) -> None:
    os.kill(worker, signal.SIGKILL)
    until(lambda: worker not in process.workers)


def check_that_one_registers_each_address(caller: Caller, postgres: Server, name: str) -> None:
    emails = [f"{number % 40}@x.test" for number in range(160)]
    assert Counter(caller.all(emails)) == {
        "action-successful": 40,
        "email-already-registered": 120,
    }
    users = postgres.told(name, "SELECT email_key FROM clients_register.users WHERE client_id > 0")
    assert sorted(users) == sorted((email,) for email in set(emails)), "no client is lost"
    mails = postgres.told(name, "SELECT record ->> 'recipient' FROM clients_register.mails")
    assert sorted(mails) == sorted(users)


@pytest.mark.smoke
def test_processes_are_one_server(http: httpx2.Client, postgres: Server, database: str) -> None:
    with many(on(postgres, database)) as process:
        assert f"the plain reference, {WORKERS} workers\n" in process.banner
        check_that_one_registers_each_address(Caller(http, process), postgres, database)
        assert stopped(process) == ""


@pytest.mark.soak
def test_many_processes_of_two_servers_are_one_server(
    http: httpx2.Client, postgres: Server, database: str
) -> None:
    store = on(postgres, database)
    with many(store, count=4) as one, many(store, count=4) as other:
        check_that_one_registers_each_address(Caller(http, one, other), postgres, database)


@pytest.mark.once
def test_the_suite_finds_nothing_in_many_processes(store: dict[str, str], tmp_path: Path) -> None:
    with many(store) as process:
        base = process.url.partition("/clients/")[0]
        code, report, text = verified(tmp_path, base, "--strict")
    assert (code, bad(report)) == (0, {}), text


def test_one_speaks_for_all_at_the_start_and_all_end(store: dict[str, str]) -> None:
    with many(store) as process:
        assert process.banner.count("listening") == 1
        assert stopped(process, signal.SIGINT) == ""
        assert not listens(process.address)


def test_one_that_dies_is_replaced_and_the_others_answer_meanwhile(store: dict[str, str]) -> None:
    with many(store) as process:
        # The second one, and then the first, since the other has another place by then.
        for place in (1, 0):
            kill(process, process.workers[place])
            with httpx2.Client(timeout=LIMIT, verify=False) as anew:
                assert Caller(anew, process).registered(0, f"{place}@x.test") == "action-successful"
            until(lambda: len(process.workers) == WORKERS)
        process.tell(signal.SIGTERM)
        ended = process.ended()
    assert ended.code == 0
    told = [line.partition("ERROR ")[2] for line in ended.err.splitlines()]
    assert told == [
        f"worker {number} of {WORKERS} ended unexpectedly, with -9; it is replaced"
        for number in (2, 1)
    ]


def test_those_whose_parent_is_gone_end(store: dict[str, str]) -> None:
    with many(store) as process:
        process.tell(signal.SIGKILL)
        until(lambda: not listens(process.address))


# The parent is killed as soon as it has forked, and the worker waits until it has another parent.
KILLED_PARENT = """
begin = os.fork

def fork():
    parent = os.getpid()
    if begin():
        os.kill(parent, signal.SIGKILL)
    while os.getppid() == parent:
        pass
    return 0

os.fork = fork
"""

# Orphans are handed to the parent, as to the init process of a container.
INIT = """
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
told, tell = os.pipe()
"""


def program(work: str, before: str = "") -> CompletedProcess[str]:
    """How a program ends whose one worker does `work`, the body of a function."""
    text = f"""
import ctypes, os, signal
from clients_register.handlers.workers import Workers

asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
{before}

def stop_the_parent():
    "Returns when the parent asks this process to stop, too."
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    os.kill(os.getppid(), signal.SIGTERM)
    signal.sigwait([signal.SIGTERM])

def work(worker):
{indent(work, "    ")}

os._exit(Workers(1, work, lambda: None, lambda: bool(asked)).run())
"""
    return run_program(sys.executable, "-c", text)


def test_one_whose_parent_is_gone_before_its_first_step_knows() -> None:
    ended = program("print(worker.is_orphan)", KILLED_PARENT)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "True\n"), ended.stderr


def test_one_whose_parent_is_gone_sends_no_signal() -> None:
    work = """
os.kill = lambda *signalled: print("signalled", signalled)
worker.notify_ready()
print(worker.is_orphan)
"""
    ended = program(work, KILLED_PARENT)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "True\n"), ended.stderr


def test_one_that_answers_while_all_are_stopped_does_no_harm() -> None:
    work = """
stop_the_parent()
worker.notify_ready()
return 0
"""
    ended = program(work)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's subreapers")
def test_orphans_that_are_handed_to_the_parent_are_not_taken_for_workers() -> None:
    work = """
if worker.prints_banner:
    child = os.fork()
    if child == 0:
        signal.pause()
    os.write(tell, str(child).encode())
    os.kill(os.getpid(), signal.SIGKILL)
orphan = int(os.read(told, 100))
os.kill(orphan, signal.SIGKILL)
with open(f"/proc/{orphan}/stat") as state:
    while state.seek(0) or ") Z " not in state.read():
        pass
stop_the_parent()
return 0
"""
    ended = program(work, INIT)
    (line,) = ended.stderr.splitlines()
    assert line == "worker 1 of 1 ended unexpectedly, with -9; it is replaced"
    assert ended.returncode == 0


def test_what_keeps_the_first_from_starting_is_told_once() -> None:
    with reserved_port() as port:
        env = {"CLIENTS_REGISTER_STORE": f"postgresql://ada:hush@127.0.0.1:{port}/clients"}
        ended = run("serve", "--reference", "--port", "0", "--workers", str(WORKERS), env=env)
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"the database postgresql://127.0.0.1:{port}/clients cannot be reached" in line
    assert "hush" not in line
