"""`verify --har` writes the exchanges of a run, whole and without secrets."""

import json
from base64 import b64decode, b64encode
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from support.archive import entries_of, header
from support.command import call
from support.live import LiveStub
from support.suite import answering, base

from clients_register.conformance.case import load_cases
from clients_register.conformance.exchange import Exchange
from clients_register.conformance.http_client import CLOSED, HttpRequest, NoResponse
from clients_register.conformance.report.archive import render_archive
from clients_register.conformance.results import Result
from clients_register.conformance.target import target_for_url


def recorded(tmp_path: Path, url: str, *argv: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The report of a run, and the archive."""
    report, archive = tmp_path / "report.json", tmp_path / "run.har"
    call("verify", url, *argv, "--report", str(report), "--har", str(archive))
    return json.loads(report.read_text("utf-8")), json.loads(archive.read_text("utf-8"))


def test_it_has_the_exchanges_of_the_report(shared_stub: LiveStub, tmp_path: Path) -> None:
    report, archive = recorded(tmp_path, base(shared_stub), "--only", "email/*")
    expected = [
        (case["id"], each["request"]["method"], each["request"]["url"], each["answer"]["code"])
        for case in report["cases"]
        for each in case["exchanges"]
    ]
    assert len(expected) > 10
    assert [
        (each["pageref"], each["request"]["method"], each["request"]["url"], status(each))
        for each in entries_of(archive)
    ] == expected
    titles = {case["id"]: case["title"] for case in report["cases"] if case["exchanges"]}
    assert {page["id"]: page["title"] for page in archive["log"]["pages"]} == titles


def status(entry: dict[str, Any]) -> int:
    return int(entry["response"]["status"])


def test_an_entry_is_the_request_as_sent(shared_stub: LiveStub, tmp_path: Path) -> None:
    _, archive = recorded(tmp_path, base(shared_stub), "--only", "route/post-registers")
    entry = entries_of(archive)[-1]
    request = entry["request"]
    assert header(request, "host") == shared_stub.origin.removeprefix("http://")
    assert header(request, "content-length") == str(request["bodySize"])
    params = json.loads(b64decode(request["postData"]["text"]))
    assert params["client"]["password"].startswith("not-the-secret")
    assert entry["response"]["statusText"] == "OK"
    assert entry["comment"] == "send of route/post-registers, pass"


def answering_get(origin: str, body: bytes) -> AbstractContextManager[str]:
    """The base URL of a server that answers GET so, and passes the rest on to `origin`."""
    return answering(lambda method, _: (200, body) if method == "GET" else None, origin)


def test_bodies_are_whole(shared_stub: LiveStub, tmp_path: Path) -> None:
    body = json.dumps({"status": "unheard-of", "text": "ä" * 10_000}, ensure_ascii=False).encode()
    with answering_get(shared_stub.origin, body) as url:
        report, archive = recorded(tmp_path, url, "--only", "route/get")
    (case,) = report["cases"]
    assert len(case["exchanges"][-1]["answer"]["body"]) < len(body) / 2
    assert content(archive)["text"].encode() == body


def content(archive: Any) -> dict[str, Any]:
    """The content of the last response."""
    found: dict[str, Any] = entries_of(archive)[-1]["response"]["content"]
    return found


def test_a_body_that_is_not_utf_8_is_in_base64(shared_stub: LiveStub, tmp_path: Path) -> None:
    body = b'{"code": 200, "status": "\xff"}'
    with answering_get(shared_stub.origin, body) as url:
        _, archive = recorded(tmp_path, url, "--only", "route/get")
    shown = content(archive)
    assert (shown["encoding"], shown["text"]) == ("base64", b64encode(body).decode())


REQUEST = HttpRequest("POST", "/api/v1/clients/register", (), b"\xff")


def rendered(*exchanges: Exchange) -> list[dict[str, Any]]:
    """The entries of a case with these exchanges."""
    result = Result(load_cases()[0], exchanges=[*exchanges])
    target = target_for_url("http://127.0.0.1:4018/api/v1", control=False)
    return entries_of(json.loads(render_archive([result], target)))


def test_an_exchange_without_a_response_says_why() -> None:
    closed = Exchange("send", REQUEST, None, failure=NoResponse(CLOSED, "closed"), waited=2.5)
    failed, interrupted = rendered(closed, Exchange("send", REQUEST, None))
    assert (failed["response"]["status"], failed["time"]) == (0, 2500)
    assert failed["response"]["_error"] == "closed"
    assert interrupted["response"]["_error"] == "interrupted before the response"


def test_a_request_body_that_is_not_utf_8_is_in_base64() -> None:
    (entry,) = rendered(Exchange("send", REQUEST, None))
    post_data = entry["request"]["postData"]
    assert (post_data["_encoding"], post_data["text"]) == ("base64", "/w==")


def test_malformed_requests_are_left_out() -> None:
    assert rendered(Exchange("send", REQUEST, None, raw=b"GARBAGE\r\n")) == []
