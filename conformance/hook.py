"""States by a hook: one POST per state to a URL that the owner of a target provides.

    POST URL {"state": NAME, "values": {...}}  ->  200 {placeholder: value, ...}

404 says that there is no way to a state: the cases that need it are not run. Beside the states of
cases these are asked for: `clock-advance` with {"seconds": N}, `restore`, and the observations
`count-clients` and `count-mails` with {"email": ADDRESS}, answered by {"count": N}. docs/hook.md
tells people about it.
"""

import json
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from clients_register.conformance.duration import seconds
from clients_register.conformance.model import WHOLE
from clients_register.conformance.wire import NoAnswer, Request, Wire


class HookFailed(Exception):
    """The hook refused, or answered otherwise than agreed; the message says what was asked."""


class StateUnknown(Exception):
    """The hook has no way to a state, and says so."""


class Hook:
    """The hook of one target."""

    def __init__(self, wire: Wire, url: str) -> None:
        """`wire` leads to the origin of `url`."""
        self._wire = wire
        self._path = urlsplit(url).path or "/"

    async def arrange(self, state: str) -> dict[str, Any]:
        """Brings the target into `state`; returns the values that it gives.

        Raises HookFailed, StateUnknown.
        """
        return await self._ask(state)

    async def advance(self, duration: str) -> None:
        """Lets time pass. Raises HookFailed, StateUnknown."""
        await self._ask("clock-advance", seconds=seconds(duration))

    async def restore(self, states: tuple[str, ...]) -> None:
        """Everything whole again, if any of `states` is of the whole server. Raises HookFailed."""
        if WHOLE.intersection(states):
            # Who breaks nothing has nothing to restore.
            with suppress(StateUnknown):
                await self._ask("restore")

    async def stored(self, email: str) -> bool | None:
        """Whether a client has that address; None where the hook cannot tell.

        Raises HookFailed.
        """
        count = await self._count("count-clients", email)
        return None if count is None else count > 0

    async def mailed(self, email: str) -> int | None:
        """How many mails went to that address; None where the hook cannot tell.

        Raises HookFailed.
        """
        return await self._count("count-mails", email)

    async def _count(self, what: str, email: str) -> int | None:
        try:
            given = await self._ask(what, email=email)
        except StateUnknown:
            return None
        count = given.get("count")
        if not isinstance(count, int) or isinstance(count, bool):
            raise HookFailed(f'hook, state {what}: expected {{"count": N}}, found {given}')
        return count

    async def _ask(self, state: str, **values: Any) -> dict[str, Any]:
        body = json.dumps({"state": state, "values": values}).encode()
        headers = (("Content-Type", "application/json"),)
        try:
            answer = await self._wire.send(Request("POST", self._path, headers, body))
        except NoAnswer as failure:
            raise HookFailed(f"hook, state {state}: {failure}") from None
        if answer.code == HTTPStatus.NOT_FOUND:
            raise StateUnknown(state)
        said = answer.body.decode("utf-8", "replace")[:300]
        if answer.code != HTTPStatus.OK:
            raise HookFailed(f"hook, state {state}: expected 200, found {answer.code}: {said}")
        given = None
        with suppress(ValueError):
            given = json.loads(answer.body)
        if not isinstance(given, dict):
            raise HookFailed(f"hook, state {state}: expected a JSON object, found {said!r}")
        return given
