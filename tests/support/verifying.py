"""`clients-register verify`, run by a test on a server of its own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from support.command import call
from support.live import Live

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
    """The cases that did not pass, with what was found."""
    good = ("pass", "observed", "not-claimed", "not-arranged")
    return {
        case["id"]: case["reason"] or [f for f in case["findings"] if f["verdict"] != "pass"]
        for case in report["cases"]
        if case["verdict"] not in good
    }


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
