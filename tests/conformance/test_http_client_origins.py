"""The raw client connects to servers at any port, at addresses of IPv6, and over TLS."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.command import certified, needs_ipv6
from support.servers import counted, saying, serving, tunnel

from clients_register.conformance.http_client import HttpClient, HttpRequest, NoResponse

POST = HttpRequest("POST", "/some?query=1", (("X-One", "1"),), b"body")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_port_where_nobody_listens_is_told() -> None:
    async with serving(saying()) as origin:
        pass
    async with HttpClient(origin) as wire:
        with pytest.raises(NoResponse, match=origin.removeprefix("http://")) as failure:
            await wire.send(POST)
    assert failure.value.kind == "refused"


async def test_an_address_of_ipv6_is_reached() -> None:
    needs_ipv6()
    heard: list[bytes] = []
    async with serving(saying(OK, heard=heard), "::1") as origin, HttpClient(origin) as wire:
        assert (await wire.send(POST)).code == 200
    assert f"\r\nHost: {origin.removeprefix('http://')}\r\n".encode() in heard[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that vouches for itself, and its key, in one file."""
    return certified(tmp_path_factory.mktemp("tls"))


async def test_https_is_spoken_with_whom_the_context_trusts(certificate: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=certificate)
    talk, opened = counted(saying(OK, OK, OK))
    async with serving(talk, tls=server) as origin:
        async with HttpClient(origin, ssl_context=trusting) as wire:
            for _ in range(3):
                assert (await wire.send(POST)).body == b"ok"
        # The origin decides that it is TLS; without a context, the certificate is not trusted.
        async with HttpClient(origin) as wire:
            with pytest.raises(NoResponse, match="certificate") as failure:
                await wire.send(POST)
    assert (len(opened), failure.value.kind) == (1, "refused")


async def test_a_proxy_passes_on_what_is_sent() -> None:
    heard: list[bytes] = []
    connected: list[bytes] = []
    async with (
        serving(saying(OK, OK, heard=heard)) as origin,
        serving(tunnel(*_address(origin), connected)) as proxy,
        HttpClient(origin, proxy=proxy) as wire,
    ):
        for _ in range(2):
            assert (await wire.send(POST)).body == b"ok"
    assert heard[0].startswith(b"POST /some?query=1 HTTP/1.1\r\n")
    assert connected == [f"CONNECT {origin.removeprefix('http://')} HTTP/1.1".encode()]


async def test_https_goes_through_a_proxy(certificate: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=certificate)
    async with (
        serving(saying(OK, OK), tls=server) as origin,
        serving(tunnel(*_address(origin), [])) as proxy,
        HttpClient(origin, ssl_context=trusting, proxy=proxy) as wire,
    ):
        for _ in range(2):
            assert (await wire.send(POST)).body == b"ok"


async def test_a_proxy_that_refuses_is_told() -> None:
    no = saying(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    async with serving(no) as proxy, HttpClient("http://127.0.0.1:1", proxy=proxy) as wire:
        with pytest.raises(NoResponse, match="the proxy responded 403") as failure:
            await wire.send(POST)
    assert failure.value.kind == "refused"


def _address(origin: str) -> tuple[str | None, int | None]:
    url = urlsplit(origin)
    return url.hostname, url.port
