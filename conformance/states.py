"""The states that cases need, the ways to reach them on a target, and what requests leave behind.

A profile names one way per state: our control plane, the owner's hook, the route itself, or preset
values. The hook is a URL to which the suite sends one POST per state (docs/hook.md):

    POST URL {"state": NAME, "values": {...}}  ->  200 {placeholder: value, ...}

404 means that the hook does not support a state, and the cases that need it are skipped. Apart from
states, the suite asks for `clock-advance` with {"seconds": N}, `restore`, and the observations
`count-clients` and `count-mails` with {"email": ADDRESS}, which return {"count": N} and perhaps the
`addresses` as they are written; and `last-used-at` with {"token": TOKEN}.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from clients_register.conformance.case import (
    EFFECT_KINDS,
    SERVER_STATES,
    Case,
    Expectation,
    parse_duration,
)
from clients_register.conformance.control import ControlClient, FoundRecords
from clients_register.conformance.exchange import ClientRegistrar, Exchange
from clients_register.conformance.http_client import HttpClient, HttpRequest, NoResponse
from clients_register.conformance.request import Values
from clients_register.conformance.response import parse_body
from clients_register.conformance.results import Finding, Verdict
from clients_register.conformance.target import Target

# States that the route itself can reach, for profiles that name no other way.
BY_API = ("client", "session-live")

# The placeholders whose values are secret.
PASSWORDS = ("user.password", "client.password")


class NotArranged(Exception):
    """The target has no way to reach `state`, or lacks that value; the message says why."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(f"{state}: {reason}")
        self.state = state


class HookError(Exception):
    """The hook refused, or its response was not as agreed; the message says what was asked."""


class UnsupportedState(Exception):
    """The hook does not support a state."""


def arrangement_for(target: Target, state: str) -> Any:
    """Returns how a target reaches `state`: control, api, hook, unavailable or preset values."""
    if state in target.arrange:
        return target.arrange[state]
    if state == "client":
        return "api"
    if target.control:
        return "control"
    if target.hook is not None and state != "stub":
        return "hook"
    return "api" if state in BY_API else "unavailable"


def is_reachable(target: Target, case: Case) -> bool:
    """Tells whether a target has all values that a case needs, and a way to reach its states."""
    if find_unknown_value(target, case) is not None:
        return False
    return all(arrangement_for(target, state) != "unavailable" for state in case.arrange)


def find_unknown_value(target: Target, case: Case) -> str | None:
    """Returns the name of a value that a case needs and the target does not have."""
    return next((name for name in target.unknown_values if name in case.placeholders), None)


