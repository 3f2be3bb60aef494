"""The commands `verify` and `fuzz` run by a test, profiles, other APIs, and a sample report."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

from anyio.from_thread import start_blocking_portal
from support.command import call
from support.live import Live
from teeth.serving import served

from clients_register.conformance.fuzz import LAYERS
from clients_register.conformance.fuzz.campaign import Budget, Campaign, Plan, new_campaign
from clients_register.conformance.fuzz.layers import run_layers
from clients_register.conformance.fuzz.request_decoding import decode_base64
from clients_register.conformance.report import load_report
from clients_register.conformance.report.model import LISTED, missed_findings
from clients_register.conformance.results import Verdict
from clients_register.conformance.target import target_for_url
from clients_register.spec.statuses import Status, load_statuses

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
    done = call("verify", *argv, "--report", str(file))
    report = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return done.returncode, report, done.stdout + done.stderr


def profile(tmp_path: Path, **terms: str) -> str:
    file = tmp_path / "profile.yaml"
    usual = {"name": "some server", "claims": "core", "more": ""}
    file.write_text(PROFILE.format(**{**usual, **terms}), "utf-8")
    return str(file)


def bad(report: dict[str, Any]) -> dict[str, Any]:
    """The cases that did not pass, or whose responses lack something, with what was found."""
    good = ("pass", "observed", "not-claimed", "not-arranged")
    return {
        case["id"]: case["reason"] or [f for f in case["findings"] if f["verdict"] != "pass"]
        for case in report["cases"]
        if case["verdict"] not in good
        or any(each["every_response"] for each in missed_findings(case))
    }


# Method and path of a request -> code and body of the answer; None passes the request on.
Answer = Callable[[str, str], tuple[int, bytes] | None]


@contextmanager
def answering(answer: Answer, origin: str = "", **headers: str) -> Iterator[str]:
    """The base URL of a server that answers so, and passes the rest on to the one at `origin`."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, content = answer(self.command, self.path) or self.pass_on(body)
            self.send_response(code)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def pass_on(self, body: bytes) -> tuple[int, bytes]:
            connection = HTTPConnection(origin.removeprefix("http://"))
            with closing(connection):
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
                return response.status, response.read()

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v1"
        server.shutdown()


@contextmanager
def another_api(
    code: int = 404,
    body: bytes = b'{"detail": "Not Found"}',
    *,
    certificate: Path | None = None,
    **headers: str,
) -> Iterator[str]:
    """A server that answers so to everything; over TLS with a `certificate` and its key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        scheme = "http" if certificate is None else "https"
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}/api/v1"
        server.shutdown()


class _Crashing(BaseHTTPRequestHandler):
    """Crashes on everything that decodes, and is right about the rest."""

    html: bool
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        statuses = load_statuses()
        if self.path != "/api/v1/clients/register" or self.command != "POST":
            self.reply(statuses.for_rule("route_exists"))
        elif self.headers.get("Content-Type") != "text/plain":
            self.reply(statuses.for_rule("content_type_is_accepted"))
        elif not body.strip():
            self.reply(statuses.for_rule("params_are_passed"))
        elif decode_base64(body) is None:
            self.reply(statuses.for_rule("body_is_base64"))
        elif self.html:
            self.send(500, "text/html", b"<h1>Internal Server Error</h1>")
        else:
            self.close_connection = True

    do_PUT = do_GET = do_HEAD = do_OPTIONS = do_POST  # noqa: N815

    def reply(self, status: Status) -> None:
        envelope = {"code": status.code, "status": status.slug}
        self.send(status.code, "application/json", json.dumps(envelope).encode())

    def send(self, code: int, media_type: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", media_type)
        self.send_header("X-Request-Id", str(uuid4()))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def crashing(*, html: bool) -> Iterator[str]:
    """A server that crashes on valid base64: with a page of HTML, or by closing the connection."""
    handler = type("Crashing", (_Crashing,), {"html": html})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v1"
        server.shutdown()


@contextmanager
def mutant(name: str) -> Iterator[str]:
    """The base URL of a server with one planted fault, in a thread of this process."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(served(name)) as base:
        yield base


@contextmanager
def explored(
    base: str,
    requests: int,
    *layers: str,
    seed: int = 1,
    first: bool = False,
    restart: Callable[[], None] | None = None,
) -> Iterator[tuple[Campaign, str]]:
    """A strict campaign that was run, and how it ended; all layers unless some are named."""
    plan = Plan(
        layers or tuple(LAYERS), seed, Budget(requests), strict=True, first=first, restart=restart
    )
    with new_campaign(target_for_url(base, control=True), load_statuses(), plan) as made:
        ended, _ = run_layers(made)
        yield made, ended


