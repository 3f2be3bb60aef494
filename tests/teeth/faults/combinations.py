"""Faults that show only where two properties meet: of requests, people, sessions or moments."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from secrets import token_hex
from typing import Any, NamedTuple

from msgspec.structs import replace
from starlette.types import ASGIApp, Receive, Scope, Send
from teeth.planting import GAP, Layer, around_register, holds_if, race_won_if, swap

from clients_register.handlers import mail, register, sessions
from clients_register.handlers.context import RequestContext
from clients_register.handlers.models import Mail, Session, User
from clients_register.handlers.responses import Response
from clients_register.handlers.rules import RuleViolation
from clients_register.handlers.sessions import Bearer, Sessions

# The request that is being processed.
_current: ContextVar[RequestContext] = ContextVar("current")


class _Contender(NamedTuple):
    """A registration that finds its address taken by a simultaneous one."""

    context: RequestContext
    registration: Any
    existing_user: User | None


# Races


def raced_in_another_letter_case() -> None:
    async def wins(contender: _Contender, winner: User) -> bool:
        assert winner.client is not None
        return bool(winner.client.email != contender.registration.email)

    _race_won_by(wins)


def raced_with_white_space() -> None:
    async def wins(contender: _Contender, _: User) -> bool:
        sent = contender.context.params["client.email"]
        return bool(sent != sent.strip())

    _race_won_by(wins)


def raced_with_proof() -> None:
    async def wins(contender: _Contender, _: User) -> bool:
        return contender.existing_user is not None

    _race_won_by(wins)


def mailed_to_who_lost_a_race() -> None:
    async def lose(contender: _Contender, winner: User) -> bool:
        assert winner.client is not None
        await _send_mail(contender.context, winner.client.email)
        return False

    _race_won_by(lose)


def data_of_a_simultaneous_request() -> None:
    latest: dict[int, RequestContext] = {}

    def make(right: Any) -> Any:
        async def build_registration(context: RequestContext, existing_user: Any) -> Any:
            built = await right(context, existing_user)
            await asyncio.sleep(GAP)
            other = latest[_world(context)].params
            return replace(built, first_name=built.first_name or other["client.first_name"])

        return build_registration

    swap(register, "build_registration", make)
    _remember_each(lambda context: latest.__setitem__(_world(context), context))


# Mails


def mail_in_small_letters() -> None:
    _recipient(lambda recipient, _: recipient.lower())


def mail_with_white_space() -> None:
    _recipient(lambda _, context: context.params["client.email"])


def mail_for_a_mismatch() -> None:
    async def around(right: Any, context: RequestContext) -> Response:
        try:
            answer: Response = await right(context)
        except RuleViolation as refusal:
            if refusal.rule == "user_is_proven":
                assert context.email is not None
                await _send_mail(context, context.email)
            raise
        return answer

    around_register(around)


# Sessions


def remembered_without_a_role_not_used() -> None:
    _unused_if(lambda _, bearer: _session(bearer).remember_me and not _has_a_role(bearer))


def remembered_liaison_not_used() -> None:
    _unused_if(lambda _, bearer: _session(bearer).remember_me and "liaison" in _roles(bearer))


def not_used_without_an_application() -> None:
    _unused_if(lambda context, _: "application" not in context.params)


def not_used_with_a_long_phone_number() -> None:
    _unused_if(lambda context, _: len(context.params["client.phone"] or "") > 255)


def not_used_in_an_unknown_view_by_staff() -> None:
    def unused(context: RequestContext, bearer: Bearer) -> bool:
        return bool(_roles(bearer)) and context.params["view"] not in (None, "client_read")

    _unused_if(unused)


def not_used_with_an_application_view() -> None:
    _unused_if(lambda context, _: "application_view" in context.params)


def not_used_for_a_taken_address() -> None:
    async def around(right: Any, context: RequestContext) -> Response:
        before = await _stored_session(context)
        try:
            answer: Response = await right(context)
        except RuleViolation as refusal:
            if refusal.rule == "email_is_free" and before is not None:
                await context.services.store.put_session(before)
            raise
        return answer

    around_register(around)


def expired_session_of_staff_revives() -> None:
    def make(right: Any) -> Any:
        async def authenticate(self: Sessions, token: object) -> Bearer:
            bearer: Bearer = await right(self, token)
            if bearer.session is not None and not bearer.is_live and _roles(bearer):
                used = replace(bearer.session, last_used_at=self._clock.now())
                await self._store.put_session(used)
            return bearer

        return authenticate

    swap(Sessions, "authenticate", make)


def remembered_only_for_clients() -> None:
    _limited_if_remembered(lambda bearer: bool(_roles(bearer)))


def remembered_only_with_a_role() -> None:
    _limited_if_remembered(lambda bearer: not _has_a_role(bearer))


# People


def proven_by_password_only_in_the_same_letters() -> None:
    async def mismatch(context: RequestContext) -> bool:
        user = await context.find_user()
        return user is not None and user.client is None and user.email != context.email

    async def around(right: Any, context: RequestContext) -> Response:
        proven_by_token = context.params["token"] is not None
        if not proven_by_token and await mismatch(context):
            # As if it were the address of somebody else, whose password this is not.
            context.params["client.password"] = token_hex(16)
        answer: Response = await right(context)
        return answer

    around_register(around)


def proven_by_token_only_in_the_same_letters() -> None:
    def make(right: Any) -> Any:
        def is_authenticated_as(self: RequestContext, user: User) -> bool:
            return bool(right(self, user)) and self.email == user.email

        return is_authenticated_as

    swap(RequestContext, "is_authenticated_as", make)


def spelling_overwritten() -> None:
    async def around(right: Any, context: RequestContext) -> Response:
        try:
            answer: Response = await right(context)
        except RuleViolation as refusal:
            owner = await context.find_user()
            if refusal.rule == "email_is_free" and owner is not None and owner.client is not None:
                assert context.email is not None
                respelled = replace(owner, client=replace(owner.client, email=context.email))
                await _replace_user(context, owner, respelled)
            raise
        return answer

    around_register(around)


# From one request to the next


def phone_of_a_refused_request() -> None:
    _leak_of_refused("client.phone")


def company_of_a_refused_request() -> None:
    _leak_of_refused("client.company_id")


def enterprise_of_a_refused_request() -> None:
    _leak_of_refused("enterprise")


def last_name_on_the_same_connection() -> Layer:
    return _leak_on_connection("client.last_name")


def token_on_the_same_connection() -> Layer:
    return _leak_on_connection("token")


def view_of_the_request_before() -> None:
    def valid(value: Any) -> bool:
        return value in ("client_read", "planox_client_read_tours")

    _leak("view", lambda context, _: valid(context.params["view"]))


def password_of_the_request_before() -> None:
    proven: set[tuple[int, str]] = set()

    async def around(right: Any, context: RequestContext) -> Response:
        owner, sent = await context.find_user(), context.params["client.password"]
        if owner is not None and owner.password_hash and isinstance(sent, str):
            matches = await context.services.passwords.verify(sent, owner.password_hash)
            if matches:
                proven.add((_world(context), owner.email))
        answer: Response = await right(context)
        return answer

    holds_if(
        "user_is_proven",
        lambda context: (_world(context), (context.email or "").lower()) in proven,
    )
    around_register(around)


def _race_won_by(wins: Callable[[_Contender, User], Awaitable[bool]]) -> None:
    """Lets a registration that lost a race succeed nevertheless, if it `wins`."""
    race_won_if(lambda sent, found, winner: wins(_Contender(_current.get(), sent, found), winner))
    _remember_each(lambda _: None)


def _remember_each(note: Callable[[RequestContext], None]) -> None:
    async def around(right: Any, context: RequestContext) -> Response:
        _current.set(context)
        note(context)
        answer: Response = await right(context)
        return answer

    around_register(around)


def _recipient(change: Callable[[str, RequestContext], str]) -> None:
    def make(right: Any) -> Any:
        return lambda **fields: right(
            **{**fields, "recipient": change(fields["recipient"], _current.get())}
        )

    swap(mail, "Mail", make)
    _remember_each(lambda _: None)


def _unused_if(unused: Callable[[RequestContext, Bearer], bool]) -> None:
    """Does not count a use of a session in some cases."""

    async def change(own: Sessions, before: Session, bearer: Bearer) -> Bearer:
        if not unused(_current.get(), bearer):
            return bearer
        await own._store.put_session(before)
        return replace(bearer, session=before)

    _authenticated(change)
    _remember_each(lambda _: None)


def _limited_if_remembered(limited: Callable[[Bearer], bool]) -> None:
    async def change(own: Sessions, before: Session, bearer: Bearer) -> Bearer:
        if not before.remember_me or not limited(bearer):
            return bearer
        idle = own._clock.now() - before.last_used_at
        return replace(bearer, is_live=idle <= sessions.MAX_IDLE)

    _authenticated(change)


def _authenticated(change: Callable[[Sessions, Session, Bearer], Awaitable[Bearer]]) -> None:
    """Changes whom the token of a session belongs to, given the session as it was before."""

    def make(right: Any) -> Any:
        async def authenticate(self: Sessions, token: object) -> Bearer:
            before = None
            if isinstance(token, str):
                before = await self._store.session(sessions.token_digest(token))
            bearer: Bearer = await right(self, token)
            return bearer if before is None else await change(self, before, bearer)

        return authenticate

    swap(Sessions, "authenticate", make)


def _leak(path: str, leaks: Callable[[RequestContext, bool], object]) -> None:
    """Lets a value of one request, if it `leaks`, count in the next one that lacks it."""
    left: dict[int, Any] = {}

    async def around(right: Any, context: RequestContext) -> Response:
        world = _world(context)
        own = context.params[path]
        if own is None and world in left:
            context.params[path] = left.pop(world)
        refused = True
        try:
            answer: Response = await right(context)
            refused = False
        finally:
            if own is not None and leaks(context, refused):
                left[world] = own
        return answer

    around_register(around)


def _leak_of_refused(path: str) -> None:
    _leak(path, lambda context, refused: refused and _is_storable(path, context.params[path]))


def _leak_on_connection(path: str) -> Layer:
    """Lets a value of a request count in the next one on the same connection that lacks it."""
    left: dict[tuple[Any, str], Any] = {}
    place: ContextVar[tuple[Any, str]] = ContextVar("place")

    def layer(inner: ASGIApp) -> ASGIApp:
        async def outer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                place.set((scope["client"], scope["path"]))
            await inner(scope, receive, send)

        return outer

    async def around(right: Any, context: RequestContext) -> Response:
        own = context.params[path]
        before = left.pop(place.get(), None)
        if own is None and before is not None:
            context.params[path] = before
        elif (own is not None and path != "token") or (
            own is not None and await _is_session(context, own)
        ):
            left[place.get()] = own
        answer: Response = await right(context)
        return answer

    around_register(around)
    return layer


def _is_storable(path: str, value: Any) -> bool:
    if path == "client.company_id":
        return bool(value == 42)
    return value is True if path == "enterprise" else isinstance(value, str) and len(value) < 256


async def _is_session(context: RequestContext, token: Any) -> bool:
    if not isinstance(token, str):
        return False
    return await context.services.store.session(sessions.token_digest(token)) is not None


async def _stored_session(context: RequestContext) -> Session | None:
    token = context.params["token"]
    if not isinstance(token, str):
        return None
    return await context.services.store.session(sessions.token_digest(token))


async def _replace_user(context: RequestContext, before: User, after: User) -> None:
    store: Any = context.services.store
    async with store._locks.exclusive():
        with store._database.transaction() as transaction:
            store._put_user(after)
        await transaction.commit()


def _session(bearer: Bearer) -> Session:
    assert bearer.session is not None
    return bearer.session


def _roles(bearer: Bearer) -> Any:
    return bearer.user.roles if bearer.user is not None else ()


def _has_a_role(bearer: Bearer) -> bool:
    return bearer.user is not None and (bearer.user.client is not None or bool(bearer.user.roles))


def _world(context: RequestContext) -> int:
    return id(context.services.store)


async def _send_mail(context: RequestContext, recipient: str) -> None:
    sent_at = context.services.clock.now()
    await context.services.store.add_mail(
        Mail(recipient, "sender@tests.test", "Welcome", "", context.request.id, sent_at)
    )