class HookClient:
    """The hook of one target. All methods raise HookError."""

    def __init__(self, client: HttpClient, url: str) -> None:
        """`client` is one for the origin of `url`."""
        self._client = client
        self._path = urlsplit(url).path or "/"

    async def arrange(self, state: str) -> dict[str, Any]:
        """Brings the target into `state`, and returns placeholder values.

        Raises UnsupportedState.
        """
        return await self._call(state)

    async def advance(self, duration: str) -> None:
        """Advances the clock by an ISO 8601 duration. Raises UnsupportedState."""
        await self._call("clock-advance", seconds=parse_duration(duration))

    async def restore(self, states: tuple[str, ...]) -> None:
        """Undoes states of the whole server."""
        if SERVER_STATES.intersection(states):
            # A hook without such states has nothing to restore.
            with suppress(UnsupportedState):
                await self._call("restore")

    async def find_clients(self, email: str) -> FoundRecords | None:
        """Finds the clients with this address; None if the hook cannot tell."""
        return await self._find("count-clients", email)

    async def find_mails(
        self,
        email: str,
        request_ids: Collection[str] | None = None,  # noqa: ARG002 - each state has new addresses
    ) -> FoundRecords | None:
        """Finds the mails sent to this address; None if the hook cannot tell."""
        return await self._find("count-mails", email)

    async def last_used_at(self, token: str) -> str | None:
        """Returns the time at which a session was last used; None if the hook cannot tell."""
        try:
            values = await self._call("last-used-at", token=token)
        except UnsupportedState:
            return None
        match values:
            case {"last_used_at": str(time)}:
                return time
        found = json.dumps(values)
        raise HookError(
            f'hook, state last-used-at: expected {{"last_used_at": "TIME"}}, found {found}'
        )

    async def _find(self, state: str, email: str) -> FoundRecords | None:
        try:
            values = await self._call(state, email=email)
        except UnsupportedState:
            return None
        match values:
            case {"count": bool()}:
                pass
            case {"count": int(count), "addresses": [*addresses]} if count == len(addresses):
                return FoundRecords(count, tuple(map(str, addresses)))
            case {"count": int(count)} if "addresses" not in values:
                return FoundRecords(count)
        found = json.dumps(values)
        raise HookError(
            f'hook, state {state}: expected {{"count": N}}, with or without as many "addresses",'
            f" found {found}"
        )

    async def _call(self, state: str, **values: Any) -> dict[str, Any]:
        body = json.dumps({"state": state, "values": values}).encode()
        headers = (("Content-Type", "application/json"),)
        try:
            response = await self._client.send(HttpRequest("POST", self._path, headers, body))
        except NoResponse as failure:
            raise HookError(f"hook, state {state}: {failure}") from None
        if response.code == HTTPStatus.NOT_FOUND:
            raise UnsupportedState(state)
        received = parse_body(response)
        excerpt = received.text
        if response.code != HTTPStatus.OK:
            raise HookError(f"hook, state {state}: expected 200, found {response.code}: {excerpt}")
        if not isinstance(received.document, dict):
            found = received.unreadable or repr(excerpt)
            raise HookError(f"hook, state {state}: expected a JSON object, found {found}")
        return received.document


