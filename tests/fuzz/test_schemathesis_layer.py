"""Schemathesis on the decoded parameters: what it sends, and how it is sent."""

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from support.command import call, certified
from support.limits import controlled
from support.live import LiveStub
from support.servers import Streams, relay, running, tunnel
from support.suite import answering, base, explored, fuzzed, profile

from clients_register.conformance.decision import ExitCode
from clients_register.conformance.fuzz.campaign import DEFECTIVE
from clients_register.conformance.fuzz.schemathesis_layer import LAYER, TargetAdapter
from clients_register.spec.statuses import load_statuses

pytestmark = pytest.mark.once

ASKED = ("--layer", LAYER, "--requests", "25", "--seed", "1")


def received(stub: LiveStub) -> int:
    """Counts the requests to a stub in all worlds, including deleted ones."""
    counted = stub.control("GET", "/coverage").json()["statuses"]
    return sum(each["natural"] for each in counted)


def test_no_phase_finds_fault_with_the_stub_and_each_request_is_counted(stub: LiveStub) -> None:
    with explored(base(stub), 400, LAYER) as (campaign, _):
        assert [each.signature for each in campaign.violations] == []
        assert campaign.coverage.requests[LAYER] > 200
        assert received(stub) == campaign.run.limiter.requests


def judged(report: dict[str, object], said: str) -> int:
    """Counts the responses that the layer has judged in a campaign that found nothing wrong."""
    assert "nothing wrong was found" in said, said
    campaign = report["fuzz"]
    assert isinstance(campaign, dict)
    return sum(each["met"] for each in campaign["statuses"])


