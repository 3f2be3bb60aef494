"""`clients-register serve --store` as a process, on a PostgreSQL server of the tests' own."""

import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest
from support.command import Done, call
from support.hang import LIMIT, until
from support.live import encoded, registration
from support.postgres import IN_URL, PASSWORD, Server, nobody_writes, waiting
from support.process import Ended, Process, reserved_port, run, serving, started
from support.stub import LiveStub
from support.verifying import bad, base, verified

from clients_register.handlers.settings import Settings
from clients_register.handlers.store.postgres.connections import MOST

REFERENCE = ("--reference", "--bcrypt-cost", "4")


def on(server: Server, name: str) -> dict[str, str]:
    """The variable that keeps the data of a command in the database of that name."""
    return {"CLIENTS_REGISTER_STORE": server.url(name)}


def answer(process: Process, email: str, world: str = "", **changes: Any) -> dict[str, Any]:
    """The envelope of registering `email`."""
    url = process.url.replace("/api/", f"/_world/{world}/api/") if world else process.url
    envelope: dict[str, Any] = httpx.post(
        url,
        content=encoded(registration(email, **changes)),
        headers={"Content-Type": "text/plain"},
        timeout=LIMIT,
    ).json()
    return envelope


def status(process: Process, email: str, world: str = "", **changes: Any) -> str:
    return str(answer(process, email, world, **changes)["status"])


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


@pytest.mark.parametrize("how", ["option", "variable"])
def test_it_says_which_database_it_is_on_without_the_password(
    postgres: Server, name: str, tmp_path: Path, how: str
) -> None:
    option = how == "option"
    options = ("--store", postgres.url(name)) if option else ()
    with serving(*options, cwd=tmp_path, env={} if option else on(postgres, name)) as process:
        place = f"postgresql://127.0.0.1:{postgres.port}/{name}"
        assert re.search(rf"^  database   {place} \(\d+ clients\)$", process.banner, re.M)
        assert "  mail       kept in the database, nothing is sent\n" in process.banner
        assert stopped(process).err == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [(), REFERENCE], ids=["stub", "reference"])
def test_what_was_stored_is_there_after_a_restart_and_after_a_kill(
    postgres: Server, name: str, mode: tuple[str, ...]
) -> None:
    with serving(*mode, env=on(postgres, name)) as process:
        first = answer(process, "ada@x.test")
        assert first["status"] == "action-successful"
        assert (first["session"]["user_id"], first["data"]["id"]) == (1001, 1002)
        assert status(process, "Ada@x.test") == "email-already-registered"
        token = first["session"]["token"]
        assert status(process, "bea@x.test", token=token) == "action-successful"
        assert stopped(process).err == ""
    for number in (1, 2):
        with serving(*mode, env=on(postgres, name)) as process:
            assert status(process, "ada@x.test") == "email-already-registered"
            assert status(process, f"{number}@x.test", token=token) == "action-successful"
            process.tell(signal.SIGKILL)
            assert process.ended().err == ""


def test_worlds_are_there_after_a_restart(postgres: Server, name: str) -> None:
    with serving(env=on(postgres, name)) as process:
        origin = process.url.partition("/api/")[0]
        for world in ("ann", "bob"):
            assert status(process, "ada@x.test", world) == "action-successful"
        listed = httpx.delete(f"{origin}/_mock/worlds/bob", timeout=LIMIT).json()
        assert [each["name"] for each in listed] == ["default", "ann"]
        stopped(process)
    rows = "SELECT count(*) FROM clients_register.users WHERE world = 'bob'"
    assert postgres.told(name, rows) == [(0,)]
    with serving(env=on(postgres, name)) as process:
        origin = process.url.partition("/api/")[0]
        listed = httpx.get(f"{origin}/_mock/worlds", timeout=LIMIT).json()
        assert [each["name"] for each in listed] == ["default", "ann"]
        assert status(process, "ada@x.test", "ann") == "email-already-registered"
        assert status(process, "ada@x.test", "bob") == "action-successful"
        assert status(process, "ada@x.test") == "action-successful"
        stopped(process)


def test_servers_that_start_at_once_share_an_empty_database(postgres: Server, name: str) -> None:
    with ExitStack() as stack:
        processes = [
            stack.enter_context(started(*REFERENCE, "--port", "0", env=on(postgres, name)))
            for _ in range(2)
        ]
        for each in processes:
            each.greet()
        one, other = processes
        session = answer(one, "ada@x.test")["session"]
        assert status(other, "ada@x.test") == "email-already-registered"
        assert status(other, "bea@x.test", token=session["token"]) == "action-successful"
        for each in processes:
            assert stopped(each).err == ""


@pytest.mark.parametrize("mode", [(), REFERENCE], ids=["stub", "reference"])
def test_a_lost_database_is_a_crash_in_one_line_and_is_used_again_when_it_is_back(
    mortal: Server, mode: tuple[str, ...]
) -> None:
    name = mortal.made()
    with serving(*mode, env=on(mortal, name)) as process:
        with ThreadPoolExecutor(MOST) as threads, nobody_writes(mortal, name):
            first = [threads.submit(status, process, f"{n}@x.test") for n in range(MOST)]
            until(lambda: waiting(mortal, name) == MOST)
        assert {each.result() for each in first} == {"action-successful"}
        mortal.stop()
        try:
            lost = answer(process, "bea@x.test")
        finally:
            mortal.start()
        assert lost == {"code": 500, "status": "application-crash"}
        assert status(process, "0@x.test") == "email-already-registered"
        assert status(process, "bea@x.test") == "action-successful"
        mortal.stop()
        mortal.start()
        assert status(process, "cleo@x.test") == "action-successful", "nobody noticed"
        (line,) = stopped(process).err.splitlines()
    place = f"postgresql://127.0.0.1:{mortal.port}/{name}"
    where = "" if mode else " in the world default"
    told = (
        rf"ERROR \w+: crash{where}: the database {place} cannot be reached, or is too busy:"
        " no connection"
    )
    assert re.search(told, line)


def test_a_world_that_is_entered_without_the_database_is_there_when_it_is_back(
    mortal: Server,
) -> None:
    with serving(env=on(mortal, mortal.made())) as process:
        mortal.stop()
        try:
            lost = answer(process, "ada@x.test", "ann")
        finally:
            mortal.start()
        assert lost == {"code": 500, "status": "application-crash"}
        assert status(process, "ada@x.test", "ann") == "action-successful"
        (line,) = stopped(process).err.splitlines()
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
    with serving(env=on(postgres, name)) as process:
        stopped(process)
    line = refused(*REFERENCE, **on(postgres, name))
    assert f"the database postgresql://127.0.0.1:{postgres.port}/{name} was filled by" in line
    assert line.endswith("name another database with --store, or leave --reference out")


def test_a_stub_adds_nothing_to_the_data_of_a_reference(postgres: Server, name: str) -> None:
    with serving(*REFERENCE, env=on(postgres, name)) as process:
        assert status(process, "ada@x.test") == "action-successful"
        line = refused(**on(postgres, name))
        assert f"127.0.0.1:{postgres.port}/{name} serves reference servers, and anybody" in line
        stopped(process)
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
    settings = Settings(store=postgres.at(name), port=0, bcrypt_cost=4)
    with LiveStub(settings) as server:
        code, report, text = verified(tmp_path, base(server), "--strict")
    assert (code, bad(report)) == (0, {}), text
    assert len(report["cases"]) >= 372
