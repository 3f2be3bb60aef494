"""Faults in the reading of a body."""

import base64
import json
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from teeth.planting import Layer, broken_if, holds_if, request, swap

from clients_register.handlers import decoding
from clients_register.handlers.decoding import Body, parse_media_type


def post_is_no_route() -> Layer:
    def change(scope: Scope) -> Scope:
        return {**scope, "method": "PUT" if scope["method"] == "POST" else scope["method"]}

    return request(change)


def json_taken_for_text() -> None:
    holds_if(
        "content_type_is_accepted",
        lambda context: parse_media_type(context.request.content_type) == "application/json",
    )


def type_by_its_beginning() -> None:
    holds_if(
        "content_type_is_accepted",
        lambda context: context.request.content_type.startswith("text/plain"),
    )


def body_lost_with_an_upgrade() -> Layer:
    def layer(app: ASGIApp) -> ASGIApp:
        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            async def receive_nothing() -> Message:
                message = await receive()
                return {**message, "body": b""} if "body" in message else message

            offers = any(
                name == b"connection" and b"upgrade" in value.lower()
                for name, value in scope["headers"]
            )
            await app(scope, receive_nothing if offers else receive, send)

        return served

    return layer


def charset_refused() -> None:
    broken_if("content_type_is_accepted", lambda context: ";" in context.request.content_type)


def bare_json_read() -> None:
    _decoded(lambda body, right: body.raw if body.raw.lstrip().startswith(b"{") else right)


def any_base64_read() -> None:
    def lenient(body: Body, right: bytes | None) -> bytes | None:
        if right is not None:
            return right
        try:
            return base64.b64decode(body.stripped + b"===")
        except ValueError:
            return None

    _decoded(lenient)


def urlsafe_read() -> None:
    _decoded(lambda body, right: right if right is not None else _urlsafe(body.stripped))


def wrapped_lines_refused() -> None:
    _decoded(lambda body, right: None if b"\n" in body.raw else right)


def latin_1_read() -> None:
    _value(lambda body: json.loads((body.decoded or b"").decode("latin-1")))


def nan_read() -> None:
    read = json.JSONDecoder(parse_constant=lambda _constant: float("nan"))
    swap(decoding, "_DECODER", lambda _: read)


def first_of_duplicates_read() -> None:
    def first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(reversed(pairs))

    _value(lambda body: json.loads((body.decoded or b"").decode(), object_pairs_hook=first))


def limit_short_by_one() -> None:
    broken_if(
        "body_is_within_the_limit", lambda context: len(context.request.body or b"") == 65_536
    )


def _decoded(change: Callable[[Body, bytes | None], bytes | None]) -> None:
    swap(Body, "_decode", lambda right: lambda body: change(body, right(body)))


def _value(read: Callable[[Body], Any]) -> None:
    def make(right: Callable[[Body], Any]) -> Callable[[Body], Any]:
        def parse(body: Body) -> Any:
            found = right(body)
            if body.decoded is None:
                return found
            try:
                return read(body)
            except ValueError:
                return found

        return parse

    swap(Body, "_parse", make)


def _urlsafe(text: bytes) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(text)
    except ValueError:
        return None
