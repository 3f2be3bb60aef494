"""Runs in which something fails that is no fault of the target's rules: what is reported, and how.

The exit code of a violation is for violations alone.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import join
from typing import Any, NoReturn

import pytest
from support.command import COMMAND, call, environment, reserved_port
from support.limits import LIMIT
from support.live import LiveStub
from support.suite import answering, base, fuzzed, report, verified

from clients_register.conformance import commands, runner
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.fuzz import command
from clients_register.conformance.fuzz.checker import Checker
from clients_register.conformance.http_client import (
    HttpClient,
    HttpRequest,
    HttpResponse,
    NoResponse,
)
from clients_register.conformance.report import load_report, render_json
from clients_register.conformance.response import parse_body
from clients_register.spec.statuses import load_statuses

# Coverage would double the time that it takes, and other tests reach the same lines.
pytestmark = pytest.mark.no_cover

ONE = ("--only", "route/post-registers")
FEW = ("--layer", "sequences", "--requests", "10", "--seed", "1")


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


# Responses of the control plane when a world is deleted: to the list of worlds, or to the DELETE.
CLEAN_UPS: dict[str, tuple[str, bytes | None]] = {
    "500": ("DELETE", b'{"detail": "no"}'),
    "no JSON": ("GET", b"<html>"),
    "numbers": ("GET", b"[1, 2]"),
    "an object": ("GET", b'{"worlds": []}'),
    "null": ("GET", b"null"),
    "nested": ("GET", deep(900)),
    "too nested": ("GET", deep(100_000)),
    "time-out": ("DELETE", None),
}


@contextmanager
def unclean(stub: LiveStub, monkeypatch: pytest.MonkeyPatch, clean_up: str) -> Iterator[str]:
    """The base URL of a stub that deletes no world."""
    asked, body = CLEAN_UPS[clean_up]
    send = HttpClient.send

    async def timed_out(client: HttpClient, request: HttpRequest) -> HttpResponse:
        if request.method == "DELETE" and "/worlds/" in request.target:
            raise NoResponse("time-out", "no response within 10 seconds")
        return await send(client, request)

    def answer(method: str, path: str) -> tuple[int, bytes] | None:
        if method != asked or not path.startswith("/_mock/worlds") or body is None:
            return None
        return (500 if method == "DELETE" else 200), body

    if body is None:
        monkeypatch.setattr(HttpClient, "send", timed_out)
    with answering(answer, stub.origin) as url:
        yield url


@pytest.mark.parametrize("clean_up", CLEAN_UPS)
def test_a_clean_up_that_fails_is_a_warning_in_the_report_of_the_cases(
    stub: LiveStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_up: str
) -> None:
    with unclean(stub, monkeypatch, clean_up) as url:
        code, told, said = verified(tmp_path, url, *ONE, "--html", str(tmp_path / "page.html"))
    assert code == ExitCode.SUCCESS
    (warning,) = told["warnings"]
    assert "worlds that may be left on the stub: conformance-" in warning
    assert f"warning: {warning[:60]}" in said
    assert warning[:60] in (tmp_path / "page.html").read_text("utf-8")
    assert load_report(tmp_path / "report.json") == told


@pytest.mark.parametrize("clean_up", CLEAN_UPS)
def test_a_clean_up_that_fails_is_a_warning_in_the_report_of_a_campaign(
    stub: LiveStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_up: str
) -> None:
    with unclean(stub, monkeypatch, clean_up) as url:
        code, told, said = fuzzed(tmp_path, url, *FEW)
    assert code == ExitCode.SUCCESS
    assert "worlds that may be left on the stub: fuzz-" in told["warnings"][-1]
    assert "warning: worlds that may be left" in said


def test_where_everything_is_cleaned_up_there_is_no_warning(
    shared_stub: LiveStub, tmp_path: Path
) -> None:
    _, told, said = verified(tmp_path, base(shared_stub), *ONE)
    assert told["warnings"] == []
    assert "warning" not in said


class Broken(RuntimeError):
    """An error that nothing accounts for."""


def broken(*_: Any, **__: Any) -> NoReturn:
    raise Broken("the lights went out")


@pytest.mark.parametrize(
    ("module", "name"), [(runner, "check_invariants"), (runner, "apply_profile")]
)
def test_a_defect_of_the_suite_is_reported_and_no_violation(
    shared_stub: LiveStub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
) -> None:
    monkeypatch.setattr(module, name, broken)
    code, told, said = verified(tmp_path, base(shared_stub), "--only", "route/*")
    assert code == ExitCode.DEFECT
    assert "a defect: Broken: the lights went out" in {each["reason"] for each in told["cases"]}
    assert "Traceback" not in said


def test_a_defect_in_a_campaign_is_reported_and_no_violation(
    shared_stub: LiveStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checker, "check", broken)
    code, told, said = fuzzed(tmp_path, base(shared_stub), *FEW)
    assert code == ExitCode.DEFECT
    assert told["fuzz"]["why"] == "a defect: Broken: the lights went out"
    assert "Traceback" not in said


def test_a_campaign_that_cannot_even_start_leaves_the_report_of_the_cases(
    shared_stub: LiveStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run_campaign", broken)
    argv = (*ONE, "--fuzz", "10", "--corpus", str(tmp_path / "corpus"))
    code, told, said = verified(tmp_path, base(shared_stub), *argv)
    assert code == ExitCode.DEFECT
    assert "fuzzing failed: a defect: Broken" in said
    assert [each["verdict"] for each in told["cases"]] == ["pass"]


def test_a_defect_before_the_first_request_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "describe_plan", broken)
    done = call("plan", "http://127.0.0.1:1")
    assert done.returncode == ExitCode.DEFECT
    line = "clients-register plan: a defect: Broken: the lights went out; please report it\n"
    assert (done.stdout, done.stderr) == ("", line)


ODD_ANSWERS = {
    "nested": b'{"status": "action-successful", "code": 200, "data": ' + deep(900) + b"}",
    "just within": b'{"status": "action-successful", "code": 200, "data": ' + deep(99) + b"}",
    "infinite": b'{"status": "action-successful", "code": 200, "data": {"id": 1e999}}',
    "true": b'{"status": "action-successful", "code": 200, "data": {"id": true}}',
    "long": b'{"status": "action-successful", "code": 200, "data": {"id": %s}}' % (b"9" * 4000),
    "many digits": b'{"status": "action-successful", "code": 200, "data": %s}' % (b"9" * 9000),
}


@pytest.mark.parametrize("body", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_a_report_of_odd_answers_is_written_and_read(tmp_path: Path, body: bytes) -> None:
    def answer(_method: str, path: str) -> tuple[int, bytes]:
        if path.endswith("/elsewhere"):
            row = load_statuses().for_rule("route_exists")
            return row.code, json.dumps({"code": row.code, "status": row.slug}).encode()
        return 200, body

    files = [f"--{name}={tmp_path / name}" for name in ("html", "junit", "markdown")]
    with answering(answer) as url:
        code, _, said = verified(tmp_path, url, "--only", "route/*", *files)
        assert code in (ExitCode.VIOLATION, ExitCode.DEFECT)
        fuzzing, _, more = fuzzed(tmp_path, url, "--requests", "30", "--seed", "1")
        assert fuzzing == ExitCode.VIOLATION
    assert "Traceback" not in said + more
    for name in ("report.json", "fuzz.json"):
        json.loads((tmp_path / name).read_text("utf-8"), parse_constant=broken)
        assert call("report", str(tmp_path / name)).returncode == ExitCode.SUCCESS


@pytest.mark.parametrize(("levels", "parsed"), [(1, True), (100, True), (101, False)])
def test_the_depth_of_a_response_is_limited(levels: int, *, parsed: bool) -> None:
    document = parse_body(HttpResponse(200, (), deep(levels), 0.0, b"")).document
    assert isinstance(document, list) is parsed


REPORTS = ("--report", "--html", "--junit", "--markdown", "--badge", "--har")
LONG = "x" * 300


@pytest.mark.parametrize("option", REPORTS)
@pytest.mark.parametrize("place", [LONG, f"folder/{LONG}/report"], ids=["name", "folder"])
def test_reports_are_opened_before_anything_is_sent(
    stub: LiveStub, tmp_path: Path, option: str, place: str
) -> None:
    done = call("verify", base(stub), option, place, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "File name too long" in done.stderr
    assert "Traceback" not in done.stderr
    assert stub.control("GET", "/requests").json() == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("command", [("verify",), ("fuzz", "--order", "order.csv")], ids=" ".join)
def test_a_place_where_only_opening_shows_that_nothing_can_be_written(
    stub: LiveStub, tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = call(command[0], base(stub), *command[1:], "--html", "/proc/no/page", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    (line,) = done.stderr.splitlines()[-1:]
    assert "/proc/no/page cannot be" in line
    assert stub.control("GET", "/requests").json() == []
    assert not (tmp_path / "order.csv").exists()


@pytest.mark.parametrize("other", ["same", "./same", "link", "folder/../same"])
@pytest.mark.parametrize("command", ["verify", "fuzz"])
def test_two_reports_in_one_file_are_refused_before_anything_is_sent(
    stub: LiveStub, tmp_path: Path, command: str, other: str
) -> None:
    (tmp_path / "link").symlink_to("same")
    (tmp_path / "folder").mkdir()
    done = call(command, base(stub), "--report", "same", "--junit", other, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert f"expected a file of its own for each output, found {Path(other)} twice" in done.stderr
    assert stub.control("GET", "/requests").json() == []
    assert not (tmp_path / "same").exists()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("--html", "x", "--junit", "x"), "a file of its own for each output, found x twice"),
        (("--html", "report.json"), "another file than the report itself, found report.json"),
        (("--html", "./link"), "another file than the report itself, found report.json"),
    ],
)
def test_a_report_is_converted_into_files_of_their_own(
    tmp_path: Path, argv: tuple[str, ...], told: str
) -> None:
    (tmp_path / "report.json").write_text(render_json(report()), "utf-8")
    (tmp_path / "link").symlink_to("report.json")
    done = call("report", "report.json", *argv, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr == f"clients-register report: expected {told}\n"
    assert load_report(tmp_path / "report.json") == report()


def test_the_folder_of_a_report_is_created(shared_stub: LiveStub, tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "report.xml"
    done = call("verify", base(shared_stub), *ONE, "--junit", str(file))
    assert (done.returncode, done.stderr) == (ExitCode.SUCCESS, "")
    assert file.exists()


def test_a_run_that_reports_nothing_leaves_files_as_they_were(tmp_path: Path) -> None:
    before, new = tmp_path / "before.json", tmp_path / "new.html"
    before.write_text("of an earlier run", "utf-8")
    with reserved_port() as port:
        argv = (f"http://127.0.0.1:{port}", "--report", str(before), "--html", str(new))
        assert call("verify", *argv).returncode == ExitCode.UNREACHABLE
    assert before.read_text("utf-8") == "of an earlier run"
    assert not new.exists()


def test_a_report_replaces_a_longer_one(shared_stub: LiveStub, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("x" * 1_000_000, "utf-8")
    code, told, _ = verified(tmp_path, base(shared_stub), *ONE)
    assert (code, told["exit_code"]) == (ExitCode.SUCCESS, ExitCode.SUCCESS)


def in_shell(redirection: str, *argv: str, cwd: Path) -> tuple[int, str]:
    """The exit code of a command with redirected output, and what is left of it."""
    done = subprocess.run(
        f"{join([*COMMAND, *argv])} {redirection}",
        check=False,
        shell=True,
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
    )
    return done.returncode, done.stdout


FUZZING = ("fuzz", "URL", *FEW)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("argv", "redirection", "expected"),
    [
        (("verify", "URL", *ONE), ">&-", (ExitCode.SUCCESS, 0)),
        (("verify", "URL", *ONE), "2>&-", (ExitCode.SUCCESS, 3)),
        (("verify", "URL", *ONE), "2>/dev/full", (ExitCode.SUCCESS, 3)),
        (("verify", "URL", *ONE), ">&- 2>&-", (ExitCode.SUCCESS, 0)),
        (("verify", "URL", *ONE), "2>&1 >/dev/full", (ExitCode.USAGE, 1)),
        (("verify", "URL", *ONE), ">/dev/full 2>/dev/full", (ExitCode.USAGE, 0)),
        (("verify", "URL", "--quiet", *ONE), "2>&1 >/dev/full", (ExitCode.USAGE, 1)),
        (("verify", "nowhere"), "2>&-", (ExitCode.USAGE, 0)),
        (("verify", "nowhere"), "2>/dev/full", (ExitCode.USAGE, 0)),
        (FUZZING, ">&-", (ExitCode.SUCCESS, 1)),
        (FUZZING, "2>&1 >/dev/full", (ExitCode.USAGE, 2)),
        (("smoke", "URL"), "2>&1 >/dev/full", (ExitCode.USAGE, 1)),
        (("list",), "2>&1 >/dev/full", (ExitCode.USAGE, 1)),
        (("report", "report.json"), ">&-", (ExitCode.SUCCESS, 0)),
        (("report", "report.json"), "2>&1 >/dev/full", (ExitCode.USAGE, 1)),
    ],
    ids=str,
)
def test_output_that_goes_nowhere_is_no_violation(
    shared_stub: LiveStub,
    tmp_path: Path,
    argv: tuple[str, ...],
    redirection: str,
    expected: tuple[ExitCode, int],
) -> None:
    """`expected` are the exit code, and how many lines are left of the output."""
    if "/dev/full" in redirection and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    (tmp_path / "report.json").write_text(render_json(report()), "utf-8")
    asked = [base(shared_stub) if word == "URL" else word for word in argv]
    writing = ["--report", "written.json"] if "URL" in argv and argv[0] != "smoke" else []
    ended, said = in_shell(redirection, *asked, *writing, cwd=tmp_path)
    assert (ended, said.count("\n")) == expected, said
    if writing:
        assert load_report(tmp_path / "written.json")["exit_code"] == ExitCode.SUCCESS


ODD_FILES = {
    "nested": "[" * 5000,
    "in itself": "profile: 1\nname: x\nbase_url: http://127.0.0.1\narrange: &a {clock: *a}\n",
    "a month too many": "since: 2026-13-45\n",
    "digits": f"profile: {'1' * 5000}\n",
    "no number": "profile: 0x_\n",
}


@pytest.mark.parametrize("text", ODD_FILES.values(), ids=ODD_FILES)
@pytest.mark.parametrize("kind", ["profile", "corpus", "report"])
def test_a_file_that_no_parser_can_read_is_wrong_usage(
    tmp_path: Path, kind: str, text: str
) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text, "utf-8")
    argv = {
        "profile": ("verify", "--profile", str(file)),
        "corpus": ("fuzz", "http://127.0.0.1:1", "--corpus", str(tmp_path)),
        "report": ("report", str(file)),
    }[kind]
    done = call(*argv)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "odd.yaml" in done.stderr
    assert "a defect" not in done.stderr


def test_a_report_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    sample = report()
    sample["cases"][0]["exchanges"][0]["answer"]["envelope"] = json.loads(deep(500))
    file = tmp_path / "report.json"
    file.write_text(json.dumps(sample), "utf-8")
    done = call("report", str(file))
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "more than" in done.stderr
