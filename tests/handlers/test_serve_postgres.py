"""`clients-register serve --store` as a process, on a PostgreSQL server of the tests' own."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest
from support.command import Done, call
from support.hang import LIMIT, until
from support.limits import impatient
from support.live import Live, encoded, registration
from support.postgres import IN_URL, PASSWORD, Server, nobody_writes, waiting
from support.process import Ended, Process, reserved_port, run, serving
from support.stub import LiveStub, seen, stub_on
from support.verifying import bad, base, verified

from clients_register.handlers.settings import Settings
from clients_register.handlers.store.postgres.connections import MOST

REFERENCE = ("--reference", "--bcrypt-cost", "4")


def on(server: Server, name: str) -> dict[str, str]:
    """The variable that keeps the data of a command in the database of that name."""
    return {"CLIENTS_REGISTER_STORE": server.url(name)}


def answer(process: Process, email: str, **changes: Any) -> dict[str, Any]:
    """The envelope of registering `email`."""
    envelope: dict[str, Any] = httpx.post(
        process.url,
        content=encoded(registration(email, **changes)),
        headers={"Content-Type": "text/plain"},
        timeout=LIMIT,
    ).json()
    return envelope


def status(process: Process, email: str, **changes: Any) -> str:
    return str(answer(process, email, **changes)["status"])


def stopped(process: Process) -> Ended:
    """How the process ended that was asked to, and in what it said there is no secret."""
    process.tell(signal.SIGTERM)
    ended = process.ended()
    assert ended.code == 0
    said = process.banner + ended.out + ended.err
    assert PASSWORD not in said
    assert IN_URL not in said
    return ended


@pytest.fixture
def name(postgres: Server) -> str:
    """An empty database."""
    return postgres.made()


def test_it_says_which_database_it_is_on_without_the_password(
    postgres: Server, name: str, tmp_path: Path
) -> None:
    with serving("--store", postgres.url(name), cwd=tmp_path) as process:
        place = f"postgresql://127.0.0.1:{postgres.port}/{name}"
        assert re.search(rf"^  database   {place} \(\d+ clients\)$", process.banner, re.M)
        assert "  mail       kept in the database, nothing is sent\n" in process.banner
        assert stopped(process).err == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
@pytest.mark.parametrize("reference", [False, True], ids=["stub", "reference"])
def test_what_was_stored_is_there_after_a_kill_and_after_a_restart(
    postgres: Server, name: str, *, reference: bool
) -> None:
    with serving(*(REFERENCE if reference else ()), env=on(postgres, name)) as process:
        first = answer(process, "ada@x.test")
        assert first["status"] == "action-successful"
        assert (first["session"]["user_id"], first["data"]["id"]) == (1001, 1002)
        assert status(process, "Ada@x.test") == "email-already-registered"
        process.tell(signal.SIGKILL)
        assert process.ended().err == ""
    token = first["session"]["token"]
    for number in (1, 2):
        with in_process(postgres, name, reference=reference) as server:
            assert server.register("ada@x.test")["status"] == "email-already-registered"
            added = server.register(f"{number}@x.test", token=token)
            assert added["status"] == "action-successful"


def in_process(postgres: Server, name: str, *, reference: bool = False) -> Live:
    """A server on the database of that name."""
    kind = Live if reference else LiveStub
    return kind(Settings(store=postgres.at(name), port=0, bcrypt_cost=4, reference=reference))


def test_worlds_are_there_after_a_restart(postgres: Server, name: str) -> None:
    with stub_on(postgres, name) as stub:
        for world in ("ann", "bob"):
            assert stub.registered("ada@x.test", world) == "action-successful"
        listed = stub.control("DELETE", "/worlds/bob").json()
        assert [each["name"] for each in listed] == ["default", "ann"]
    rows = "SELECT count(*) FROM clients_register.users WHERE world = 'bob'"
    assert postgres.told(name, rows) == [(0,)]
    with stub_on(postgres, name) as stub:
        assert [each["name"] for each in seen(stub, "/worlds")] == ["default", "ann"]
        assert stub.registered("ada@x.test", "ann") == "email-already-registered"
        assert stub.registered("ada@x.test", "bob") == "action-successful"
        assert stub.registered("ada@x.test") == "action-successful"


def test_servers_that_start_at_once_share_an_empty_database(postgres: Server, name: str) -> None:
    servers = [in_process(postgres, name, reference=True) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads, ExitStack() as stack:
        one, other = threads.map(stack.enter_context, servers)
        session = one.register("ada@x.test")["session"]
        assert other.register("ada@x.test")["status"] == "email-already-registered"
        added = other.register("bea@x.test", token=session["token"])
        assert added["status"] == "action-successful"


@pytest.mark.parametrize("reference", [False, True], ids=["stub", "reference"])
def test_a_lost_database_is_a_crash_in_one_line_and_is_used_again_when_it_is_back(
    mortal: Server,
    caplog: pytest.LogCaptureFixture,
    *,
    reference: bool,
) -> None:
    name = mortal.made()
    with in_process(mortal, name, reference=reference) as server:

        def status(email: str) -> str:
            return str(server.register(email)["status"])

        with ThreadPoolExecutor(MOST) as threads, nobody_writes(mortal, name):
            first = [threads.submit(status, f"{n}@x.test") for n in range(MOST)]
            until(lambda: waiting(mortal, name) == MOST)
        assert {each.result() for each in first} == {"action-successful"}
        with stopped_database(mortal):
            lost = server.register("bea@x.test")
        assert lost == {"code": 500, "status": "application-crash"}
        assert status("0@x.test") == "email-already-registered"
        assert status("bea@x.test") == "action-successful"
        with stopped_database(mortal):
            pass
        assert status("cleo@x.test") == "action-successful", "nobody noticed"
    place = f"postgresql://127.0.0.1:{mortal.port}/{name}"
    where = "" if reference else " in the world default"
    told = (
        rf"\w+: crash{where}: the database {place} cannot be reached, or is too busy:"
        r" no connection within [\d.]+ seconds: .*"
    )
    (line,) = caplog.messages
    assert re.fullmatch(told, line)


@contextmanager
def stopped_database(server: Server) -> Iterator[None]:
    """In the context the database is not there, which nobody waits long for."""
    server.stop()
    try:
        with impatient():
            yield
    finally:
        server.start()


def test_a_world_that_is_entered_without_the_database_is_there_when_it_is_back(
    mortal: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with stub_on(mortal, mortal.made()) as stub:
        with stopped_database(mortal):
            lost = stub.sent(registration("ada@x.test"), "ann").json()
        assert lost == {"code": 500, "status": "application-crash"}
        assert stub.registered("ada@x.test", "ann") == "action-successful"
    (line,) = caplog.messages
    assert "crash in the world ann: the database postgresql://127.0.0.1:" in line


def refused(*options: str, **env: str) -> str:
    """The one line that a server says which cannot start."""
    return refusal(call("serve", "--port", "0", *options, env=env))


def refusal(ended: Done | CompletedProcess[str]) -> str:
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert PASSWORD not in line
    assert IN_URL not in line
    return line


def test_the_data_of_a_stub_never_serves_a_reference(postgres: Server, name: str) -> None:
    with stub_on(postgres, name):
        pass
    line = refused(*REFERENCE, **on(postgres, name))
    assert f"the database postgresql://127.0.0.1:{postgres.port}/{name} was filled by" in line
    assert line.endswith("name another database with --store, or leave --reference out")


def test_a_stub_adds_nothing_to_the_data_of_a_reference(postgres: Server, name: str) -> None:
    with in_process(postgres, name, reference=True) as server:
        assert server.register("ada@x.test")["status"] == "action-successful"
        line = refused(**on(postgres, name))
        assert f"127.0.0.1:{postgres.port}/{name} serves reference servers, and anybody" in line
    assert postgres.told(name, "SELECT id FROM clients_register.users") == [(1001,)]


def test_a_database_that_cannot_be_reached_is_one_line() -> None:
    with reserved_port() as port:
        line = refused("--store", f"postgresql://ada:{IN_URL}@127.0.0.1:{port}/clients")
    assert f"the database postgresql://127.0.0.1:{port}/clients cannot be reached: " in line


def test_a_driver_that_is_not_installed_is_one_line_with_the_way_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError(\"No module named 'psycopg'\")")
    url = f"postgresql://ada:{IN_URL}@127.0.0.1/clients"
    line = refusal(run("serve", "--port", "0", "--store", url, env={"PYTHONPATH": str(tmp_path)}))
    assert "expected the driver psycopg to be installed, found that No module named" in line
    assert line.endswith("python -m pip install 'clients-register[postgres]'")


def test_the_suite_finds_nothing_in_a_stub_on_it(
    postgres: Server, name: str, tmp_path: Path
) -> None:
    with stub_on(postgres, name) as server:
        code, report, text = verified(tmp_path, base(server), "--strict")
    assert (code, bad(report)) == (0, {}), text
    assert len(report["cases"]) >= 372
