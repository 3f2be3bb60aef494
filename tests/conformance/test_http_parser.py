"""The raw client parses responses byte by byte, and refuses what is no HTTP/1.1."""

import pytest

from clients_register.conformance.http_parser import (
    MAX_BODY,
    MAX_HEAD,
    BufferedReader,
    NotHttp,
    ResponseHead,
    encode_chunks,
    read_response,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


async def read(
    raw: bytes, method: str = "POST", lost: Exception | None = None
) -> tuple[ResponseHead, bytes, bool]:
    """The answer in `raw`, after which the connection ends, by `lost` if it broke."""
    reader = BufferedReader(MAX_HEAD)
    reader.feed_data(raw)
    if lost is None:
        reader.feed_eof()
    else:
        reader.set_exception(lost)
    return await read_response(reader, method)


@pytest.mark.parametrize(
    ("raw", "body", "lasts"),
    [
        (OK + b"content-length: 1\r\n\r\nab", b"a", True),
        (OK + b"Content-Length: 1\r\ncontent-length: 1\r\n\r\na", b"a", True),
        (OK + b"Content-Length: 1\r\nconnection: Close\r\n\r\na", b"a", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", False),
        (OK + b"\r\nuntil the end", b"until the end", False),
        (OK + b"transfer-encoding: Chunked\r\n\r\n0\r\n\r\n", b"", True),
        (CHUNKED + b"1;x=y\r\na\r\n0A \r\n123456789b\r\n0\r\nT: 1\r\n\r\n", b"a123456789b", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n", b"", True),
        (b"HTTP/1.1 304\r\n\r\n", b"", True),
        (b"HTTP/1.1 100\r\n\r\nHTTP/1.1 102 \r\nX: y\r\n\r\n" + OK + b"\r\na", b"a", False),
    ],
)
async def test_an_answer_ends_where_it_says(raw: bytes, body: bytes, lasts: bool) -> None:
    assert (await read(raw))[1:] == (body, lasts)


@pytest.mark.parametrize(
    ("raw", "problems"),
    [
        (OK + b"Content-Length: 1\r\n\r\na", ()),
        (CHUNKED + b"0\r\n\r\n", ()),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ()),
        (
            OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
            ("Content-Length more than once",),
        ),
        (
            OK + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
            ("Content-Length with Transfer-Encoding",),
        ),
        (
            b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            ("a length of the body of a 204",),
        ),
    ],
)
async def test_contradictory_lengths_are_reported(raw: bytes, problems: tuple[str, ...]) -> None:
    assert (await read(raw))[0].framing_problems == problems


async def test_head_has_no_body() -> None:
    head, body, _ = await read(OK + b"Content-Length: 9\r\n\r\n", "HEAD")
    assert (head.headers, body) == ((("Content-Length", "9"),), b"")


async def test_headers_are_told_as_they_came() -> None:
    raw = OK + b"x-ONE: \t a:b \t\r\nEmpty:\r\nX-One:\xa0\xe9\r\nContent-Length: 0\r\n\r\n"
    head, *_ = await read(raw)
    assert head.raw == raw
    assert head.headers == (
        ("x-ONE", "a:b"),
        ("Empty", ""),
        ("X-One", "\xa0é"),
        ("Content-Length", "0"),
    )


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "status line"),
        (b"SSH-2.0-OpenSSH", "status line"),
        (b"HTTP/2 200 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "status line"),
        (b"\r\n" + OK + b"\r\n", "status line"),
        (OK + b"no header\r\n\r\n", "a header"),
        (OK + b"X : space\r\n\r\n", "a header"),
        (OK + b"X: folded\r\n Y: here\r\n\r\n", "a header, found ' Y: here'"),
        (OK + b"X: bare\nY: line feed\r\n\r\n", "a header"),
        (OK + b"X: " + b"x" * MAX_HEAD + b"\r\n\r\n", "head within 65536 bytes"),
        (OK + b"Content-Length: -1\r\n\r\n", "Content-Length"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "found '1, 2'"),
        (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "Content-Length"),
        (OK + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1), f"at most {MAX_BODY}"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "gzip, chunked"),
        (OK + b"\r\n" + b"x" * (MAX_BODY + 1), f"at most {MAX_BODY}"),
        (CHUNKED + b"xyz\r\n", "size of a chunk"),
        (CHUNKED + b"-5\r\n", "size of a chunk"),
        (CHUNKED + b"0x5\r\n12345\r\n0\r\n\r\n", "size of a chunk"),
        (CHUNKED + b"%x\r\n" % (MAX_BODY + 1), f"at most {MAX_BODY}"),
        (CHUNKED + b"1\r\nabc\r\n", "end of a chunk"),
        (CHUNKED + b"1;" + b"x" * MAX_HEAD + b"\r\n", "end of a line"),
        (CHUNKED + b"0\r\n" + b"X: yyyyyyy\r\n" * 10_000 + b"\r\n", "after the last chunk"),
    ],
)
async def test_what_is_no_answer_is_refused(raw: bytes, found: str) -> None:
    with pytest.raises(NotHttp) as failure:
        await read(raw)
    assert found in str(failure.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        OK + b"Content-Length: 9\r\n\r\nshort",
        CHUNKED + b"5\r\nab",
        CHUNKED + b"1\r\na\r\n",
        CHUNKED + b"0\r\nX: y\r\n",
    ],
)
async def test_an_answer_without_its_end_is_none(raw: bytes) -> None:
    with pytest.raises(EOFError):
        await read(raw)


async def test_a_whole_answer_counts_though_the_connection_broke() -> None:
    raw = OK + b"Content-Length: 1\r\n\r\na"
    assert (await read(raw, lost=ConnectionResetError("reset")))[1] == b"a"


async def test_a_body_until_the_end_is_not_whole_where_the_connection_broke() -> None:
    with pytest.raises(EOFError, match="after 4 bytes"):
        await read(OK + b"\r\nbody", lost=ConnectionResetError("reset"))


def test_chunks_have_the_size_that_is_asked_for() -> None:
    assert b"".join(encode_chunks(b"abcde", 2)) == b"2\r\nab\r\n2\r\ncd\r\n1\r\ne\r\n0\r\n\r\n"
    assert b"".join(encode_chunks(b"", 2)) == b"0\r\n\r\n"
