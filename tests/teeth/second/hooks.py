"""States on demand, for the suite: a name and values in, placeholders out.

`POST /hooks` takes a JSON object, `{"state": NAME, "values": {...}}`, and answers one. Faults and
the clock are the process's, until the state `restore`; people are new at each call.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from teeth.second.envelope import timestamp
from teeth.second.registering import make_client
from teeth.second.rules import APPLICATIONS, Given
from teeth.second.state import (
    AGE_LIMIT,
    IDLE_LIMIT,
    Fault,
    State,
    User,
    key_of,
)

# Placeholder -> its value; of an observation, what was observed.
Placeholders = dict[str, Any]

_HOUR = timedelta(hours=1)

# Age and idle time of a session that is valid only because it is remembered.
_LONG_AGO = (AGE_LIMIT + 2 * _HOUR, IDLE_LIMIT + _HOUR)


class UnknownState(LookupError):
    """No state has this name; the message lists those that there are."""


def arrange(state: State, name: str, values: Mapping[str, Any]) -> Placeholders:
    """Brings about the state `name` and returns its placeholders.

    Raises UnknownState, KeyError where `values` lack one, TypeError or ValueError if it is wrong.
    """
    with state.lock:
        if name in frozenset(Fault):
            state.faults.add(Fault(name))
            return {}
        if name not in _STATES:
            known = ", ".join(sorted([*_STATES, *Fault]))
            raise UnknownState(f"expected a state, one of {known}; found {name!r}")
        return _STATES[name](state, values)


def _client(state: State, _: Mapping[str, Any]) -> Placeholders:
    password = _password()
    user = _added_client(state, password)
    return {"client.email": user.email, "client.password": password}


def _session(
    age: timedelta = timedelta(), unused: timedelta = timedelta(), *, remembered: bool = False
) -> Callable[[State, Mapping[str, Any]], Placeholders]:
    """A state in which a client has a session of that age."""

    def arranged(state: State, _: Mapping[str, Any]) -> Placeholders:
        user = _added_client(state, _password())
        token, _session = state.open_session(
            user, _application(), age=age, unused=unused, remembered=remembered
        )
        return {"token": token, "user.email": user.email}

    return arranged


def _person(
    *, staff: bool, password: bool, session: bool, remembered: bool = False
) -> Callable[[State, Mapping[str, Any]], Placeholders]:
    """A state in which there is a user who is no client."""

    def arranged(state: State, _: Mapping[str, Any]) -> Placeholders:
        plain = _password() if password else None
        user = state.add_user(_address(), plain, staff=staff)
        told: Placeholders = {"user.email": user.email}
        if plain is not None:
            told["user.password"] = plain
        if session:
            age, unused = _LONG_AGO if remembered else (timedelta(), timedelta())
            told["token"], _session = state.open_session(
                user, _application(), age=age, unused=unused, remembered=remembered
            )
        return told

    return arranged


def _application_token(state: State, _: Mapping[str, Any]) -> Placeholders:
    return {"token": state.add_application_token()}


def _clock(state: State, _: Mapping[str, Any]) -> Placeholders:
    state.clock.stop()
    return {}


def _clock_advance(state: State, values: Mapping[str, Any]) -> Placeholders:
    state.clock.advance(timedelta(seconds=values["seconds"]))
    return {}


def _restore(state: State, _: Mapping[str, Any]) -> Placeholders:
    state.restore()
    return {}


def _count_clients(state: State, values: Mapping[str, Any]) -> Placeholders:
    user = state.user(values["email"])
    if user is None or user.client is None:
        return {"count": 0, "addresses": []}
    return {"count": 1, "addresses": [user.client["email"]]}


def _count_mails(state: State, values: Mapping[str, Any]) -> Placeholders:
    sent = state.mails[key_of(values["email"])]
    return {"count": len(sent), "addresses": sent}


def _last_used_at(state: State, values: Mapping[str, Any]) -> Placeholders:
    session = state.session(values["token"])
    if session is None:
        raise ValueError("no session has this token")
    return {"last_used_at": timestamp(session.last_used_at)}


_STATES: Mapping[str, Callable[[State, Mapping[str, Any]], Placeholders]] = {
    "client": _client,
    "session-live": _session(),
    "session-remembered": _session(*_LONG_AGO, remembered=True),
    "session-too-old": _session(AGE_LIMIT + _HOUR, _HOUR),
    "session-unused": _session(IDLE_LIMIT + 2 * _HOUR, IDLE_LIMIT + _HOUR),
    "session-roleless": _person(staff=False, password=False, session=True),
    "session-roleless-remembered": _person(
        staff=False, password=False, session=True, remembered=True
    ),
    "application-token": _application_token,
    "liaison": _person(staff=True, password=True, session=False),
    "liaison-session": _person(staff=True, password=True, session=True),
    "liaison-session-remembered": _person(staff=True, password=True, session=True, remembered=True),
    "liaison-without-password": _person(staff=True, password=False, session=True),
    "employee-session": _person(staff=True, password=True, session=True),
    "roleless": _person(staff=False, password=True, session=False),
    "clock": _clock,
    "clock-advance": _clock_advance,
    "restore": _restore,
    "count-clients": _count_clients,
    "count-mails": _count_mails,
    "last-used-at": _last_used_at,
}


def _added_client(state: State, password: str) -> User:
    user = state.add_user(_address(), password)
    make_client(state, user, Given({"client.email": user.email}, frozenset()))
    return user


def _address() -> str:
    return f"{secrets.token_hex(8)}@second.test"


def _password() -> str:
    return secrets.token_urlsafe(18)


def _application() -> str:
    return next(iter(APPLICATIONS))
