"""The mails of a world."""

from typing import Any

from clients_register.handlers.clock import written
from clients_register.handlers.emails import key_of, trimmed
from clients_register.handlers.mock.control.calls import NOTHING, Call, Shown
from clients_register.handlers.mock.problems import Problem
from clients_register.handlers.records import Mail


async def read(call: Call) -> list[dict[str, Any]]:
    """See the operation."""
    return [_shown(mail) for mail in await _found(call)]


async def latest(call: Call) -> dict[str, Any]:
    """See the operation. Raises Problem where none came in the time waited for."""
    found = await _found(call)
    if not found:
        raise Problem(
            "no-mail",
            f"no mail that fits came within {call.query['wait']:g} seconds",
            "GET /_mock/outbox lists all mails; ?wait=5 waits for one on the server",
            404,
        )
    return _shown(found[-1])


async def restore(call: Call) -> Shown:
    """See the operation."""
    await (await call.world.services()).store.remove(mails=True)
    return NOTHING


async def _found(call: Call) -> list[Mail]:
    store = (await call.world.services()).store
    address = call.query.get("to")
    key = key_of(trimmed(address)) if address is not None else None

    async def fitting() -> list[Mail]:
        return [
            mail
            for mail in await store.mails()
            if (address is None or key_of(mail.recipient) == key)
            and call.query.get("request", mail.request_id) == mail.request_id
        ]

    return await call.world.news.until(fitting, call.query["wait"])


def _shown(mail: Mail) -> dict[str, Any]:
    return {
        "request_id": mail.request_id,
        "to": mail.recipient,
        "from": mail.sender,
        "subject": mail.subject,
        "text": mail.text,
        "sent_at": written(mail.sent_at),
    }
