"""The stub as one ASGI application: which world, and what stands between caller and real rules."""

import asyncio
import logging
import time
import traceback
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients_register.handlers.app import App
from clients_register.handlers.exchange import EXCHANGE, CallerGone, Exchange, new_id, read
from clients_register.handlers.mock import cors
from clients_register.handlers.mock.connection import Broken
from clients_register.handlers.mock.control.calls import Desk
from clients_register.handlers.mock.faults import BEFORE_ROUTING, InjectedCrash
from clients_register.handlers.mock.forced import Example
from clients_register.handlers.mock.headers import Headers, adding
from clients_register.handlers.mock.journal import Entry
from clients_register.handlers.mock.prefer import Preferences
from clients_register.handlers.mock.problems import Problem
from clients_register.handlers.mock.world import World
from clients_register.handlers.store import StoreError

log = logging.getLogger(__name__)

CONTROL = "/_mock"

# The keys of the ASGI scope under which the layers hand on the world, and the visit to it.
WORLD = "clients_register.world"
VISIT = "clients_register.visit"


@dataclass(slots=True)
class Visit:
    """One request to a world on its way through the layers, and the answer that it gets."""

    world: World
    entry: Entry
    at_route: bool
    scope: Scope
    receive: Receive
    headers: Headers = field(default_factory=lambda: cors.ON_ANSWERS)
    answer: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        """Holds the answer back until it is whole: it is in the journal before anybody has it."""
        self.answer.append(message)


