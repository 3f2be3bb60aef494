"""Secrets are in no output of the suite: not in reports, case files, messages or the terminal."""

import asyncio
import json
import re
import secrets
from base64 import b64encode
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command import OPTIONS, call
from support.live import Live, LiveStub
from support.servers import running
from support.suite import another_api, answering, base, mutant, profile, verified

from clients_register.conformance.decision import ExitCode
from clients_register.conformance.exchange import Exchange
from clients_register.conformance.fuzz import search
from clients_register.conformance.fuzz.checker import Checker, ContractViolation
from clients_register.conformance.fuzz.request_decoding import decode_base64
from clients_register.conformance.grades import Grade
from clients_register.conformance.http_client import HttpRequest, HttpResponse
from clients_register.conformance.redaction import MASKED, Redactor
from clients_register.conformance.report import FORMATS
from clients_register.conformance.request import secret_forms
from clients_register.conformance.results import Finding
from clients_register.spec.statuses import load_statuses

# Coverage would double the time that it takes, and other tests reach the same lines.
pytestmark = pytest.mark.no_cover

# Part of every secret here, and of nothing else.
MARK = "k3y-7f3a"
LONG = f"{MARK}-vG7-secret-pAssw0rd-Qz"
BCRYPT = "$2b$04$" + "k3y7f3a" * 7 + "k3y7"

