"""`serve --memory`: everything works without writing any file."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import serving
from support.live import Live, LiveStub, register_at
from support.records import about_to_register, mail, register_client, session
from support.suite import bad, base, verified

from clients_register.handlers.settings import Settings
from clients_register.handlers.store.journaled import storage
from clients_register.handlers.store.journaled.no_disk import NO_DISK
from clients_register.handlers.store.tinydb import TinyDBStore

pytestmark = pytest.mark.files

MODES = pytest.mark.parametrize("mode", [[], ["--reference", "--bcrypt-cost=4"]], ids=str)

# Not even root can create a file there.
READ_ONLY = Path("/proc")


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, in which no file may appear."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def in_memory(**changes: Any) -> Settings:
    return Settings(**{"memory": True, "port": 0, "bcrypt_cost": 4, **changes})


@pytest.mark.skipif(sys.platform != "linux", reason="needs a directory that root cannot write to")
@MODES
def test_it_runs_in_a_directory_that_is_read_only(mode: list[str]) -> None:
    with serving("--memory", *mode, cwd=READ_ONLY) as process:
        assert register_at(process.url, "ada@x.test")["status"] == "action-successful"
        assert register_at(process.url, "ada@x.test")["status"] == "email-already-registered"
        process.end_input()
        ended = process.ended()
    assert (ended.code, ended.err) == (0, "")


@MODES
def test_it_says_that_the_data_are_in_memory(mode: list[str], empty: Path) -> None:
    with serving("--memory", *mode, cwd=empty) as process:
        place = r"^  data       in memory, gone when the server stops \(\d+ clients\)$"
        assert re.search(place, process.banner, re.M)
        assert "  mail       kept in memory, nothing leaves this machine\n" in process.banner
        process.end_input()
        assert process.ended().code == 0


def test_all_of_a_stub_works_without_a_file() -> None:
    with LiveStub(in_memory()) as stub:
        for world in (None, "one"):
            assert stub.registered("ada@x.test", world) == "action-successful"
            assert stub.registered("ada@x.test", world) == "email-already-registered"
            assert len(stub.control("GET", "/outbox", world=world).json()) == 1
        stub.control("POST", "/reset")
        assert stub.registered("ada@x.test") == "action-successful"
        assert stub.control("DELETE", "/worlds/one").status_code == 200
        assert stub.registered("ada@x.test", "one") == "action-successful"
        assert stub.http.get(f"{stub.origin}/_health").status_code == 200


@pytest.mark.parametrize("serve", [Live, LiveStub])
def test_each_server_begins_anew_and_alone(serve: Callable[[Settings], Live]) -> None:
    reference = serve is Live
    with serve(in_memory(reference=reference)) as one:
        assert one.register("ada@x.test")["code"] == 200
        with serve(in_memory(reference=reference)) as other:
            assert other.register("ada@x.test")["code"] == 200
    with serve(in_memory(reference=reference)) as later:
        assert later.register("ada@x.test")["code"] == 200


def test_the_suite_finds_nothing_in_a_server_in_memory(tmp_path_factory: Any) -> None:
    with LiveStub(in_memory()) as stub:
        code, report, text = verified(tmp_path_factory.mktemp("report"), base(stub), "--strict")
    assert (code, bad(report)) == (0, {}), text


async def test_a_compaction_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MIN_COMPACTION_SIZE", 0)
    store = TinyDBStore(Path("memory"), public_allowed=True, disk=NO_DISK)
    made = await register_client(store, about_to_register("ada@x.test"), None)
    for number in range(20):
        await store.put_session(session(f"{number}", made.id))
        await store.add_mail(mail(f"{number}@x.test"))
    await store.check_available()
    assert len(await store.mails()) == len(await store.sessions()) == 20
    assert await store.users() == (made,)
    await store.close()
