"""The suite's second server, as a process of its own."""

import json
import re
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

from support import hang
from support.hang import LIMIT
from support.process import environment

from clients_register.spec.statuses import StatusTable, load_statuses

TESTS = Path(__file__).parents[1]
COMMAND = (sys.executable, "-m", "teeth.second", "--port", "0")
ROUTE = "/api/v1/clients/register"
PASSWORD = "correct horse battery staple"

_NUMBERS = count()


def _spelt() -> StatusTable:
    whole = load_statuses()
    return whole.with_spelling(whole.aliases[0].slug)


# As this server spells them.
STATUSES = _spelt()


def fresh() -> str:
    """An address that was not used before in this process, whose servers are its own."""
    return f"someone.{next(_NUMBERS)}@tests.test"


def packed(params: object) -> bytes:
    """`params` as the route takes them."""
    return b64encode(json.dumps(params).encode())


@dataclass(frozen=True)
class Reply:
    """An answer; `headers` are as they were written."""

    code: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def envelope(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def slug(self) -> str:
        return str(self.envelope["status"])

    @property
    def faults(self) -> list[tuple[str, str]]:
        return [(each["attr"], each["message"]) for each in self.envelope["errors"]]


def is_refused(reply: Reply, fact: str) -> bool:
    """Whether it is answered that `fact` does not hold."""
    return reply.slug == STATUSES.for_rule(fact).slug


def succeeded(reply: Reply) -> bool:
    """Whether a client was registered."""
    return reply.slug == STATUSES.success.slug


class Second:
    """A running second server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        with hang.kill_when_hung(process):
            self.line = process.stdout.readline()
        found = re.fullmatch(r"listening http://127\.0\.0\.1:(\d+)\n", self.line)
        assert found is not None, self.line
        self.port = int(found[1])

    def send(
        self, body: bytes = b"", method: str = "POST", path: str = ROUTE, **headers: str
    ) -> Reply:
        """One exchange with literal bytes; text/plain unless `headers` say otherwise."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            sent = {"Content-Type": "text/plain"}
            sent |= {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def post(self, params: object) -> Reply:
        """POSTs `params`, encoded."""
        return self.send(packed(params))

    def register(self, email: str | None = None, **changes: Any) -> Reply:
        """Registers `email`, or a fresh address; `client` in `changes` is merged into the one."""
        client = {"email": email or fresh(), "password": PASSWORD} | changes.pop("client", {})
        return self.post({"application": "planoauth", "client": client} | changes)

    def hook(self, state: str, **values: Any) -> Reply:
        """Asks for a state."""
        content = json.dumps({"state": state, "values": values}).encode()
        return self.send(content, path="/hooks", Content_Type="application/json")

    def arrange(self, state: str, **values: Any) -> dict[str, Any]:
        """Brings about a state; returns its placeholders."""
        reply = self.hook(state, **values)
        assert reply.code == 200, reply.body
        return reply.envelope

    def count(self, what: str, email: str) -> int:
        """How many `clients` or `mails` of an address there are."""
        return int(self.arrange(f"count-{what}", email=email)["count"])

    def stop(self, number: signal.Signals) -> int:
        """Tells it to end; returns its exit code."""
        self.process.send_signal(number)
        hang.communicate(self.process)
        return int(self.process.returncode)


@contextmanager
def second_server() -> Iterator[Second]:
    """A second server on a free port, ended afterwards."""
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, text=True, env=environment(PYTHONPATH=str(TESTS))
    ) as process:
        try:
            yield Second(process)
        finally:
            process.terminate()