def test_the_certificates_of_a_profile_are_used(stub: LiveStub, tmp_path: Path) -> None:
    certificate = certified(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    server.load_verify_locations(certificate)
    server.verify_mode = ssl.CERT_REQUIRED
    address = urlsplit(stub.origin)

    with running(relay(address.hostname, address.port), server) as origin:
        tls = f"tls: {{ca: {certificate}, certificate: {certificate}}}"
        file = profile(tmp_path, base=f"{origin}{stub.settings.base_path}", more=tls)
        code, report, said = fuzzed(tmp_path, "--profile", file, *ASKED)
        assert code == 0, said
        assert judged(report, said) == report["fuzz"]["requests"] >= 25


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_the_proxy_of_a_profile_is_used_as_a_tunnel(
    stub: LiveStub, tmp_path: Path, *, secure: bool
) -> None:
    certificate = certified(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    address = urlsplit(stub.origin)
    connected: list[bytes] = []

    with running(relay(address.hostname, address.port), server if secure else None) as origin:
        real = urlsplit(origin)
        with running(tunnel(real.hostname, real.port, connected)) as via:
            # Nothing listens on port 1, so this server can be reached through the proxy only.
            url = f"{real.scheme}://127.0.0.1:1{stub.settings.base_path}"
            more = f"proxy: {via}\ntls: {{ca: {certificate}}}"
            file = profile(tmp_path, base=url, more=more)
            code, report, said = fuzzed(tmp_path, "--profile", file, *ASKED)
    assert code == 0, said
    assert judged(report, said) == report["fuzz"]["requests"] >= 25
    assert set(connected) == {b"CONNECT 127.0.0.1:1 HTTP/1.1"}


# A response that the smoke test accepts, and the number of its requests.
SUCCESS = json.dumps({"status": load_statuses().success.slug, "code": 200}).encode()
SMOKE = 6


async def receive(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head and the body of a request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
    return head, await reader.readexactly(int(length or 0))


def response(line: bytes = b"200 OK", *headers: bytes) -> bytes:
    lines = (b"HTTP/1.1 " + line, *headers, b"Content-Length: %d" % len(SUCCESS))
    return b"\r\n".join([*lines, b"", SUCCESS])


def silenced(expire: Callable[[], None]) -> Streams:
    """A server that answers the smoke test and nothing else."""
    answers = iter(range(SMOKE))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await receive(reader)
            if next(answers, None) is None:
                expire()
                await reader.read()
                return
            writer.write(response())
            await writer.drain()

    return talk


def test_the_timeout_of_a_profile_applies(tmp_path: Path) -> None:
    with (
        controlled(7.5) as limit,
        running(silenced(expire=limit.expire)) as origin,
    ):
        file = profile(tmp_path, base=f"{origin}/api/v1", more="limits: {timeout: 7.5}")
        code, report, said = fuzzed(tmp_path, "--profile", file, *ASKED)
    assert code == 1, said
    received = {each["received"] for case in report["cases"] for each in case["findings"]}
    assert received == {'"no response within 7.5 seconds"'}


@pytest.mark.parametrize("code", [302, 307])
def test_no_redirect_is_followed(tmp_path: Path, code: int) -> None:
    targets: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await receive(reader)
            targets.append(head.split(b" ")[1])
            line = b"200 OK" if len(targets) <= SMOKE else b"%d Elsewhere" % code
            writer.write(response(line, b"Location: /elsewhere"))
            await writer.drain()

    with running(talk) as origin:
        file = profile(tmp_path, base=f"{origin}/api/v1")
        fuzzed(tmp_path, "--profile", file, *ASKED)
    assert len(targets) > SMOKE
    assert b"/elsewhere" not in targets


def test_a_request_is_not_repeated_where_the_connection_is_closed(tmp_path: Path) -> None:
    """The server may have registered a client before it closes."""
    received: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            received.append((await receive(reader))[1])
            # Each second response says that the connection stays open, and is the last one.
            if len(received) > SMOKE and len(received) % 2:
                return
            writer.write(response())
            await writer.drain()

    with running(talk) as origin:
        file = profile(tmp_path, base=f"{origin}/api/v1")
        _, report, said = fuzzed(tmp_path, "--profile", file, *ASKED)
    assert len(received) - SMOKE == report["fuzz"]["requests"], said
    assert b"" in received[SMOKE:]


def test_a_broken_content_coding_is_a_finding_and_the_layer_goes_on(
    stub: LiveStub, tmp_path: Path
) -> None:
    with answering(lambda *_: None, stub.origin, **{"Content-Encoding": "gzip"}) as url:
        code, report, said = fuzzed(tmp_path, "--profile", profile(tmp_path, base=url), *ASKED)
    assert code == ExitCode.VIOLATION, said
    found = [each["what"] for case in report["cases"] for each in case["findings"]]
    assert "header Content-Encoding" in found
    assert report["fuzz"]["requests"] == 25


def test_an_error_of_schemathesis_is_a_defect_of_the_suite(
    stub: LiveStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> requests.Response:
        raise RuntimeError("the lights went out")

    monkeypatch.setattr(TargetAdapter, "build_response", broken)
    code, report, _ = fuzzed(tmp_path, base(stub), *ASKED)
    assert code == ExitCode.DEFECT
    assert report["fuzz"]["ended"] == DEFECTIVE
    assert "the lights went out" in report["fuzz"]["why"]


def test_proxies_and_credentials_of_the_environment_are_not_used(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append((await receive(reader))[0])
            writer.write(response())
            await writer.drain()

    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n")
    nowhere = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:1")
    env = {**nowhere, "NO_PROXY": "", "NETRC": str(netrc)}
    with running(talk) as origin:
        done = call("fuzz", f"{origin}/api/v1", *ASKED, cwd=tmp_path, env=env)
    assert "the target violates the contract" in done.stdout
    assert len(heads) > SMOKE + 20
    assert not any(b"authorization:" in each.lower() for each in heads)


def test_a_decided_deviation_fails_only_a_strict_campaign(stub: LiveStub, tmp_path: Path) -> None:
    # This server passes all on, but for the header X-Request-Id, which is our choice.
    with answering(lambda _method, _path: None, stub.origin) as url:
        lenient, _, _ = fuzzed(tmp_path / "lenient", url, *ASKED)
        strict, report, _ = fuzzed(tmp_path / "strict", url, *ASKED, "--strict")
    assert (lenient, strict) == (ExitCode.SUCCESS, ExitCode.VIOLATION)
    grades = {each["grade"] for case in report["cases"] for each in case["findings"]}
    assert grades == {"decided"}
