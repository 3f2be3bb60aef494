"""States by a hook: one POST per state to a URL that the owner of a target provides.

    POST URL {"state": NAME, "values": {...}}  ->  200 {placeholder: value, ...}

404 says that the state is unknown. Beside the states of cases these are asked for: `clock-advance`
with {"seconds": N}, `restore`, and the observations `count-clients` and `count-mails` with
{"email": ADDRESS}, answered by {"count": N}.
"""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from clients_register.conformance.duration import seconds
from clients_register.conformance.model import WHOLE
from clients_register.conformance.wire import NoAnswer, Request, Wire


class HookFailed(Exception):
    """The hook refused, or did not answer; the message says what was asked."""


class Hook:
    """The hook of one target."""

    def __init__(self, wire: Wire, url: str) -> None:
        """`wire` leads to the origin of `url`."""
        self._wire = wire
        self._path = urlsplit(url).path or "/"

    async def arrange(self, state: str) -> dict[str, Any]:
        """Brings the target into `state`; returns the values that it gives."""
        return await self._ask(state)

    async def advance(self, duration: str) -> None:
        """Lets time pass."""
        await self._ask("clock-advance", seconds=seconds(duration))

    async def restore(self, states: tuple[str, ...]) -> None:
        """Everything whole again, if any of `states` is of the whole server."""
        if WHOLE.intersection(states):
            await self._ask("restore")

    async def stored(self, email: str) -> bool:
        """Whether a client has that address."""
        return bool((await self._ask("count-clients", email=email))["count"])

    async def mailed(self, email: str) -> int:
        """How many mails went to that address."""
        return int((await self._ask("count-mails", email=email))["count"])

    async def _ask(self, state: str, **values: Any) -> dict[str, Any]:
        body = json.dumps({"state": state, "values": values}).encode()
        headers = (("Content-Type", "application/json"),)
        try:
            answer = await self._wire.send(Request("POST", self._path, headers, body))
        except NoAnswer as failure:
            raise HookFailed(f"hook, state {state}: {failure}") from None
        if answer.code != HTTPStatus.OK:
            said = answer.body.decode("utf-8", "replace")[:300]
            raise HookFailed(f"hook, state {state}: expected 200, found {answer.code}: {said}")
        given: dict[str, Any] = json.loads(answer.body)
        return given
