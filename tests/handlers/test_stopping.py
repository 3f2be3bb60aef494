"""How a server stops: at once where it can, in good order always, and with nothing lost."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Scope, Send
from support.command import listens, reserved_port, serving, started
from support.limits import LIMIT, until
from support.live import Live, encoded, register_at, registration
from support.servers import KEY, FakeMandrill, held_back
from support.store import clients_in

from clients_register.handlers.resources import Product
from clients_register.handlers.serve import Stop, open_listener
from clients_register.handlers.server import Server
from clients_register.handlers.settings import Settings

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has neither signals nor FIFOs")

# A server that stops waits this long for requests under way, by what it takes to send a mail.
PATIENT = ("--mail", "mandrill", "--mandrill-timeout", f"{LIMIT:g}")
MAILING = {"CLIENTS_REGISTER_MANDRILL_KEY": KEY}


def request(body: bytes) -> bytes:
    """A registration on the wire."""
    return (
        b"POST /api/v1/clients/register HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def answer_on(caller: socket.socket) -> bytes:
    """Returns all that is received until the server closes the connection."""
    return b"".join(iter(lambda: caller.recv(65536), b""))


@SIGNALS
@ON_POSIX
def test_a_request_under_way_gets_its_answer_when_the_server_is_told_to_stop(
    number: signal.Signals, tmp_path: Path, email: str
) -> None:
    sent = request(encoded(registration(email)))
    data = tmp_path / "data.json"
    with FakeMandrill() as api:
        options = ["--mandrill-url", api.url, "--data", str(data)]
        with serving(*PATIENT, *options, env=MAILING) as process:
            with socket.create_connection(process.address) as caller:
                caller.sendall(sent[:-20])
                # An answer on another connection: by now the first one was read, too.
                httpx2.get(process.url, timeout=LIMIT)
                process.tell(number)
                until(lambda: not listens(process.address))
                caller.sendall(sent[-20:])
                answer = answer_on(caller)
            ended = process.ended()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert (ended.code, ended.err) == (0, "")
    assert email in clients_in(data)


@pytest.mark.smoke
@ON_POSIX
def test_a_mail_under_way_is_waited_for_when_the_server_is_told_to_stop(
    tmp_path: Path, email: str
) -> None:
    with FakeMandrill() as api:
        api.answer = held_back
        options = ["--mandrill-url", api.url, "--data", str(tmp_path / "data.json")]
        with serving(*PATIENT, *options, env=MAILING) as process:
            with socket.create_connection(process.address) as caller:
                caller.sendall(request(encoded(registration(email))))
                assert api.called.wait(LIMIT)
                process.tell(signal.SIGTERM)
                until(lambda: not listens(process.address))
                api.released.set()
                answer = answer_on(caller)
            assert process.ended().code == 0
    assert b'"action-successful"' in answer


async def test_a_caller_who_never_finishes_is_cut_off_in_one_line(
    live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    stop, called = Stop(), asyncio.Event()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        called.set()
        await asyncio.Event().wait()

    product = Product(waiting, services=live.services)
    server = Server(product, Settings(), stop)
    server.config.timeout_graceful_shutdown = 0
    with open_listener("127.0.0.1", 0) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        _, caller = await asyncio.open_connection(*listener.getsockname())
        caller.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        await called.wait()
        stop.request()
        await running
        caller.close()
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    assert "Cancel 1 running task(s)" in caplog.text


@SIGNALS
@ON_POSIX
def test_it_stops_in_good_order_when_it_is_told_so_while_it_starts(
    number: signal.Signals, tmp_path: Path
) -> None:
    seed, data = tmp_path / "seed.yaml", tmp_path / "data.json"
    os.mkfifo(seed)
    with started("--port", "0", "--data", str(data), "--seed", str(seed)) as process:
        # Opened once the server reads its seed: it is half started then.
        with seed.open("w") as writer:
            process.tell(number)
            writer.write("{}")
        ended = process.ended()
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@ON_POSIX
def test_it_heeds_signals_from_the_moment_on_when_it_takes_its_port(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data.json"))
    with reserved_port() as port, started("--port", str(port), *data) as process:
        until(lambda: listens(("127.0.0.1", port)))
        process.tell(signal.SIGINT)
        ended = process.ended()
    assert (ended.code, ended.err) == (0, "")


@ON_POSIX
def test_it_stops_when_standard_input_ends_and_not_before(tmp_path: Path, email: str) -> None:
    with serving("--data", str(tmp_path / "data.json")) as process:
        process.write("anything\n")
        assert register_at(process.url, email)["status"] == "action-successful"
        process.end_input()
        ended = process.ended()
    assert (ended.code, ended.err) == (0, "")
    assert email in clients_in(tmp_path / "data.json")
