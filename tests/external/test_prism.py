"""Prism's proxy, with our document and in front of our server, finds no violation."""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send
from support.command import tool
from support.exchanges import GOLDEN, Exchange, arranged
from support.limits import LIMIT
from support.live import Live

from clients_register import spec
from clients_register.handlers.serve import open_listener
from clients_register.handlers.settings import Settings

pytestmark = pytest.mark.once

(PATH,) = spec.load("openapi")["paths"]
BASE = Settings().base_path

# Prism proxies the described path and method; of any other it knows nothing.
DESCRIBED = [
    exchange
    for exchange in GOLDEN
    if exchange["request"]["path"] == BASE + PATH and exchange["request"]["method"] == "POST"
]


@dataclass(frozen=True)
class Proxy:
    """Prism, at `origin`, in front of whatever server listens on `port`."""

    origin: str
    port: int

    def send(self, exchange: Exchange) -> httpx2.Response:
        """Sends the request of `exchange` through Prism, which drops the relative base path."""
        request = exchange["request"]
        return httpx2.post(
            self.origin + PATH,
            headers=request["headers"],
            content=request["body"].encode(),
            timeout=LIMIT,
        )


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """One Prism for all tests: it takes a second to start, our server far less."""
    document = tmp_path_factory.mktemp("prism") / "openapi.yaml"
    document.write_text(spec.text("openapi"), "utf-8")
    with open_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    upstream = f"http://127.0.0.1:{port}{BASE}"
    command = [*tool("prism"), "proxy", str(document), upstream, "--port", "0", "--cors", "false"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield Proxy(origin_in(process.stdout), port)
        finally:
            process.terminate()


def origin_in(output: Iterable[str]) -> str:
    """Where Prism says that it listens."""
    seen = []
    for line in output:
        seen.append(line)
        if found := re.search(r"listening on (http://[\d.:]+)", line):
            return found[1]
    pytest.fail(f"Prism ended before it listened: {''.join(seen)}")


def violations(answer: httpx2.Response, of: str) -> list[Any]:
    """Returns the violations that Prism finds in the `request` or the `response`."""
    found = json.loads(answer.headers.get("sl-violations", "[]"))
    return [violation["message"] for violation in found if violation["location"][0] == of]


def test_most_statuses_are_met_on_the_described_path() -> None:
    assert len(DESCRIBED) >= 16


@pytest.mark.parametrize("exchange", DESCRIBED, ids=lambda exchange: exchange["status"])
def test_no_answer_violates_the_document(
    proxy: Proxy, exchange: Exchange, start: Callable[..., Live], tmp_path: Path
) -> None:
    arranged(partial(start, port=proxy.port), exchange, tmp_path)
    answer = proxy.send(exchange)
    assert answer.json()["status"] == exchange["status"], "the answer is the server's own"
    assert "Selected route not found" not in violations(answer, "request")
    assert violations(answer, "response") == []


async def undocumented(_scope: Scope, _receive: Receive, send_message: Send) -> None:
    body = b'{"code": 400, "status": "unheard-of"}'
    headers = [(b"content-type", b"application/json")]
    await send_message({"type": "http.response.start", "status": 400, "headers": headers})
    await send_message({"type": "http.response.body", "body": body})


def test_an_answer_outside_the_document_would_be_noticed(
    proxy: Proxy, start: Callable[..., Live]
) -> None:
    start(port=proxy.port, before_routing=undocumented)
    assert violations(proxy.send(DESCRIBED[0]), "response") != []
