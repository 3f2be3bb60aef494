"""A minimal server as the baseline: one ASGI application on the uvicorn that the product uses.

    python bench/bare.py PORT bytes     sends the bytes of the stub's forced response
    python bench/bare.py PORT bcrypt    the same, after one bcrypt at cost 4 in a thread

It reads the request body, as every server has to.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bcrypt
import uvicorn

BODY = (
    b'{"code":400,"status":"missing-param","errors":[{"attr":"application","message":"missing"}]}'
)
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(BODY)).encode()),
    (b"mock-forced", b"prefer"),
    (b"x-request-id", b"0123456789abcdef"),
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"X-Request-Id, Mock-Forced, Mock-Error, Preference-Applied",
    ),
    (b"preference-applied", b"code=400, example=missing-param"),
]
THREADS = ThreadPoolExecutor(os.cpu_count())


async def answer(_scope: Any, receive: Any, send: Any) -> None:
    """Reads the request and sends the response."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 400, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def hashing(scope: Any, receive: Any, send: Any) -> None:
    """Does the same after hashing a password as the stub does."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(THREADS, bcrypt.hashpw, b"correct horse", bcrypt.gensalt(4))
    await answer(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(
        {"bytes": answer, "bcrypt": hashing}[sys.argv[2]],
        port=int(sys.argv[1]),
        access_log=False,
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        ws="none",
    )
