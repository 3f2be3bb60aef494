"""Reports of runs on real servers: their contents, and the secrets that they never contain."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.command import COMMAND, call, environment, serving
from support.limits import LIMIT, communicate, until
from support.live import Live, LiveStub
from support.suite import another_api, base, profile, verified

from clients_register.conformance.decision import ExitCode
from clients_register.conformance.request import encode_base64
from clients_register.spec.statuses import load_statuses

# Coverage would double the time that it takes, and other tests reach the same lines.
pytestmark = pytest.mark.no_cover


def test_a_report_holds_no_secret(shared_stub: LiveStub, tmp_path: Path) -> None:
    _, report, _ = verified(tmp_path, base(shared_stub), "--only", "R-CLIENT-CREATED")
    (exchange,) = report["cases"][0]["exchanges"]
    token = exchange["answer"]["envelope"]["session"]["token"]
    assert token.startswith("not-the-secret-")
    assert exchange["request"]["decoded"]["client"]["password"].startswith("not-the-secret-")


def test_a_token_that_people_prepared_is_in_no_report(shared: Live, tmp_path: Path) -> None:
    token = shared.register("prepared@tests.test")["session"]["token"]
    more = f"arrange: {{session-live: {{preset: {{token: {token}, user.email: x@tests.test}}}}}}"
    file = profile(tmp_path, base=base(shared), claims="core, tokens", more=more)
    _, report, _ = verified(tmp_path, "--profile", file, "--only", "token/of-a-live-session")
    (case,) = report["cases"]
    assert case["verdict"] == "pass"
    forms = [
        token,
        *(encode_base64(before + token.encode())[4:-4] for before in (b"", b"a", b"ab")),
    ]
    assert [form for form in forms if form in json.dumps(report)] == []


def test_a_key_of_the_profile_is_in_no_report_though_the_target_echoes_it(tmp_path: Path) -> None:
    key = "a-key-of-some-length-7f3a"
    body = json.dumps({"status": load_statuses().success.slug, "code": 200, "key": key}).encode()
    with another_api(200, body) as url:
        file = profile(tmp_path, base=url, more=f"headers: {{X-Key: {key}}}")
        _, report, said = verified(tmp_path, "--profile", file, "--only", "route/post-registers")
    assert report["cases"][0]["exchanges"]
    assert key not in json.dumps(report) + said


def test_what_was_made_is_listed(shared_stub: LiveStub, tmp_path: Path) -> None:
    _, report, _ = verified(tmp_path, base(shared_stub), "--only", "route/post-registers")
    (made,) = report["created"]
    assert made["email"].startswith("conformance.")
    assert isinstance(made["id"], int)


def test_a_report_that_cannot_be_written_is_no_verdict(
    shared_stub: LiveStub, tmp_path: Path
) -> None:
    argv = (base(shared_stub), "--only", "route/post-registers")
    whole = tmp_path / "out" / "whole.html"
    done = call("verify", *argv, "--report", "/dev/full", "--html", str(whole))
    assert done.returncode == ExitCode.USAGE
    assert done.stderr == "clients-register: /dev/full cannot be written: No space left on device\n"
    # Nothing else is kept from whoever waited for it.
    assert "the target conforms to the contract" in done.stdout
    assert whole.exists()


@pytest.mark.parametrize("option", ["--report", "--html", "--har", "--badge"])
@pytest.mark.parametrize("place", [".", "file/report"])
def test_where_no_report_can_be_written_nothing_is_sent(
    stub: LiveStub, tmp_path: Path, option: str, place: str
) -> None:
    (tmp_path / "file").write_text("")
    done = call("verify", base(stub), option, place, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert f"expected a file that can be written: {place} " in done.stderr
    assert stub.control("GET", "/requests").json() == []


def test_a_server_that_dies_meanwhile_is_a_defect(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with serving("--data", str(tmp_path / "data.json")) as server:
        target = server.url.removesuffix("/clients/register")
        worlds = f"{target.removesuffix('/api/v1')}/_mock/worlds"
        command = [*COMMAND, "verify", target, "--quiet", "--report", str(report)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        ) as process:
            until(
                lambda: (
                    sum(each["requests"] for each in httpx2.get(worlds, timeout=LIMIT).json())
                    >= ENOUGH
                )
            )
            server.tell(signal.SIGKILL)
            out, err = communicate(process)
    assert (process.returncode, err) == (ExitCode.DEFECT, "")
    assert "cases could not be judged" in out
    assert json.loads(report.read_text("utf-8"))["exit_code"] == ExitCode.DEFECT


ENOUGH = 12


def requests_in(worlds: list[dict[str, Any]]) -> int:
    return sum(each["requests"] for each in worlds)


@pytest.mark.parametrize(
    ("number", "then"),
    [(signal.SIGINT, ()), (signal.SIGTERM, ("--fuzz", "100000"))],
    ids=["SIGINT", "SIGTERM before fuzzing"],
)
def test_whoever_interrupts_learns_what_was_made(
    shared_stub: LiveStub, tmp_path: Path, then: tuple[str, ...], number: signal.Signals
) -> None:
    more = "limits: {requests_per_second: 20, parallel: 2}"
    file = profile(tmp_path, base=base(shared_stub), more=more)
    report = tmp_path / "report.json"
    command = [*COMMAND, "verify", "--profile", file, "--report", str(report), *then]
    shared_stub.control("DELETE", "/requests")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        # So many that a case is over, and somebody was registered.
        until(lambda: len(shared_stub.control("GET", "/requests").json()) >= ENOUGH)
        met = f"/requests?status={load_statuses().success.slug}"
        until(lambda: bool(shared_stub.control("GET", met).json()))
        process.send_signal(number)
        out, _ = communicate(process)
    assert process.returncode == ExitCode.INCONCLUSIVE
    assert "interrupted after" in out
    told = json.loads(report.read_text("utf-8"))
    assert told["created"]
    assert "fuzz" not in told