class Stub:
    """The layers around the reference path. See the package's docstring for their order."""

    def __init__(self, desk: Desk, routed: ASGIApp, control: ASGIApp, max_body: int) -> None:
        """`routed` is Connexion's routing of the contract, `control` answers under `/_mock`.

        `max_body` is in bytes.
        """
        self._worlds = desk.worlds
        self._routed = routed
        self._control = control
        self._examples = desk.examples
        self._preferences = Preferences(
            {slug: example.status for slug, example in desk.examples.items()}
        )
        self._addresses = desk.addresses
        self._route = desk.route
        self._max_body = max_body
        unidentified = desk.catalogue.broken("request_is_identified")
        self._unidentified = desk.examples[unidentified.slug]
        crashed = desk.catalogue.broken("nothing_unforeseen_happens")
        self._crashed = desk.examples[crashed.slug]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification; only `http` scopes are served."""
        try:
            world, path = self._worlds.at(scope["path"])
        except Problem as problem:
            await problem.answer(send, cors.ON_ANSWERS)
            return
        world.enter()
        try:
            if path == CONTROL or path.startswith(f"{CONTROL}/"):
                await self._control({**_inside(scope, path), WORLD: world}, receive, send)
            elif path == self._route and cors.is_preflight(scope["method"], scope["headers"]):
                headers = cors.on_preflight(scope["headers"])
                await send({"type": "http.response.start", "status": 204, "headers": headers})
                await send({"type": "http.response.body"})
            else:
                await self._visit(world, path, scope, receive, send)
        finally:
            world.leave()

    async def _visit(
        self, world: World, path: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        now, started = world.state.clock.now(), time.perf_counter()
        entry = Entry("", now, scope["method"], path, started)
        at_route = path == self._route and scope["method"] == "POST"
        visit = Visit(world, entry, at_route, scope, receive)
        try:
            await self._answer(visit)
        except CallerGone:
            return
        except StoreError as error:
            self._earned(visit, self._crashed if at_route else self._unidentified)
            log.error("%s: crash in the world %s: %s", entry.id, world.name, error)
        except Exception as error:  # noqa: BLE001 - a crash is an answer, too
            # Where it struck; the words of an exception may quote the request.
            struck = "".join(traceback.format_tb(error.__traceback__))
            log.error("the stub crashed:\n%s%s", struck, type(error).__name__)
            self._earned(visit, self._unidentified)
        entry.milliseconds = (time.perf_counter() - entry.started) * 1000
        world.record(entry)
        await self._deliver(visit, send)

    async def _deliver(self, visit: Visit, send: Send) -> None:
        """Sends the answer, broken if that was asked for."""
        if visit.entry.fault is not None:
            broken = Broken(visit.entry.fault, visit.answer, visit.scope, visit.receive, send)
            await broken.deliver()
        else:
            for message in visit.answer:
                await send(message)

    async def _answer(self, visit: Visit) -> None:
        if not visit.at_route:
            await self._real(visit)
            return
        try:
            asked = self._preferences.of(visit.scope["headers"])
        except Problem as problem:
            await self._complain(visit, problem)
            return
        visit.headers = asked.headers
        item = None if asked.status else visit.world.state.script.next()
        delay = asked.wait + (item.delay if item else 0)
        if delay:
            await asyncio.sleep(delay)
        if asked.status:
            await self._forced(visit, "prefer", asked.status.slug)
            return
        visit.entry.fault = item.fault if item else None
        if item is not None and item.slug is not None:
            await self._forced(visit, "script", item.slug)
        else:
            await self._real(visit)

    async def _forced(self, visit: Visit, how: str, slug: str) -> None:
        """Answers with the example of `slug`. The body is read for the journal, and not judged."""
        if visit.entry.request is None:
            visit.entry.request, _ = await read(visit.scope, visit.receive, self._max_body)
        example = self._examples[slug]
        entry = visit.entry
        entry.id, entry.forced = visit.entry.request.id, how
        entry.slug, entry.code, entry.envelope = slug, example.status.code, example.envelope
        own: Headers = [(b"mock-forced", how.encode()), (b"x-request-id", entry.id.encode())]
        visit.answer = example.answer(own + visit.headers)

    def _earned(self, visit: Visit, example: Example) -> None:
        """Answers with an example that is the truth."""
        visit.entry.id = new_id()
        visit.entry.slug, visit.entry.code = example.status.slug, example.status.code
        visit.entry.envelope = example.envelope
        visit.answer = example.answer([(b"x-request-id", visit.entry.id.encode()), *visit.headers])

    async def _complain(self, visit: Visit, problem: Problem) -> None:
        request, _ = await read(visit.scope, visit.receive, self._max_body)
        visit.entry.request, visit.entry.id = request, request.id
        visit.entry.code, visit.entry.envelope = problem.code, problem.details()
        await problem.answer(visit.send, [(b"x-request-id", request.id.encode()), *visit.headers])

    async def _real(self, visit: Visit) -> None:
        """Answers by the real rules, on the world's services."""
        services = await visit.world.services()
        scope = {**_inside(visit.scope, visit.entry.path), VISIT: visit}
        await App(self._inner, services, self._max_body)(
            scope, visit.receive, adding(visit.headers, visit.send)
        )
        exchange: Exchange | None = scope.get(EXCHANGE)
        if exchange is None:
            raise CallerGone
        entry = visit.entry
        entry.request, entry.attempt, entry.id = (
            exchange.request,
            exchange.attempt,
            exchange.request.id,
        )
        if exchange.answered is not None:
            status = exchange.answered.status
            entry.slug, entry.code = status.slug, status.code
            entry.envelope = exchange.answered.envelope()

    async def _inner(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Between the reading of a request and its routing."""
        visit: Visit = scope[VISIT]
        exchange: Exchange = scope[EXCHANGE]
        slug = self._addresses.slug_in(exchange.request) if visit.at_route else None
        if slug is not None:
            visit.entry.request = exchange.request
            await self._forced(visit, "address", slug)
        elif visit.world.state.faults.crash == BEFORE_ROUTING:
            raise InjectedCrash("a crash before routing was asked for")
        else:
            await self._routed(scope, receive, send)


def _inside(scope: Scope, path: str) -> Scope:
    """`scope` as it is in a world, where it has that `path`."""
    return {**scope, "path": path, "raw_path": path.encode()}