URLS = (
    f"http://:{MARK}@127.0.0.1:1/api/v1",
    f"http://me:{MARK}@127.0.0.1:1/api/v1",
    f"http://{MARK}@127.0.0.1:1/api/v1",
    f"http://me:1/{MARK}@127.0.0.1:1/api/v1",
    f"http://me:1?{MARK}@127.0.0.1:1/api/v1",
    f"http://me:1#{MARK}@127.0.0.1:1/api/v1",
    f"http://me:{MARK}]@127.0.0.1:1",
    f"http:me:{MARK}@127.0.0.1",
    f"ftp://127.0.0.1/?key={MARK}",
    f"nowhere?key={MARK}",
    f"http://staging.test/?key={MARK}",
    f"http://127.0.0.1:1/#{MARK}",
)


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("command", ["verify", "fuzz", "smoke", "plan"])
def test_a_url_with_a_secret_is_refused_and_not_shown(
    tmp_path: Path, command: str, url: str
) -> None:
    done = call(command, url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "expected a URL" in done.stderr
    assert MARK not in done.stderr


def envelope(**members: Any) -> dict[str, Any]:
    return {"code": 200, "status": "unheard-of", **members}


# Responses with secrets, which must not be shown, among text that must be.
ANSWERS = {
    "password": envelope(data={"email": "a@b.test", "password": LONG}),
    "short": envelope(data={"password": MARK}, note=f"it is {MARK}"),
    "very short": envelope(data={"password": "k3y"}),
    "number": envelope(data={"password": 73737373}),
    "nested": envelope(password={"plain": LONG, "old": [MARK, 73737373]}),
    "hash": envelope(data={"password_digest": MARK}, note=f"a {BCRYPT}"),
    "token": envelope(accessToken=MARK, api_key=MARK, session={"TOKEN": LONG}),
    "cut": envelope(data={"x": "y" * 210, "password": LONG}),
    "cut in a body": envelope(data={"x": "y" * 3930, "password": LONG}),
    "surrogate": envelope(data={"password": f"{MARK}\ud800"}),
}
BODIES = {
    **{name: json.dumps(answer).encode() for name, answer in ANSWERS.items()},
    "spelt otherwise": b'{"status": "unheard-of", "p\\u0061ssword" : "%b"}' % MARK.encode(),
    "no JSON": b'{"password": "%b", no JSON' % LONG.encode(),
    "half a value": b'{"password": "%b' % LONG.encode(),
    "half an escape": b'{"password": "%b\\' % LONG.encode(),
    "only a hash": f"<p>{BCRYPT}</p>".encode(),
}
LEAKED = re.compile("k3y|73737373")


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_secret_of_an_answer_is_in_no_output(tmp_path: Path, body: bytes) -> None:
    def answer(_method: str, path: str) -> tuple[int, bytes]:
        if path.endswith("/elsewhere"):
            row = load_statuses().for_rule("route_exists")
            return row.code, json.dumps({"code": row.code, "status": row.slug}).encode()
        return 200, body

    said = ""
    with answering(answer, **{"Set-Cookie": f"sid={MARK}", "X-Auth-Token": MARK}) as url:
        for argv in (
            ("verify", url, "--only", "route/*", "--only", "success/*"),
            ("fuzz", url, "--requests", "30", "--seed", "1", "--corpus", str(tmp_path / "corpus")),
        ):
            forms = (*FORMATS, "report", *(["har"] if argv[0] == "verify" else []))
            files = [f"--{name}={tmp_path / argv[0]}.{name}" for name in forms]
            done = call(*argv, *files)
            assert done.returncode in (ExitCode.VIOLATION, ExitCode.DEFECT)
            said += done.stdout + done.stderr
    assert_nothing_leaked(said, tmp_path)
    report = json.loads((tmp_path / "verify.report").read_text("utf-8"))
    shown = json.dumps([case["exchanges"] for case in report["cases"]])
    assert MASKED in shown
    if b'"code"' in body:
        assert "unheard-of" in shown


def assert_nothing_leaked(said: str, folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    outputs = {"what was printed": said, **{str(each): each.read_text("utf-8") for each in files}}
    leaking = [name for name, text in outputs.items() if LEAKED.search(name + text)]
    assert leaking == []


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> str:
    """Part of every password and token that the suite or a server here generates."""
    numbers = count(1000)
    marker = f"{MARK}-{MARK}-marker"
    monkeypatch.setattr(secrets, "token_urlsafe", lambda *_: f"{marker}-{next(numbers)}-{MARK}")
    return marker


def assert_no_trace(marker: str, text: str) -> None:
    # The ends of a secret in base64 depend on what surrounds it.
    forms = [form.decode()[4:-4] for form in secret_forms(marker)[1:]]
    assert [form for form in (MARK, *forms) if form in text] == []


@pytest.mark.parametrize(
    "argv", [("verify", "--only", "success/*"), ("fuzz", "--layer", "order", "--requests", "60")]
)
def test_a_password_that_a_server_echoes_is_in_no_report(
    tmp_path: Path, marked: str, argv: tuple[str, ...]
) -> None:
    report, archive = tmp_path / "report.json", tmp_path / "run.har"
    more = ["--har", str(archive)] if argv[0] == "verify" else ["--corpus", str(tmp_path / "c")]
    with mutant("password-echoed") as url:
        done = call(argv[0], url, *argv[1:], "--report", str(report), *more)
    assert done.returncode == ExitCode.VIOLATION
    text = report.read_text("utf-8")
    assert '"password": "not-the-secret-' in text
    assert_no_trace(marked, text + done.stdout)
    if archive.exists():
        assert_no_trace(marked, archive.read_text("utf-8"))


def test_a_password_in_the_place_of_a_status_is_in_no_report(tmp_path: Path, marked: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
            status = load_statuses().success.slug
            with suppress(LookupError, TypeError, ValueError):
                sent = json.loads(decode_base64(await reader.readexactly(length)) or b"")
                status = f"{sent['client']['password']} {'x' * 5000}"
            body = json.dumps({"code": 200, "status": status}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()

    report, order = tmp_path / "report.json", tmp_path / "order.csv"
    argv = ("--layer", "order", "--requests", "60", "--corpus", str(tmp_path / "corpus"))
    with running(talk) as origin:
        url = f"{origin}/api/v1"
        done = call("fuzz", url, *argv, "--report", str(report), "--order", str(order))
    assert done.returncode == ExitCode.VIOLATION
    probes = json.loads(report.read_text("utf-8"))["fuzz"]["order"]["probes"]
    shown = {each["status"] for each in probes}
    assert any(status.startswith("not-the-secret-") for status in shown)
    assert max(map(len, shown)) < 300
    assert_no_trace(marked, report.read_text("utf-8") + order.read_text("utf-8") + done.stdout)


def test_tokens_and_passwords_of_earlier_steps_of_a_sequence_are_in_no_report(
    shared_stub: LiveStub, tmp_path: Path, marked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = Checker.check
    findings = [Finding.of("session", Grade.DOCUMENTED, "one", "none", met=False)]

    async def checked(checker: Checker, layer: str, request: Any, exchange: Any, *more: Any) -> Any:
        if isinstance(exchange.decoded, dict) and "token" in exchange.decoded:
            raise ContractViolation(layer, exchange, findings)
        return await check(checker, layer, request, exchange, *more)

    monkeypatch.setattr(Checker, "check", checked)
    monkeypatch.setattr(search, "MAX_SHRINKING", 5)
    report = tmp_path / "report.json"
    argv = ("--layer", "sequences", "--requests", "300", "--first", "--corpus", str(tmp_path / "c"))
    done = call("fuzz", base(shared_stub), *argv, "--seed", "1", "--report", str(report))
    assert done.returncode == ExitCode.VIOLATION
    text = report.read_text("utf-8")
    assert '"token": "not-the-secret-' in text
    assert_no_trace(marked, text + done.stdout)


HOOKS = {
    "another code": (201, {"user.password": MARK, "token": LONG}),
    "another shape": (200, {"count": "many", "token": MARK}),
    "a list": (200, [{"password": MARK}]),
}


@pytest.mark.parametrize(("code", "answer"), HOOKS.values(), ids=HOOKS)
def test_a_secret_of_a_hook_is_in_no_report(
    shared: Live, tmp_path: Path, code: int, answer: Any
) -> None:
    with another_api(code, json.dumps(answer).encode()) as url:
        file = profile(tmp_path, base=base(shared), claims="core, tokens", more=f"hook: {url}")
        argv = ("--only", "token/of-a-live-session", "--only", "route/post-registers")
        ended, report, said = verified(tmp_path, "--profile", file, *argv)
    assert ended == ExitCode.DEFECT
    assert "hook, state" in said
    assert MARK not in said + json.dumps(report)


def test_a_short_password_that_people_prepared_is_in_no_report(
    shared: Live, tmp_path: Path
) -> None:
    shared.register("prepared@tests.test")
    state = f"{{preset: {{user.email: prepared@tests.test, user.password: {MARK}}}}}"
    more = f"arrange: {{liaison: {state}, client: {state}}}"
    file = profile(tmp_path, base=base(shared), claims="core, tokens", more=more)
    _, report, said = verified(tmp_path, "--profile", file, "--only", "proof/*")
    text = json.dumps(report) + said
    assert "prepared@tests.test" in text
    assert MARK not in text
    assert b64encode(MARK.encode()).decode()[:-4] not in text


pytest_plugins = ["pytester"]


def test_a_secret_of_an_answer_is_in_no_output_of_pytest(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    body = json.dumps({**ANSWERS["short"], "status": load_statuses().success.slug}).encode()
    with another_api(200, body) as url:
        argv = ("--clients-register-verify", url, "-k", "route", "-rs", "--junit-xml", "out.xml")
        done = pytester.runpytest_subprocess(*OPTIONS, *argv)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    text = (pytester.path / "out.xml").read_text() + done.stdout.str() + done.stderr.str()
    assert MARK not in text


JSON_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)


@given(before=JSON_TEXT, after=JSON_TEXT, name=st.sampled_from(["password", "Token", "pass\\word"]))
def test_a_secret_member_is_masked_whatever_is_around_it(
    before: str, after: str, name: str
) -> None:
    text = json.dumps({before: before, name: LONG, after: [after]})
    redacted = json.loads(Redactor().redact_received(text))
    assert LONG not in json.dumps(redacted) or name == "pass\\word"
    document = Redactor().redact_received_json(json.loads(text))
    assert document.keys() >= {name} or name in (before, after)


def test_quotation_marks_do_not_stall_a_report() -> None:
    text = '"' + '\\"' * 50_000
    assert Redactor().redact_received(text) == text


@given(size=st.integers(0, 120))
def test_a_secret_is_masked_where_a_text_was_cut(size: int) -> None:
    text = json.dumps({"data": {"password": LONG}})[:size]
    assert MARK[:3] not in Redactor().redact_received(text)


def test_text_of_the_suite_keeps_words_that_are_short_secrets_of_a_server() -> None:
    exchange = Exchange("send", HttpRequest("POST", "/", (), b""), None)
    exchange.receive(HttpResponse(200, (), b'{"password": "client"}', 0.0, b""))
    redactor = Redactor(exchanges=[exchange])
    assert redactor.redact("a client is stored") == "a client is stored"
    assert redactor.redact_received("a client is stored") == "a not-th is stored"


def test_what_is_no_secret_is_kept() -> None:
    document = {"email": "a@b.test", "password": None, "token": True, "errors": [{"attr": "x"}]}
    redactor = Redactor()
    assert redactor.redact_received_json(document) == document
    assert json.loads(redactor.redact_received(json.dumps(document))) == document
