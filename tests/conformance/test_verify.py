"""`clients-register verify` and its companions as people run them, on real servers."""

import json
import signal
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.live import Live
from support.process import COMMAND, PATIENCE, environment, run
from support.second import Second
from support.stub import LiveStub

from clients_register.conformance.encoding import encoded
from clients_register.conformance.verdicts import Exit
from clients_register.spec.catalogue import catalogue

PROFILE = """
profile: 1
name: {name}
base_url: {base}
claims: [{claims}]
email_domain: conformance.test
{more}
"""


def base(server: Live) -> str:
    return server.origin + server.settings.base_path


def verified(tmp_path: Path, *argv: str) -> tuple[int, dict[str, Any], str]:
    """The exit code, the report, and what was printed."""
    file = tmp_path / "report.json"
    done = run("verify", *argv, "--report", str(file))
    report = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return done.returncode, report, done.stdout + done.stderr


def profile(tmp_path: Path, **terms: str) -> str:
    file = tmp_path / "profile.yaml"
    usual = {"name": "some server", "claims": "core", "more": ""}
    file.write_text(PROFILE.format(**{**usual, **terms}), "utf-8")
    return str(file)


def bad(report: dict[str, Any]) -> dict[str, Any]:
    """The cases that did not pass, with what was found."""
    good = ("pass", "observed", "not-claimed", "not-arranged")
    return {
        case["id"]: case["reason"] or [f for f in case["findings"] if f["verdict"] != "pass"]
        for case in report["cases"]
        if case["verdict"] not in good
    }


def test_the_stub_keeps_every_case_strictly(shared_stub: LiveStub, tmp_path: Path) -> None:
    code, report, _ = verified(tmp_path, base(shared_stub), "--strict")
    assert bad(report) == {}
    assert report["summary"]["not-claimed"] == report["summary"]["not-arranged"] == 0
    assert (code, report["target"]["control"]) == (Exit.GOOD, True)


def test_the_reference_keeps_what_can_be_sent_to_it(shared: Live, tmp_path: Path) -> None:
    code, report, _ = verified(tmp_path, base(shared), "--strict")
    assert bad(report) == {}
    assert (code, report["target"]["control"]) == (Exit.GOOD, False)


def test_the_second_server_keeps_all_but_what_is_about_the_stub(
    second: Second, tmp_path: Path
) -> None:
    origin = f"http://127.0.0.1:{second.port}"
    claims = "core, tokens, mail, views, uncommon"
    file = profile(tmp_path, base=f"{origin}/api/v1", claims=claims, more=f"hook: {origin}/hooks")
    code, report, _ = verified(tmp_path, "--profile", file, "--strict")
    assert bad(report) == {}
    about = [case for case in report["cases"] if case["claims"] != "stub"]
    ran = [case for case in about if case["verdict"] in ("pass", "observed")]
    assert len(ran) >= 0.95 * len(about)
    assert code == Exit.GOOD


def test_a_report_holds_no_secret(shared_stub: LiveStub, tmp_path: Path) -> None:
    shared_stub.control("DELETE", "/requests")
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
    forms = [token, *(encoded(before + token.encode())[4:-4] for before in (b"", b"a", b"ab"))]
    assert [form for form in forms if form in json.dumps(report)] == []


def test_a_key_of_the_profile_is_in_no_report_though_the_target_echoes_it(tmp_path: Path) -> None:
    key = "a-key-of-some-length-7f3a"
    body = json.dumps({"status": catalogue().success.slug, "code": 200, "key": key}).encode()
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


def test_every_client_that_was_told_of_is_listed(shared_stub: LiveStub, tmp_path: Path) -> None:
    _, report, _ = verified(tmp_path, base(shared_stub))
    listed = {each["email"] for each in report["created"]}
    told = {
        exchange["answer"]["envelope"]["data"].get("email")
        for case in report["cases"]
        for exchange in case["exchanges"]
        if exchange["answer"] and exchange["answer"]["code"] == 200
        if case["claims"] != "stub"
    }
    assert told - listed <= {None}
    assert not any(email.endswith("@status.test") for email in listed)


def test_a_report_that_cannot_be_written_is_no_verdict(
    shared_stub: LiveStub, tmp_path: Path
) -> None:
    file = tmp_path / "nowhere" / "report.json"
    argv = (base(shared_stub), "--only", "route/post-registers", "--report", str(file))
    done = run("verify", *argv)
    assert (done.returncode, "cannot be written" in done.stderr) == (Exit.USAGE, True)


def test_a_hook_that_answers_otherwise_than_agreed_spoils_its_cases_alone(
    shared: Live, tmp_path: Path
) -> None:
    with another_api(200, b'["no object"]') as url:
        more = f"hook: {url}"
        file = profile(tmp_path, base=base(shared), claims="core, tokens", more=more)
        only = ("--only", "token/of-a-live-session", "--only", "token/none")
        code, report, said = verified(tmp_path, "--profile", file, *only)
    verdicts = {case["id"]: case["verdict"] for case in report["cases"]}
    assert verdicts == {"token/none": "pass", "token/of-a-live-session": "error"}
    assert (code, "Traceback" in said) == (Exit.DEFECT, False)