class StateArranger:
    """Brings a target, or one world of it, into states, and observes effects.

    All methods raise ControlError and HookError.
    """

    def __init__(
        self, target: Target, control: ControlClient | None, hook: HookClient | None
    ) -> None:
        self._target = target
        self._control = control
        self._hook = hook

    async def arrange(self, state: str, values: Values, register: ClientRegistrar) -> None:
        """Brings the target into `state`, and adds the resulting values to `values`.

        Raises NotArranged, ArrangementFailed.
        """
        way = arrangement_for(self._target, state)
        if way == "unavailable":
            raise NotArranged(state, "the target has no way to reach it")
        if way == "api":
            given = await self._register_client(state, values, register)
        elif way == "control":
            assert self._control is not None, "the target has a control plane"
            given = await self._control.arrange(state)
        elif way == "hook":
            assert self._hook is not None, "the target has a hook"
            given = await self._supported(state, self._hook.arrange(state))
        else:
            given = way["preset"]
        values.secrets += [str(given[name]) for name in PASSWORDS if name in given]
        if "token" in given:
            values.tokens.append(str(given["token"]))
        values.update(given)
        # For cases that need several people.
        values.update({f"{state}.{name}": value for name, value in given.items()})

    async def advance(self, duration: str) -> None:
        """Advances the clock, after the state `clock` was arranged. Raises NotArranged."""
        way = arrangement_for(self._target, "clock")
        if self._control is not None and way == "control":
            await self._control.advance(duration)
        elif self._hook is not None and way == "hook":
            await self._supported("clock", self._hook.advance(duration))
        else:
            raise NotArranged("clock", "the clock of the target cannot be moved")

    async def restore(self, states: tuple[str, ...]) -> None:
        """Undoes those of `states` that outlive a case."""
        if self._control is not None:
            await self._control.restore(states)
        elif self._hook is not None:
            await self._hook.restore(states)

    async def find_clients(self, email: str) -> FoundRecords | None:
        """Finds the clients with this address; None if the target cannot tell."""
        observer = self._observer("stored")
        return None if observer is None else await observer.find_clients(email)

    async def find_mails(
        self, email: str, request_ids: Collection[str] | None = None
    ) -> FoundRecords | None:
        """Finds the mails sent to this address; None if the target cannot tell.

        If the target knows which request sent a mail, only those of `request_ids` are found.
        """
        observer = self._observer("mailed")
        return None if observer is None else await observer.find_mails(email, request_ids)

    async def last_used_at(self, token: str) -> str | None:
        """Returns the time at which a session was last used; None if the target cannot tell."""
        observer = self._observer("used")
        return None if observer is None else await observer.last_used_at(token)

    async def _supported(self, state: str, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except UnsupportedState:
            raise NotArranged(state, "the hook of the target does not support it") from None

    def _observer(self, effect: str) -> ControlClient | HookClient | None:
        default = "control" if self._control else "hook" if self._hook else "none"
        name = self._target.observe.get(effect, default)
        return {"control": self._control, "hook": self._hook}.get(name)

    async def _register_client(
        self, state: str, values: Values, register: ClientRegistrar
    ) -> dict[str, Any]:
        email, password = values.fresh_email(), values.fresh_password()
        given = await register(email, password)
        if state == "client":
            return {"client.email": email, "client.password": password}
        if "token" not in given:
            raise NotArranged(state, "a successful registration returns no session token")
        return {"user.email": email, "user.password": password, "token": given["token"]}


class EffectObserver:
    """Observes what the requests of a step leave behind.

    All methods raise ControlError and HookError.
    """

    def __init__(
        self, arranger: StateArranger, expect: Sequence[Expectation], values: Values
    ) -> None:
        self._arranger = arranger
        self._expect = [each for each in expect if each.kind in EFFECT_KINDS]
        self._values = values
        self._last_used_at: dict[str, str | None] = {}
        self._request_ids: set[str] = set()

    async def prepare(self) -> None:
        """Records, before the requests are sent, what shows only in a comparison."""
        for each in self._expect:
            if each.kind == "used":
                token = str(self._values.fill_expectation(each).terms["token"])
                self._last_used_at[token] = await self._arranger.last_used_at(token)

    async def check(self, exchanges: Sequence[Exchange]) -> AsyncIterator[Finding]:
        """Compares the effects of the `exchanges` of a case with what is expected."""
        responses = (each.response for each in exchanges if each.response is not None)
        self._request_ids = {id_ for each in responses for id_ in each.values("X-Request-Id")}
        for each in self._expect:
            filled = self._values.fill_expectation(each)
            check = self._check_use if each.kind == "used" else self._check_records
            yield await check(filled)

    async def _check_records(self, expectation: Expectation) -> Finding:
        kind, terms = expectation.kind, expectation.terms
        email = str(terms["email"])
        if kind == "stored":
            found = await self._arranger.find_clients(email)
        else:
            found = await self._arranger.find_mails(email, self._request_ids)
        if found is None:
            return _unobservable(expectation)
        expected = terms[kind]
        received: bool | int = found.count > 0 if kind == "stored" else found.count
        grade, root = expectation.grade, str(expected)
        if received != expected or not _is_misspelled(found, email):
            met, shown = received == expected, f"{expected} for {email}"
            return Finding.of(kind, grade, shown, str(received), met=met, root=root)
        addresses = ", ".join(found.addresses or ())
        what = f"spelling of the address ({kind})"
        return Finding.of(what, grade, email, addresses, met=False, root=root)

    async def _check_use(self, expectation: Expectation) -> Finding:
        token, expected = str(expectation.terms["token"]), expectation.terms["used"]
        before, after = self._last_used_at[token], await self._arranger.last_used_at(token)
        if before is None or after is None:
            return _unobservable(expectation)
        shown = f"{before}, {'moved' if expected else 'as before'}"
        met = (before != after) == expected
        return Finding.of("last_used_at of the session", expectation.grade, shown, after, met=met)


def _is_misspelled(found: FoundRecords, email: str) -> bool:
    return any(each != email for each in found.addresses or ())


def _unobservable(expectation: Expectation) -> Finding:
    return Finding(Verdict.OBSERVED, expectation.grade, expectation.kind, "", "not observable here")
