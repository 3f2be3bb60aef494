"""Faults in who is stored, found and proven."""

import secrets
from collections.abc import Callable
from typing import Any

from teeth.planting import (
    around_register,
    forget,
    race_won_if,
    swap,
)

from clients_register.handlers import context
from clients_register.handlers.context import RequestContext
from clients_register.handlers.responses import Response

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
    async def wins(*_: object) -> bool:
        return True

    race_won_if(wins)


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
