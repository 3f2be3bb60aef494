"""`clients-register hash-password`: the hash for a seed, and no trace of the password."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import bcrypt
import pytest
import yaml
from support.command import COMMAND, Done, call, environment
from support.limits import kill_when_hung

from clients_register.handlers import hash_password
from clients_register.handlers.seed import load_seed

PASSWORD = "s3cret-7f3a pässword"

EXPECTED = "expected a password of 1 to 72 bytes of UTF-8 without NUL, found one that is"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, with a password on its standard input."""

    def command(password: bytes, *options: str) -> Done:
        monkeypatch.setattr(hash_password, "DEFAULT_COST", 4)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(password)))
        return call("hash-password", *options)

    return command


def is_hash(ended: Done, password: bytes) -> bool:
    assert (ended.returncode, ended.stderr) == (0, "")
    (line,) = ended.stdout.splitlines()
    return bcrypt.hashpw(password, line.encode()) == line.encode()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_line_break_at_the_end_is_not_a_part_of_the_password(command: Any, end: str) -> None:
    assert is_hash(command((PASSWORD + end).encode()), PASSWORD.encode())


@pytest.mark.parametrize("password", [" a b ", "a\n", "a\nb", "a\r\nb", "p" * 72])
def test_everything_else_is(command: Any, password: str) -> None:
    assert is_hash(command(f"{password}\n".encode()), password.encode())


def test_each_hash_has_a_salt_of_its_own(command: Any) -> None:
    assert command(b"a").stdout != command(b"a").stdout


def test_a_user_of_a_seed_can_have_the_hash(command: Any, start: Any, tmp_path: Path) -> None:
    found = command(PASSWORD.encode()).stdout.strip()
    user = {"id": 1, "email": "ada@x.test", "roles": ["liaison"], "password_hash": found}
    seed = tmp_path / "seed.yaml"
    seed.write_text(yaml.safe_dump({"users": [user]}), "utf-8")
    assert load_seed(seed, reference=True).sections["users"] == [user]
    live = start(seed=seed, reference=True)
    other = live.register("ada@x.test", client={"password": "another one"})
    assert other["status"] == "client-validation-failed"
    assert live.register("ada@x.test", client={"password": PASSWORD})["code"] == 200


@pytest.mark.parametrize(
    ("options", "cost"), [(["--cost", "5"], "05"), (["--cost=6"], "06")], ids=str
)
def test_the_cost_can_be_chosen(command: Any, options: list[str], cost: str) -> None:
    assert command(b"a", *options).stdout.startswith(f"$2b${cost}$")


def test_the_cost_is_by_default_that_of_the_reference(command: Any) -> None:
    assert hash_password.DEFAULT_COST == 12
    assert "(default: 12)" in " ".join(call("hash-password", "--help").stdout.split())
    assert command(b"a").stdout.startswith("$2b$04$"), "a cheaper one for tests"


@pytest.mark.parametrize(
    ("password", "told"),
    [
        (b"", f"{EXPECTED} empty; choose another"),
        (b"\n", f"{EXPECTED} empty; choose another"),
        (b"s3cret" * 13, f"{EXPECTED} too long; choose another"),
        ("ä".encode() * 37, f"{EXPECTED} too long; choose another"),
        (b"s3cret\0", f"{EXPECTED} malformed; choose another"),
        (b"s3cret\xff", "expected a password in UTF-8, found another encoding; convert it, .*"),
    ],
    ids=ascii,
)
def test_a_password_that_bcrypt_cannot_keep_is_one_line_and_exit_1(
    command: Any, password: bytes, told: str
) -> None:
    ended = command(password)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"clients-register hash-password: {told.removesuffix('.*')}")
    assert "s3cret" not in line


def test_without_any_input_the_password_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    ended = call("hash-password")
    assert (ended.returncode, f"{EXPECTED} empty" in ended.stderr) == (1, True)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["s3cret"], "expected no argument besides --cost COST, .* found another; write "),
        (["--password", "s3cret"], "expected no argument besides --cost COST, "),
        (["--password=s3cret"], "expected no argument besides --cost COST, "),
        (["--cost", "s3cret"], "argument --cost: expected a whole number from 4 to 31, found some"),
        (["--cost", "3"], "argument --cost: expected a whole number from 4 to 31, found some"),
        (["--cost", "32"], "argument --cost: expected a whole number from 4 to 31, found some"),
    ],
    ids=str,
)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    command: Any, argv: list[str], told: str
) -> None:
    ended = command(b"a", *argv)
    assert (ended.returncode, ended.stdout) == (2, "")
    beginning, _, end = told.partition(".*")
    *_, line = ended.stderr.splitlines()
    assert line.startswith(f"clients-register hash-password: error: {beginning}")
    assert end in line
    assert "s3cret" not in ended.stderr


def read_until(stream: IO[bytes], end: bytes) -> bytes:
    read = b""
    while not read.endswith(end):
        byte = stream.read(1)
        assert byte, read
        read += byte
    return read


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("second", [PASSWORD, "another one"], ids=["equal", "different"])
def test_at_a_terminal_it_asks_twice_and_shows_nothing(second: str) -> None:
    ours, its = os.openpty()
    # Without a controlling terminal, so that it does not ask at that of the tests.
    with (
        os.fdopen(ours, "r+b", buffering=0) as terminal,
        subprocess.Popen(
            [*COMMAND, "hash-password", "--cost", "4"],
            stdin=its,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(PYTHONUTF8="1"),
            start_new_session=True,
        ) as process,
        kill_when_hung(process),
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        for prompt, password in (("Password: ", PASSWORD), ("Repeat the password: ", second)):
            read_until(process.stderr, prompt.encode())
            terminal.write(f"{password}\n".encode())
        out, err = process.stdout.read().decode(), process.stderr.read().decode()
        os.set_blocking(ours, False)
        assert not terminal.read()
        os.close(its)
    if second == PASSWORD:
        assert is_hash(Done(process.returncode, out, err.lstrip("\n")), PASSWORD.encode())
    else:
        assert (process.returncode, out) == (1, "")
        assert "expected the same password twice, found two; start again" in err
    assert PASSWORD not in out + err
