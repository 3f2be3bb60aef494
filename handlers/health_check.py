"""The health check: says whether the server can use its data, to containers and CI jobs.

It is not part of the API, and its response is not an envelope (Q-HEALTH). Anyone who can reach the
server may ask, so it does not say what is wrong; the log does.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.types import Scope, Send

from clients_register.handlers.logs import store_errors
from clients_register.handlers.settings import HEALTH_PATH, PROBLEM
from clients_register.handlers.store.base import Store, StoreError

METHODS = frozenset({"GET", "HEAD"})

# How long the data may take, in seconds: longer than a database may, to have its own message.
TIMEOUT = 4

READY = {"ready": True}
UNAVAILABLE = {
    "type": "about:blank",
    "title": HTTPStatus.SERVICE_UNAVAILABLE.phrase,
    "status": HTTPStatus.SERVICE_UNAVAILABLE.value,
    "detail": "the data cannot be used; the log of the server says why",
}

log = logging.getLogger(__name__)


def is_health_check(scope: Scope) -> bool:
    """Whether a request is for the health check, and not for the API."""
    return scope["path"] == HEALTH_PATH and scope["method"] in METHODS


async def respond_to_health_check(store: Store, send: Send) -> None:
    """Sends 200 if `store` can be used, otherwise 503."""
    try:
        async with asyncio.timeout(TIMEOUT):
            await store.check_available()
    except TimeoutError:
        log.error("health check: the data could not be used within %d seconds", TIMEOUT)
    except StoreError as error:
        store_errors.error("health check", error)
    except Exception:
        log.exception("the health check crashed")
    else:
        await _send(send, HTTPStatus.OK, b"application/json", READY)
        return
    await _send(send, HTTPStatus.SERVICE_UNAVAILABLE, PROBLEM.encode(), UNAVAILABLE)


async def _send(
    send: Send, code: HTTPStatus, content_type: bytes, content: Mapping[str, Any]
) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": code.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
