"""Planting: replaces parts of the server in this process, and restores them.

The function of a mutant calls `swap`, or one of the helpers built on it, inside `planted`. Nothing
outside of `clients_register.handlers` is replaced, because the suite runs in the same process.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any
from unittest.mock import patch

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients_register.handlers import attempt, building, register, routing
from clients_register.handlers.answers import Answer
from clients_register.handlers.attempt import Attempt
from clients_register.handlers.mock import product
from clients_register.handlers.mock.stub import CONTROL
from clients_register.handlers.params import Params
from clients_register.handlers.records import User
from clients_register.handlers.refusals import Refusal
from clients_register.handlers.rules import BROKEN, HOLDS, RULES, Faults, Rule
from clients_register.handlers.store.tinydb import TinyDBStore
from clients_register.spec.catalogue import Catalogue, Status

Envelope = dict[str, Any]
Layer = Callable[[ASGIApp], ASGIApp]


# What undoes the planted mutant, and a lock that one mutant at a time holds.
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


async def _holding(_attempt: Attempt) -> Faults:
    return HOLDS


def rule(fact: str, judge: Callable[[Attempt, Faults], Faults]) -> None:
    """Has `judge` make other faults of those that the rule finds."""
    before = RULES[fact]

    async def judged(attempt: Attempt) -> Faults:
        return judge(attempt, await before(attempt))

    _replace_rule(fact, judged)


def broken_if(fact: str, wrong: Callable[[Attempt], object]) -> None:
    """Has the rule find fault also with what is `wrong`."""
    rule(fact, lambda attempt, faults: BROKEN if wrong(attempt) else faults)


def holds_if(fact: str, right: Callable[[Attempt], object]) -> None:
    """Has the rule find no fault with what is `right`."""
    rule(fact, lambda attempt, faults: HOLDS if right(attempt) else faults)


def judged_as(fact: str, other: str) -> None:
    """Has the status of the fact `other` answer where `fact` does not hold."""

    class Misjudging(Catalogue):
        def broken(self, asked: str) -> Status:
            return super().broken(other if asked == fact else asked)

    # The suite shares the class `Catalogue`, so that only the server's modules get another.
    for module in (building, product):
        swap(module, "Catalogue", lambda _: Misjudging)


def coded(fact: str, code: int) -> None:
    """Has another HTTP code answer where `fact` does not hold."""

    def make(right: Callable[[Attempt, Refusal], Answer]) -> Callable[[Attempt, Refusal], Answer]:
        def refused(attempt: Attempt, refusal: Refusal) -> Answer:
            answer = right(attempt, refusal)
            if refusal.fact != fact:
                return answer
            return Answer(replace(answer.status, code=code), answer.parts)

        return refused

    swap(routing, "refused", make)


def success_code(code: int) -> None:
    """Has another HTTP code answer a success."""

    def make(right: Callable[..., Answer]) -> Callable[..., Answer]:
        def success(*args: Any) -> Answer:
            answer = right(*args)
            return Answer(replace(answer.status, code=code), answer.parts)

        return success

    swap(register, "success", make)


def envelope(change: Callable[[Envelope, Answer], None]) -> None:
    """Has `change` alter every envelope before it is sent."""

    def changed(right: Callable[[Answer], Envelope]) -> Callable[[Answer], Envelope]:
        def altered(answer: Answer) -> Envelope:
            made = right(answer)
            change(made, answer)
            return made

        return altered

    swap(Answer, "envelope", changed)


def on_success(change: Callable[[Attempt, User, Envelope], None]) -> None:
    """Has `change` alter the parts of each answer of success."""

    def changed(right: Callable[..., Answer]) -> Callable[..., Answer]:
        def altered(attempt: Attempt, user: User, *rest: Any) -> Answer:
            answer = right(attempt, user, *rest)
            parts = dict(answer.parts)
            change(attempt, user, parts)
            return Answer(answer.status, parts)

        return altered

    swap(register, "success", changed)


def params(change: Callable[[dict[str, Any], Mapping[str, Any]], None]) -> None:
    """Has `change` alter the parameters that count as passed: path -> value, and all as sent."""

    class Altered(Params):
        def __init__(self, sent: Mapping[str, Any]) -> None:
            super().__init__(sent)
            change(self._passed, sent)

    swap(attempt, "Params", lambda _: Altered)


def around_register(
    around: Callable[[Callable[[Attempt], Awaitable[Answer]], Attempt], Awaitable[Answer]],
) -> None:
    """Has `around` answer in place of the route; it gets the route, and the attempt."""
    swap(register, "register", lambda right: lambda attempt: around(right, attempt))


def store_method(name: str, make: Callable[[Any], Any]) -> None:
    """Puts what `make` makes of a method of the store in its place."""
    swap(TinyDBStore, name, make)


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
    return f"{CONTROL}/" in str(scope["path"])


def _replace_rule(fact: str, rule: Rule) -> None:
    _replace(patch.dict(RULES, {fact: rule}))


def _replace(replacement: AbstractContextManager[Any]) -> None:
    if not _planting.locked():
        raise RuntimeError("expected to be called inside `planted`")
    _replacements.enter_context(replacement)
