"""Who may have become a client by a run: what has to be cleaned up where it cannot be forgotten."""

from collections.abc import Sequence
from typing import Any

from clients_register.conformance.findings import Exchange, Result
from clients_register.conformance.judging import FORCED

# HTTP codes after which nothing was stored.
REFUSALS = range(400, 500)


def created(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Every address that may have become a client, with its number where one was told."""
    found: dict[str, int | None] = {}
    for result in results:
        for exchange in result.exchanges:
            if exchange.answer is None or exchange.answer.code not in REFUSALS:
                number = _told(exchange, "id")
                for email in _addresses(exchange, result):
                    found[email] = number if isinstance(number, int) else found.get(email)
    return [{"email": email, "id": number} for email, number in found.items()]


def _addresses(exchange: Exchange, result: Result) -> list[str]:
    """Whom a request that was not refused may have registered: at worst all that a case made."""
    if exchange.answer is not None and exchange.answer.header(FORCED) is not None:
        return []
    client = exchange.decoded.get("client") if isinstance(exchange.decoded, dict) else None
    sent = client.get("email") if isinstance(client, dict) else None
    likely = next(
        (each for each in (_told(exchange, "email"), sent) if isinstance(each, str)), None
    )
    return result.emails if likely is None else [likely.strip()]


def _told(exchange: Exchange, key: str) -> Any:
    """What an answer of success tells of its client."""
    data = exchange.envelope.get("data") if isinstance(exchange.envelope, dict) else None
    return data.get(key) if isinstance(data, dict) else None
