"""Faults in who is stored, found and proven."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from teeth.planting import (
    around_register,
    forget,
    store_method,
    swap,
)

from clients_register.handlers import context
from clients_register.handlers.context import RequestContext
from clients_register.handlers.responses import Response
from clients_register.handlers.store.base import EmailTaken

# Seconds between looking for an address and storing it, so that a race is lost every time.
GAP = 0.05

KeyOf = Callable[[str], str | None]


def client_not_stored() -> None:
    async def around(right: Any, context: RequestContext) -> Response:
        answer: Response = await right(context)
        owner = await context.find_user()
        if owner is not None:
            await context.services.store.remove([owner.id])
        return answer

    around_register(around)


def address_never_taken() -> None:
    _key(lambda right: lambda address: f"{right(address)} {secrets.token_hex(4)}")


def address_by_letter_case() -> None:
    _key(lambda right: lambda address: address if right(address) else None)


def address_raced() -> None:
    def make(right: Any) -> Any:
        @asynccontextmanager
        async def begin_registration(
            store: Any, registration: Any, user: Any
        ) -> AsyncIterator[Any]:
            await asyncio.sleep(GAP)
            try:
                async with right(store, registration, user) as pending:
                    yield pending
            except EmailTaken:
                other = f"{registration.email_key} {secrets.token_hex(4)}"
                async with right(store, replace(registration, email_key=other), None) as pending:
                    yield pending

        return begin_registration

    store_method("begin_registration", make)


def address_without_at() -> None:
    _taken(lambda address: "@" not in address)


def address_with_two_ats() -> None:
    _taken(lambda address: address.count("@") > 1)


def address_with_a_blank() -> None:
    _taken(lambda address: " " in address)


def address_without_a_local_part() -> None:
    _taken(lambda address: address.startswith("@"))


def address_without_a_domain() -> None:
    _taken(lambda address: address.endswith("@"))


def address_in_small_letters() -> None:
    swap(context, "trim_email", lambda right: lambda address: right(address).lower())


def anybody_proven() -> None:
    forget("user_is_proven")


def proven_by_any_session() -> None:
    swap(
        RequestContext,
        "is_authenticated_as",
        lambda _: lambda self, user: bool(self.bearer and self.bearer.is_live),
    )


def proven_by_password_alone() -> None:
    swap(RequestContext, "is_authenticated_as", lambda _: lambda self, user: False)


def _key(make: Callable[[KeyOf], KeyOf]) -> None:
    swap(context, "email_key", make)


def _taken(kind: Callable[[str], bool]) -> None:
    """Has malformed addresses of a kind be addresses."""
    _key(lambda right: lambda address: address if kind(address) else right(address))
