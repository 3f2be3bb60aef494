"""Planting: replaces parts of the server in this process, and restores them.

The function of a mutant calls `swap`, or one of the helpers built on it, inside `planted`. Nothing
outside of `clients_register.handlers` is replaced, because the suite runs in the same process.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from secrets import token_hex
from threading import Lock
from typing import Any
from unittest.mock import patch

from msgspec import structs
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients_register.handlers import app, decoding, register, resources
from clients_register.handlers.context import RequestContext
from clients_register.handlers.decoding import Params
from clients_register.handlers.models import Registration, User
from clients_register.handlers.responses import Response
from clients_register.handlers.rules import PASSED, RULES, VIOLATED, Errors, Rule, RuleViolation
from clients_register.handlers.store.base import EmailTaken, PendingRegistration
from clients_register.handlers.store.tinydb import TinyDBStore
from clients_register.handlers.stub import builder
from clients_register.handlers.stub.control.plane import PREFIX
from clients_register.spec.statuses import Status, StatusTable

Envelope = dict[str, Any]
Layer = Callable[[ASGIApp], ASGIApp]

# Tells from a registration, from the user it found before and from the user who has the address now
# whether it succeeds although it lost the race.
Wins = Callable[[Registration, User | None, User], Awaitable[bool]]

# Seconds between looking for an address and storing it, so that a race is lost every time.
GAP = 0.05


# Restores what the planted mutant replaced; and a lock that one mutant at a time holds.
_replacements = ExitStack()
_planting = Lock()


@contextmanager
def planted(plant: Callable[[], Layer | None]) -> Iterator[Layer | None]:
    """Plants a fault, and restores the server when the context ends.

    Yields the layer to put around the server, if the mutant needs one. A server has to be built and
    closed inside the context. Raises RuntimeError if a mutant is already planted in this process.
    """
    if not _planting.acquire(blocking=False):
        raise RuntimeError("another mutant is already planted in this process")
    try:
        with _replacements:
            yield plant()
    finally:
        _planting.release()


def swap(owner: object, name: str, make: Callable[[Any], Any]) -> None:
    """Replaces the attribute `name` with what `make` returns for it."""
    _replace(patch.object(owner, name, make(getattr(owner, name))))


def forget(*facts: str) -> None:
    """Makes these rules find no fault."""
    for fact in facts:
        _replace_rule(fact, _holding)


def _holding(_attempt: RequestContext) -> Errors:
    return PASSED


def rule(fact: str, judge: Callable[[RequestContext, Errors], Errors]) -> None:
    """Has `judge` make other faults of those that the rule finds."""
    before = RULES[fact]

    async def judged(context: RequestContext) -> Errors:
        errors = before(context)
        return judge(context, errors if isinstance(errors, list) else await errors)

    _replace_rule(fact, judged)


def broken_if(fact: str, wrong: Callable[[RequestContext], object]) -> None:
    """Has the rule find fault also with what is `wrong`."""
    rule(fact, lambda context, faults: VIOLATED if wrong(context) else faults)


def holds_if(fact: str, right: Callable[[RequestContext], object]) -> None:
    """Has the rule find no fault with what is `right`."""
    rule(fact, lambda context, faults: PASSED if right(context) else faults)


def judged_as(fact: str, other: str) -> None:
    """Has the status of the fact `other` answer where `fact` does not hold."""

    class Misjudging(StatusTable):
        def for_rule(self, asked: str) -> Status:
            return super().for_rule(other if asked == fact else asked)

    # Only in the modules of the server, because the suite uses the class, too.
    for module in (resources, builder):
        swap(module, "StatusTable", lambda _: Misjudging)


def coded(fact: str, code: int) -> None:
    """Has another HTTP code answer where `fact` does not hold."""

    def make(
        right: Callable[[RequestContext, RuleViolation], Response],
    ) -> Callable[[RequestContext, RuleViolation], Response]:
        def refused(context: RequestContext, refusal: RuleViolation) -> Response:
            answer = right(context, refusal)
            if refusal.rule != fact:
                return answer
            return Response(replace(answer.status, code=code), answer.parts)

        return refused

    swap(app, "error_response", make)


def success_code(code: int) -> None:
    """Has another HTTP code answer a success."""

    def make(right: Callable[..., Response]) -> Callable[..., Response]:
        def success(*args: Any) -> Response:
            answer = right(*args)
            return Response(replace(answer.status, code=code), answer.parts)

        return success

    swap(register, "success_response", make)


def envelope(change: Callable[[Envelope, Response], None]) -> None:
    """Has `change` alter every envelope before it is sent."""

    def changed(right: Callable[[Response], Envelope]) -> Callable[[Response], Envelope]:
        def altered(answer: Response) -> Envelope:
            made = right(answer)
            change(made, answer)
            return made

        return altered

    swap(Response, "envelope", changed)


def on_success(change: Callable[[RequestContext, User, Envelope], None]) -> None:
    """Has `change` alter the parts of each answer of success."""

    def changed(right: Callable[..., Response]) -> Callable[..., Response]:
        def altered(context: RequestContext, user: User, *rest: Any) -> Response:
            answer = right(context, user, *rest)
            parts = dict(answer.parts)
            change(context, user, parts)
            return Response(answer.status, parts)

        return altered

    swap(register, "success_response", changed)


def params(change: Callable[[dict[str, Any], Mapping[str, Any]], None]) -> None:
    """Has `change` alter the parameters that count as passed: path -> value, and all as sent."""

    class Altered(Params):
        def __init__(self, sent: Mapping[str, Any]) -> None:
            super().__init__(sent)
            change(self, sent)

    swap(decoding, "Params", lambda _: Altered)


def around_register(
    around: Callable[
        [Callable[[RequestContext], Awaitable[Response]], RequestContext], Awaitable[Response]
    ],
) -> None:
    """Has `around` answer in place of the route; it gets the route, and the attempt."""
    swap(register, "register", lambda right: lambda context: around(right, context))


def store_method(name: str, make: Callable[[Any], Any]) -> None:
    """Puts what `make` makes of a method of the store in its place."""
    swap(TinyDBStore, name, make)


def race_won_if(wins: Wins) -> None:
    """Lets a registration that lost a race for its address succeed nevertheless, if it `wins`."""

    def make(right: Any) -> Any:
        @asynccontextmanager
        async def begin_registration(
            store: Any, registration: Registration, user: User | None
        ) -> AsyncIterator[PendingRegistration]:
            await asyncio.sleep(GAP)
            try:
                async with right(store, registration, user) as pending:
                    yield pending
            except EmailTaken:
                owner = await store.user_by_email(registration.email_key)
                if not await wins(registration, user, owner):
                    raise
                other = f"{registration.email_key} {token_hex(4)}"
                async with right(
                    store, structs.replace(registration, email_key=other), None
                ) as pending:
                    yield pending

        return begin_registration

    store_method("begin_registration", make)


def head(change: Callable[[Message, Scope], None]) -> Layer:
    """A layer that has `change` alter code and headers of every answer of the API."""

    def layer(inner: ASGIApp) -> ASGIApp:
        async def outer(scope: Scope, receive: Receive, send: Send) -> None:
            async def altered(message: Message) -> None:
                if message["type"] == "http.response.start" and not is_control(scope):
                    change(message, scope)
                await send(message)

            await inner(scope, receive, altered)

        return outer

    return layer


def header(name: str, value: Callable[[Scope], str | None]) -> Layer:
    """A layer that sets a header of every answer of the API; None takes it away."""

    def change(message: Message, scope: Scope) -> None:
        kept = [(key, old) for key, old in message["headers"] if key.lower() != name.encode()]
        new = value(scope)
        message["headers"] = kept if new is None else [*kept, (name.encode(), new.encode())]

    return head(change)


def content(change: Callable[[bytes, Scope], bytes], **headers: str) -> Layer:
    """A layer that has `change` alter the body of every answer of the API, and adds `headers`."""
    added = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    def layer(inner: ASGIApp) -> ASGIApp:
        async def outer(scope: Scope, receive: Receive, send: Send) -> None:
            start: Message = {}
            body = b""

            async def altered(message: Message) -> None:
                nonlocal start, body
                if message["type"] == "http.response.start":
                    start = message
                    return
                body += message.get("body", b"")
                if not message.get("more_body"):
                    changed = change(body, scope) if body else body
                    length = (b"content-length", str(len(changed)).encode())
                    kept = [each for each in start["headers"] if each[0] != length[0]]
                    extra = added if changed != body else []
                    await send({**start, "headers": [*kept, *extra, length]})
                    await send({"type": "http.response.body", "body": changed})

            await inner(scope, receive, send if is_control(scope) else altered)

        return outer

    return layer


def request(change: Callable[[Scope], Scope]) -> Layer:
    """A layer that has `change` alter the head of every request to the API."""

    def layer(inner: ASGIApp) -> ASGIApp:
        async def outer(scope: Scope, receive: Receive, send: Send) -> None:
            await inner(scope if is_control(scope) else change(scope), receive, send)

        return outer

    return layer


def instead(of: Callable[[Scope], bool], code: int, body: object, **headers: str) -> Layer:
    """A layer that answers requests that are `of` a kind itself; a `body` of JSON or text."""
    text = body if isinstance(body, str) else json.dumps(body)
    listed = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    def layer(inner: ASGIApp) -> ASGIApp:
        async def outer(scope: Scope, receive: Receive, send: Send) -> None:
            if is_control(scope) or not of(scope):
                await inner(scope, receive, send)
                return
            length = (b"content-length", str(len(text.encode())).encode())
            start = {"type": "http.response.start", "status": code, "headers": [*listed, length]}
            await send(start)
            await send({"type": "http.response.body", "body": text.encode()})

        return outer

    return layer


def is_route(scope: Scope) -> bool:
    """Whether a request is to the path of the route, in whatever world."""
    return str(scope["path"]).endswith("/clients/register")


def is_control(scope: Scope) -> bool:
    """Whether a request is to the control plane, which the suite relies on."""
    return f"{PREFIX}/" in str(scope["path"])


def _replace_rule(fact: str, rule: Rule) -> None:
    _replace(patch.dict(RULES, {fact: rule}))


def _replace(replacement: AbstractContextManager[Any]) -> None:
    if not _planting.locked():
        raise RuntimeError("expected to be called inside `planted`")
    _replacements.enter_context(replacement)
