"""`clients-register serve` as a process: what it says, and what a mistake costs."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import httpx2
import pytest
from support.command import (
    COMMAND,
    Process,
    call,
    environment,
    listens,
    needs_ipv6,
    reserved_port,
    serving,
    started,
)
from support.limits import LIMIT, communicate, until
from support.live import Live, register_at
from support.store import clients_in

from clients_register.handlers.app import App, _unknown_path
from clients_register.handlers.resources import Product
from clients_register.handlers.serve import FEW_FILES, open_listener
from clients_register.handlers.server import build_banner


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="module")
def process(directory: Path) -> Iterator[Process]:
    """One server for the tests that only look at it, or register with it."""
    with serving(cwd=directory) as running:
        yield running


def test_it_says_where_it_listens_where_the_data_is_and_what_becomes_of_mails(
    process: Process, directory: Path
) -> None:
    assert re.search(r"^clients-register \d\S*, the stub$", process.banner, re.M)
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*/api/v1/clients/register", process.url)
    data = re.escape(str(directory / "clients-register.json"))
    assert re.search(rf"^  data file  {data} \(\d+ clients\)$", process.banner, re.M)
    assert "  mail       kept in the data file, nothing leaves this machine\n" in process.banner


def test_it_says_which_pages_there_are_and_they_are_there(process: Process) -> None:
    pages = dict(re.findall(r"^  (console|documents) +(http://\S+)$", process.banner, re.M))
    codes = {name: httpx2.get(url, timeout=LIMIT).status_code for name, url in pages.items()}
    assert codes == {"console": 200, "documents": 200}


def test_the_reference_says_that_it_is_one_has_no_pages_and_says_nothing_at_its_end(
    tmp_path: Path,
) -> None:
    with serving("--reference", "--data", str(tmp_path / "data.json")) as reference:
        assert re.search(r"^clients-register \d\S*, the plain reference$", reference.banner, re.M)
        assert "_mock" not in reference.banner
        reference.tell(signal.SIGTERM)
        ended = reference.ended()
    assert (ended.code, ended.out.strip(), ended.err) == (0, "", "")


def test_the_stub_says_at_its_end_which_statuses_were_met(tmp_path: Path) -> None:
    with serving("--data", str(tmp_path / "data.json")) as process:
        httpx2.get(process.url, timeout=LIMIT)
        process.tell(signal.SIGTERM)
        ended = process.ended()
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"^Statuses met: 1 of 18$", ended.out, re.M)
    met, _, never = ended.out.partition("never met: ")
    assert "route-non-existent" in met
    assert "action-successful" in never


@pytest.mark.skipif(which("curl") is None or which("bash") is None, reason="needs bash and curl")
def test_the_line_it_prints_registers_a_client_when_it_is_pasted(process: Process) -> None:
    pasted = subprocess.run(
        ["bash", "-c", process.curl], check=True, capture_output=True, env=environment(), text=True
    )
    envelope = json.loads(pasted.stdout)
    assert (envelope["code"], envelope["status"]) == (200, "action-successful")
    assert pasted.stderr == ""


def test_what_was_registered_is_in_the_file_that_it_named(
    process: Process, directory: Path, email: str
) -> None:
    assert register_at(process.url, email)["code"] == 200
    assert email in clients_in(directory / "clients-register.json")


def plain(live: Live) -> Product:
    """A product of which only the services matter."""
    return Product(App(_unknown_path, live.services, live.settings.max_body), live.services)


@pytest.mark.parametrize(
    ("host", "shown", "reached"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1"),
        ("::1", "[::1]", "[::1]"),
        ("::", "[::]", "[::1]"),
    ],
)
def test_the_address_in_the_line_can_be_reached_from_here(
    shared: Live, host: str, shown: str, reached: str
) -> None:
    if ":" in host:
        needs_ipv6()
    with open_listener(host, 0) as listener:
        text = shared.run(build_banner(shared.settings, plain(shared), listener))
        port = listener.getsockname()[1]
    assert f"listening  http://{shown}:{port}/api/v1/clients/register\n" in text
    curl = next(line for line in text.splitlines() if "curl" in line)
    assert f"http://{reached}:{port}/api/v1/clients/register" in curl


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6 and IPv4 on one socket")
def test_the_unspecified_ipv6_address_listens_on_both_families() -> None:
    with open_listener("::", 0) as listener:
        port = listener.getsockname()[1]
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, port), timeout=LIMIT).close()


def test_the_address_in_the_line_is_one_that_is_still_free(live: Live) -> None:
    for number in ("", "+2"):
        live.register(f"Ada{number}@example.test")
    with open_listener("127.0.0.1", 0) as listener:
        text = live.run(build_banner(live.settings, plain(live), listener))
    assert '"email": "ada+3@example.test"' in text


@pytest.mark.parametrize("limit", [FEW_FILES - 1, FEW_FILES])
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows limits of other processes")
def test_a_server_raises_its_limit_of_open_files_and_warns_of_few(
    tmp_path: Path, limit: int
) -> None:
    import resource

    limited = f'ulimit -Sn 100; ulimit -Hn {limit}; exec "$@"'
    command = ("sh", "-c", limited, "sh", *COMMAND)
    with started("--port=0", cwd=tmp_path, command=command) as process:
        process.greet()
        soft, _ = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        process.end_input()
        warnings = process.ended().err.splitlines()
    assert soft == limit
    assert [f"only {limit} files may be open" in each for each in warnings] == (
        [True] if limit < FEW_FILES else []
    )


def test_it_serves_although_nobody_reads_what_it_says(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data.json"))
    with reserved_port() as port, started("--port", str(port), *data) as process:
        process.stop_reading()
        until(lambda: listens(("127.0.0.1", port)))
        url = f"http://127.0.0.1:{port}/api/v1/clients/register"
        assert httpx2.post(url, timeout=LIMIT).status_code == 400
        process.tell(signal.SIGTERM)
        ended = process.ended()
    assert (ended.code, ended.err) == (0, "")


def complaint(*options: str, **env: str) -> tuple[int, str]:
    """The exit code of a server that cannot start, and the one line that it said why."""
    ended = call("serve", *options, env=env)
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("clients-register serve: ")
    return ended.returncode, line


@pytest.mark.parametrize(
    ("options", "env", "told"),
    [
        (["--port", "http"], {}, "--port: expected a whole number from 0 to 65535, found 'http'"),
        (["--mail", "mandrill"], {}, "CLIENTS_REGISTER_MANDRILL_KEY, found none"),
        ([], {"CLIENTS_REGISTER_PORTS": "1"}, "did you mean CLIENTS_REGISTER_PORT?"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_used_is_one_line_and_exit_2(
    options: list[str], env: dict[str, str], told: str
) -> None:
    code, line = complaint(*options, **env)
    assert (code, line.endswith(told)) == (2, True)


def test_a_port_in_use_is_one_line_and_leaves_no_data_file(tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code, line = complaint("--port", str(port), "--data", str(data))
    assert code == 1
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use; " in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("", None),
        ("missing/data.json", None),
        ("data.json", "{"),
        ("data.json", "[]"),
        ("data.json", '{"customers": {}}'),
        ("data.json", "\0"),
    ],
    ids=["a directory", "nowhere", "half", "a list", "another program's", "no text"],
)
def test_data_that_cannot_be_used_is_one_line_and_is_left_as_it_is(
    name: str, content: str | None, tmp_path: Path
) -> None:
    data = tmp_path / name
    if content is not None:
        data.write_text(content)
    code, line = complaint("--port", "0", "--data", str(data))
    assert code == 1
    assert f"the data file {data}" in line
    assert content is None or data.read_text() == content


def test_data_in_use_is_one_line_and_does_the_user_of_it_no_harm(
    process: Process, directory: Path
) -> None:
    data = directory / "clients-register.json"
    code, line = complaint("--port", "0", "--data", str(data))
    assert (code, f"the data file {data} is in use" in line) == (1, True)
    assert httpx2.post(process.url, timeout=LIMIT).status_code == 400


def test_a_seed_that_cannot_be_used_is_one_line_and_leaves_no_data_file(tmp_path: Path) -> None:
    code, line = complaint("--port", "0", "--seed", "/no/seed.yaml", "--data", str(tmp_path / "d"))
    assert (code, "the seed /no/seed.yaml" in line) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "env",
    [{"CLIENTS_REGISTER_CONTROL_TOKEN": "md-Abc_123"}, {"CLIENTS_REGISTER_REFERENCE": "yes"}],
    ids=str,
)
@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-machine.invalid"])
def test_an_address_that_is_not_of_this_machine_is_one_line(host: str, env: dict[str, str]) -> None:
    code, line = complaint("--host", host, **env)
    assert (code, f"cannot listen on {host} port 4018" in line) == (1, True)


@pytest.mark.skipif(os.name != "posix" or which("bash") is None, reason="needs bash and ulimit")
def test_a_disk_without_room_for_the_data_is_one_line(tmp_path: Path) -> None:
    # Without what measures coverage: it could not write either, and says so.
    script = (
        'unset "${!COVERAGE_@}"; ulimit -f 1;'
        ' exec "$0" -m clients_register serve --port 0 --data "$1"'
    )
    ended = subprocess.run(
        ["bash", "-c", script, sys.executable, str(tmp_path / "data.json")],
        check=False,
        capture_output=True,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        text=True,
    )
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert line.startswith("clients-register serve: the data file ")
    assert "File too large" in line


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_behind_its_output_keeps_it_from_nothing(tmp_path: Path) -> None:
    script = 'exec "$0" -m clients_register serve --port "$1" --data "$2" >/dev/full'
    with (
        reserved_port() as port,
        subprocess.Popen(
            ["bash", "-c", script, sys.executable, str(port), str(tmp_path / "data.json")],
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            until(lambda: listens(("127.0.0.1", port)))
        finally:
            process.terminate()
        _, err = communicate(process)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--control-token", "t0ken-7f3a"], "control-token"),
        (["--reference", "--store", "postgresql://ada:t0ken-7f3a@127.0.0.1/clients"], "store"),
    ],
    ids=["control-token", "store"],
)
def test_a_secret_on_the_command_line_is_used_with_a_warning(options: list[str], name: str) -> None:
    elsewhere = ["--host", "no-such-machine.invalid"]
    ended = call("serve", *options, *elsewhere)
    warning, refusal = ended.stderr.splitlines()
    variable = f"CLIENTS_REGISTER_{name.replace('-', '_').upper()}"
    assert f"WARNING --{name}: expected its secret in the variable {variable}, found it" in warning
    assert "cannot listen" in refusal
    assert "t0ken" not in ended.stderr
    *others, secret = options
    by_variable = call("serve", *others[:-1], *elsewhere, env={variable: secret})
    assert by_variable.stderr == f"{refusal}\n"
