"""`clients-register serve --store` as a process, on a PostgreSQL server of the tests' own."""

import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from support.command import Done, Ended, Process, call, reserved_port, run, serving
from support.limits import until
from support.live import Live, register_at
from support.postgres import (
    IN_URL,
    PASSWORD,
    Server,
    nobody_writes,
    stopped_database,
    waiting,
)
from support.suite import bad, base, verified

from clients_register.handlers.settings import Settings
from clients_register.handlers.store.postgres.connections import MAX_CONNECTIONS

REFERENCE = ("--reference", "--bcrypt-cost", "4")


def on(server: Server, name: str) -> dict[str, str]:
    """The variable that keeps the data of a command in the database of that name."""
    return {"CLIENTS_REGISTER_STORE": server.url(name)}


def status(process: Process, email: str, **changes: Any) -> str:
    return str(register_at(process.url, email, **changes)["status"])


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
    env = {"CLIENTS_REGISTER_STORE": postgres.url(name)}
    with serving(*REFERENCE, cwd=tmp_path, env=env) as process:
        place = f"postgresql://127.0.0.1:{postgres.port}/{name}"
        assert re.search(rf"^  database   {place} \(\d+ clients\)$", process.banner, re.M)
        assert "  mail       kept in the database, nothing is sent\n" in process.banner
        assert stopped(process).err == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
def test_what_was_stored_is_there_after_a_kill_and_after_a_restart(
    postgres: Server, name: str
) -> None:
    with serving(*REFERENCE, env=on(postgres, name)) as process:
        first = register_at(process.url, "ada@x.test")
        assert first["status"] == "action-successful"
        assert (first["session"]["user_id"], first["data"]["id"]) == (1001, 1002)
        assert status(process, "Ada@x.test") == "email-already-registered"
        process.tell(signal.SIGKILL)
        assert process.ended().err == ""
    token = first["session"]["token"]
    for number in (1, 2):
        with in_process(postgres, name) as server:
            assert server.register("ada@x.test")["status"] == "email-already-registered"
            added = server.register(f"{number}@x.test", token=token)
            assert added["status"] == "action-successful"


def in_process(postgres: Server, name: str) -> Live:
    """A server on the database of that name."""
    return Live(Settings(store=postgres.at(name), port=0, bcrypt_cost=4, reference=True))


def test_servers_that_start_at_once_share_an_empty_database(postgres: Server, name: str) -> None:
    servers = [in_process(postgres, name) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads, ExitStack() as stack:
        one, other = threads.map(stack.enter_context, servers)
        session = one.register("ada@x.test")["session"]
        assert other.register("ada@x.test")["status"] == "email-already-registered"
        added = other.register("bea@x.test", token=session["token"])
        assert added["status"] == "action-successful"


def test_a_lost_database_is_a_crash_in_one_line_and_is_used_again_when_it_is_back(
    mortal: Server, caplog: pytest.LogCaptureFixture
) -> None:
    name = mortal.made()
    with in_process(mortal, name) as server:

        def status(email: str) -> str:
            return str(server.register(email)["status"])

        with ThreadPoolExecutor(MAX_CONNECTIONS) as threads, nobody_writes(mortal, name):
            first = [threads.submit(status, f"{n}@x.test") for n in range(MAX_CONNECTIONS)]
            until(lambda: waiting(mortal, name) == MAX_CONNECTIONS)
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
    told = (
        rf"\w+: crash: the database {place} cannot be reached, or is too busy:"
        r" no connection within [\d.]+ seconds: .*"
    )
    (line,) = caplog.messages
    assert re.fullmatch(told, line)


def refused(*options: str, **env: str) -> str:
    """The one line that a server says which cannot start."""
    return refusal(call("serve", "--reference", "--port", "0", *options, env=env))


def refusal(ended: Done | CompletedProcess[str]) -> str:
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert PASSWORD not in line
    assert IN_URL not in line
    return line


@pytest.mark.smoke
def test_a_database_that_cannot_be_reached_is_one_line() -> None:
    with reserved_port() as port:
        url = f"postgresql://ada:{IN_URL}@127.0.0.1:{port}/clients"
        line = refused(CLIENTS_REGISTER_STORE=url)
    assert f"the database postgresql://127.0.0.1:{port}/clients cannot be reached: " in line


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("sslmode=require", "SSL"),
        ("sslmode=bogus", "sslmode"),
        ("target_session_attrs=bogus", "target_session_attrs"),
    ],
)
def test_options_of_the_database_url_reach_the_driver(
    postgres: Server, name: str, option: str, message: str
) -> None:
    # The server of the tests has no TLS.
    assert message in refused(CLIENTS_REGISTER_STORE=f"{postgres.url(name)}?{option}")


def test_the_database_url_may_turn_tls_off(postgres: Server, name: str, email: str) -> None:
    url = {"CLIENTS_REGISTER_STORE": f"{postgres.url(name)}?sslmode=disable"}
    with serving(*REFERENCE, "--port", "0", env=url) as process:
        assert register_at(process.url, email)["code"] == 200


def test_a_driver_that_is_not_installed_is_one_line_with_the_way_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError(\"No module named 'psycopg'\")")
    url = f"postgresql://ada:{IN_URL}@127.0.0.1/clients"
    env = {"PYTHONPATH": str(tmp_path), "CLIENTS_REGISTER_STORE": url}
    line = refusal(run("serve", "--reference", "--port", "0", env=env))
    assert "expected the driver psycopg to be installed, found that No module named" in line
    assert line.endswith("python -m pip install 'clients-register[postgres]'")


def test_the_suite_finds_nothing_in_a_server_on_it(
    postgres: Server, name: str, tmp_path: Path
) -> None:
    with in_process(postgres, name) as server:
        code, report, text = verified(tmp_path, base(server), "--strict")
    assert (code, bad(report)) == (0, {}), text