def fuzzed(tmp_path: Path, *argv: str) -> tuple[int, dict[str, Any], str]:
    """The exit code of `clients-register fuzz`, its report, and what was printed."""
    file = tmp_path / "fuzz.json"
    corpus = ("--corpus", str(tmp_path / "corpus"))
    done = call("fuzz", *argv, *corpus, "--report", str(file))
    report = dict(load_report(file)) if file.exists() else {}
    return done.returncode, report, done.stdout + done.stderr


HOSTILE = "<script>document.title = 'taken over'</script>\x1b[31m|`x`|\x00 & </details>"


def case(verdict: Verdict, **changes: Any) -> dict[str, Any]:
    """A case that came to `verdict`, in an exchange with hostile answers."""
    missed = verdict if verdict in (Verdict.FAIL, Verdict.WARN, Verdict.NOTE) else Verdict.PASS
    finding = {
        "verdict": str(missed),
        "grade": "documented",
        "what": "status",
        "expected": "something",
        "received": HOSTILE,
        "exchange": 0,
        "every_response": False,
        "source": "R-CLIENT-CREATED",
    }
    exchange = {
        "role": "send",
        "request": {
            "method": "POST",
            "url": "http://127.0.0.1/register",
            "headers": [["Content-Type", "text/plain"]],
            "body": "e30=",
            "decoded": {},
        },
        "answer": {
            "code": 400,
            "headers": [["X", HOSTILE]],
            "body": HOSTILE,
            "envelope": {"status": HOSTILE},
            "milliseconds": 1.5,
        },
        "error": None,
        "curl": "curl -d e30= http://127.0.0.1/register",
    }
    return {
        "id": f"some-area/{verdict}",
        "area": "some-area",
        "title": f"a case that comes to {verdict}",
        "requires": ["R-CLIENT-CREATED"],
        "questions": ["Q-PATH"],
        "claims": "core",
        "verdict": str(verdict),
        "reason": None if missed is verdict else f"because of {HOSTILE}",
        "seconds": 0.25,
        "rerun": f"clients-register verify http://127.0.0.1 --only some-area/{verdict}",
        "findings": [finding, {**finding, "what": "a second thing"}],
        "exchanges": [exchange],
        **changes,
    }


def violation(case: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The violation that one case has."""
    return {
        "verdict": case["verdict"],
        "grade": "documented",
        "what": "status",
        "every_response": False,
        "source": "R-CLIENT-CREATED",
        "expected": [{"value": "something", "findings": 1}],
        "received": [{"value": HOSTILE, "findings": 1}],
        "findings": 1,
        "cases": 1,
        "examples": [case["id"]],
        "requirements": case["requires"],
        "rerun": case["rerun"],
        **changes,
    }


def report(**changes: Any) -> dict[str, Any]:
    """A report with a case of each verdict."""
    cases = [case(verdict) for verdict in Verdict]
    ids = [each["id"] for each in cases]
    requirement = {
        "key": "R-CLIENT-CREATED",
        "statement": "A request that succeeds registers a new client.",
        "section": "Purpose",
        "testable": True,
        "reason": None,
        "verdict": "error",
        "cases": ids,
    }
    question = {
        "key": "Q-PATH",
        "question": "What is the path?",
        "choice": "This one.",
        "grade": "family",
        "answer": "otherwise",
        "seen": ["some-status"],
        "cases": ids,
    }
    status = {"slug": "some-status", "code": 400, "meaning": "Some.", "met": 3, "cases": ids}
    return {
        "report": 2,
        "suite": {"version": "1.2.3", "contract": "1.0.0", "spec_sha256": "0" * 64},
        "target": {
            "name": HOSTILE,
            "base_url": "http://127.0.0.1",
            "control": False,
            "claims": ["core"],
        },
        "started": "2026-01-15T09:30:00+00:00",
        "seconds": 2.5,
        "strict": False,
        "command": "clients-register verify http://127.0.0.1",
        "summary": {str(verdict): 1 for verdict in Verdict},
        "exit_code": 4,
        "reason": "1 cases could not be judged",
        "evidence": {"documented": 10, "run": 7, "share": 0.7, "minimum": 0.8, "enough": False},
        "missing_states": [{"state": "clock", "cases": 1}],
        "created": [{"email": "conformance.x@tests.test", "id": 5}],
        "requirements": [requirement],
        "questions": [question],
        "statuses": [status],
        "violations": [violation(case(verdict)) for verdict in LISTED],
        "cases": cases,
        **changes,
    }