def test_a_plan_sends_nothing_and_tells_what_would_be(tmp_path: Path) -> None:
    file = profile(tmp_path, base="https://staging.test/api/v1")
    done = run("plan", "--profile", file)
    assert done.returncode == Exit.GOOD
    assert "staging.test" in done.stdout
    assert "clients created" in done.stdout


def test_where_nobody_listens_is_unreachable(tmp_path: Path) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as free:
        port = free.server_address[1]
    code, _, said = verified(tmp_path, f"http://127.0.0.1:{port}/api/v1")
    assert (code, "is the server running" in said) == (Exit.UNREACHABLE, True)


def test_another_api_is_unreachable(tmp_path: Path) -> None:
    with another_api() as url:
        code, _, said = verified(tmp_path, url)
    assert (code, "is not this API" in said) == (Exit.UNREACHABLE, True)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ((), "expected a URL or a --profile"),
        (("http://127.0.0.1:1", "--profile", "x.yaml"), "not both"),
        (("https://staging.test/api",), "write a profile"),
        (("http://127.0.0.1:1", "--only", "unheard-of"), "no case fits"),
        (("--profile", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_wrong_usage_is_one_line(argv: tuple[str, ...], told: str) -> None:
    done = run("verify", *argv)
    assert done.returncode == Exit.USAGE
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_half_claimed_profile_is_too_little(shared: Live, tmp_path: Path) -> None:
    more = "arrange: {client: unavailable}\nlimits: {writes: false}"
    file = profile(tmp_path, base=base(shared), more=more)
    code, report, said = verified(tmp_path, "--profile", file)
    assert (code, report["evidence"]["enough"]) == (Exit.TOO_LITTLE, False)
    assert "too little was run" in said


def test_a_known_failure_that_passes_fails_the_run(shared: Live, tmp_path: Path) -> None:
    known = 'known_failures: [{cases: "*", reason: "so it is said", since: "2026-11-25"}]'
    file = profile(tmp_path, base=base(shared), more=known)
    code, report, _ = verified(tmp_path, "--profile", file)
    assert report["summary"]["unexpected-pass"] > 0
    assert code == Exit.VIOLATION


def test_an_answer_of_the_profile_is_not_held_against_the_target(
    start: Callable[..., Live], tmp_path: Path
) -> None:
    origin = base(start(max_body=1000))
    argv = ("--strict", "--only", "limit/white-space-to-the-limit")
    code, _, _ = verified(tmp_path, origin, *argv)
    assert code == Exit.VIOLATION
    file = profile(tmp_path, base=origin, more="answers: {Q-BODY-LIMIT: a thousand bytes}")
    code, report, _ = verified(tmp_path, "--profile", file, *argv)
    assert (code, report["summary"]["observed"]) == (Exit.GOOD, 1)
    assert "a thousand bytes" in report["cases"][0]["reason"]


def test_a_forced_answer_is_no_evidence(shared_stub: LiveStub, tmp_path: Path) -> None:
    file = profile(tmp_path, base=base(shared_stub))
    after_smoke = [{"slug": "action-successful", "after": 4}]
    shared_stub.control("PUT", "/next", after_smoke)
    argv = ("--profile", file, "--only", "route/post-registers")
    code, report, _ = verified(tmp_path, *argv)
    assert code == Exit.DEFECT
    assert "Mock-Forced" in report["cases"][0]["reason"]


def test_limits_are_hard(shared: Live, tmp_path: Path) -> None:
    file = profile(tmp_path, base=base(shared), more="limits: {requests: 10}")
    code, report, _ = verified(tmp_path, "--profile", file)
    assert sum(len(case["exchanges"]) for case in report["cases"]) <= 10
    assert code == Exit.TOO_LITTLE


def test_whoever_interrupts_learns_what_was_made(shared_stub: LiveStub, tmp_path: Path) -> None:
    more = "limits: {requests_per_second: 20, parallel: 2}"
    file = profile(tmp_path, base=base(shared_stub), more=more)
    report = tmp_path / "report.json"
    command = [*COMMAND, "verify", "--profile", file, "--report", str(report)]
    shared_stub.control("DELETE", "/requests")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        wait = f"/requests?status={catalogue().success.slug}&wait=30"
        assert shared_stub.control("GET", wait).json()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == Exit.TOO_LITTLE
    assert "interrupted, after" in out
    assert json.loads(report.read_text("utf-8"))["created"]


def test_smoke_shows_five_answers(shared: Live) -> None:
    done = run("smoke", base(shared))
    assert (done.returncode, done.stdout.count("\n")) == (Exit.GOOD, 5)


@contextmanager
def another_api(code: int = 404, body: bytes = b'{"detail": "Not Found"}') -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v1"
        server.shutdown()
