"""Builds the steps of one combination, and those of a race.

For a combination, the users are arranged, and their session ages. Then come the request before, if
there is one, the registration, and requests that show what the registration left behind.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import cycle
from typing import Any, NamedTuple

from clients_register.conformance.fuzz.oracle import Outcome
from clients_register.conformance.fuzz.world_model import PEOPLE
from clients_register.conformance.pairs.case_builder import (
    CaseBuilder,
    Send,
    is_success,
    questions_of,
)
from clients_register.conformance.pairs.table import Combination, RaceOwner, Table, Value

# The properties that determine the response. The others change what a request contains.
DECISIVE = ("owner", "password", "session", "bearer", "before", "mail")

# The kinds of sessions that are arranged, apart from remembered ones, and the time from their last
# use to the registration.
AGED: Mapping[str, str] = {"live": "P2D", "at-limit": "PT72H", "idle": "P4D", "old": "PT71H"}
REMEMBERED = "remembered"

# The kinds that have expired when the registration is sent.
EXPIRED = ("idle", "old")

# From one use to the next, while a session becomes old.
USED_EVERY = "PT71H"

# Requests before that register the same address.
SAME_ADDRESS = ("after-same", "after-unsent")

# The states that only a target with the feature of tokens has.
WITH_TOKENS = frozenset({*PEOPLE, "application-token"})

TOGETHER, APART = "at-once", "apart"

# The parameters of each kind of proof in a race.
PROOFS: Mapping[str, Mapping[str, str]] = {
    "password": {"client.password": "${user.password}"},
    "token": {"token": "${token}"},
}


class Scenario:
    """A registration with one combination of values, and what comes before and after it.

    Call one of `build` and `count_violations`, once; `case` then has the states and steps.
    """

    def __init__(self, table: Table, combination: Combination) -> None:
        self.case = CaseBuilder()
        self.values = {value.name: value for value in table.settings(combination)}
        self._table = table
        self._chosen = {name: table.factors[name][combination[name]] for name in table.factors}
        self._kind = combination["session"]
        self._has_session = self._kind in (*AGED, REMEMBERED)
        self._bearer = combination["bearer"]
        self._follows = combination["before"] != table.usual("before")
        self._connection = combination["connection"]

    def count_violations(self) -> int:
        """Returns how many rules the registration violates."""
        self._add_earlier()
        return len(self.case.predict(self._registration).broken)

    def build(self) -> Outcome:
        """Adds all states and steps; returns the outcome of the registration."""
        self._add_earlier()
        outcome = self._add_registration()
        self._add_later(outcome)
        return outcome

    def _add_earlier(self) -> None:
        """Adds everything before the registration."""
        for state in self._states:
            self.case.arrange(state)
        earlier = self._follows and self._connection != TOGETHER
        if self._kind == "live":
            self.case.wait(AGED["live"])
        if self._kind == "old":
            self.case.wait(USED_EVERY)
            self._use()
            self.case.wait(USED_EVERY)
        if self._kind in ("at-limit", "old") and not (earlier and self._carries):
            self._use()
        if earlier:
            used = self._kind == REMEMBERED and self._carries
            effects = [{"used": True, "token": self._token}] if used else []
            self.case.send(self._request_before, *effects)
        if self._kind in AGED and not (self._kind == "live" and not earlier):
            self.case.wait(AGED[self._kind])

    def _add_registration(self) -> Outcome:
        effects: list[dict[str, Any]] = []
        keep: dict[str, str] = {}
        together = [self._request_before] if self._connection == TOGETHER else []
        if self._kind == REMEMBERED and not self._carries:
            effects.append({"used": True, "token": self._token})
        if self._returns_session:
            keep["first.use"] = "/session/last_used_at"
        elif not self.case.predict(self._registration).broken and self._uses_tokens:
            keep["own.token"] = "/session/token"
        return self.case.send(self._registration, *effects, keep=keep, together=together)

    def _add_later(self, outcome: Outcome) -> None:
        """Adds what shows the effects of the registration."""
        if self._returns_session or self._kind in ("live", "at-limit"):
            self.case.wait(AGED.get(self._kind, "PT1H"))
        # A session that was not used again would have expired; an expired one stays so.
        token = self._token if self._returns_session or self._kind in AGED else None
        if self._is_taken and self._chosen["owner"].name != "client":
            # The address is registered now, in whatever spelling, and keeps the first one.
            if token is None and is_success(outcome) and self._uses_tokens:
                token = "${own.token}"  # noqa: S105 - a placeholder
            again = {**self._address(respelled=True), "client.first_name": "Mallory"}
            self.case.send(_set(again, token=token), *self._effects_of_first())
            return
        if token is not None:
            moved = {"at": "/session/last_used_at", "matches": "^(?!${first.use}$)."}
            outcome = self._send_clean(
                {"token": token}, *([moved] if self._returns_session else [])
            )
        if not is_success(outcome):
            self._send_clean({})

    def _send_clean(self, token: Mapping[str, str], *effects: Mapping[str, Any]) -> Outcome:
        """Sends a registration with nothing optional; of a new address, if it would be refused."""
        new = {"set": {"client.email": "${email3}", **token}}
        own = {"set": {**self._clean_request.get("set", {}), **token}}
        send = new if self.case.predict(own).broken else own
        if self.case.predict(send).broken:
            return self.case.send(send, *effects)
        address = send["set"].get("client.email", "${email}").strip()
        mailed = [{"mailed": 1, "email": address}]
        if send is new and self._chosen["owner"].name != "client":
            mailed.append({"mailed": 0, "email": f"${{{self._email}}}"})
        return self.case.send(send, *mailed, *effects)

    @property
    def _is_taken(self) -> bool:
        found = self.case.model.find_user(str(self.case.values.get(self._email)))
        return found is not None and found.client

    def _effects_of_first(self) -> list[dict[str, Any]]:
        """The effects of the first registration of the address, which a second does not change."""
        respelled = self._chosen["before"].name in SAME_ADDRESS
        first = self._address(respelled=respelled)["client.email"].strip()
        mails = self.case.model.mails[str(self.case.values.fill(first)).lower()]
        effects: list[dict[str, Any]] = [{"mailed": len(mails), "email": first}]
        if self._chosen["spelling"].name != "same":
            effects.append({"stored": True, "email": first})
        return effects

    # People

    @cached_property
    def _states(self) -> list[str]:
        clocked = self._kind in AGED or self._returns_session
        states = ["clock"] if clocked else []
        people = (self._bearer_state, self._chosen["session"].state, self._owner_state)
        states += dict.fromkeys(each for each in people if each is not None)
        failing = {self._chosen["before"].state, self._chosen["mail"].state}
        return [*states, *(each for each in failing if each is not None)]

    @property
    def _bearer_state(self) -> str | None:
        person = self._chosen["bearer"].states
        return person.get(REMEMBERED if self._kind == REMEMBERED else "session")

    @property
    def _owner_state(self) -> str | None:
        kind = "alone"
        if self._bearer == "own":
            kind = REMEMBERED if self._kind == REMEMBERED else "session"
        return self._chosen["owner"].states.get(kind)

    @property
    def _has_no_role(self) -> bool:
        person = self._chosen["owner" if self._bearer == "own" else "bearer"].name
        return self._has_session and person.endswith("roleless")

    @property
    def _uses_tokens(self) -> bool:
        return self._kind != "tokenless" or any(each in WITH_TOKENS for each in self._states)

    @property
    def _returns_session(self) -> bool:
        """Whether the registration is refused because the user of the session has no role."""
        return self._has_no_role and self._kind not in EXPIRED

    def _name(self, state: str | None, value: str) -> str:
        """Returns the name of a value of a state; that of the state is part of it if needed."""
        people = [each for each in self._states if each not in ("clock", "mail-failing")]
        return value if len(people) == 1 else f"{state}.{value}"

    @cached_property
    def _email(self) -> str:
        """The name of the address."""
        if self._owner_state is None:
            return "email"
        of_client = self._owner_state == "client"
        return self._name(self._owner_state, "client.email" if of_client else "user.email")

    @cached_property
    def _right_password(self) -> str | None:
        """The placeholder of the owner's password, if a state gives it."""
        of_client = self._owner_state == "client"
        name = "client.password" if of_client else "user.password"
        known = f"{self._owner_state}.{name}" in self.case.values.snapshot()
        return f"${{{self._name(self._owner_state, name)}}}" if known else None

    @cached_property
    def _owners_token(self) -> str | None:
        """The placeholder of a token of the owner, if they have one."""
        known = f"{self._owner_state}.token" in self.case.values.snapshot()
        return f"${{{self._name(self._owner_state, 'token')}}}" if known else None

    @cached_property
    def _token(self) -> str | None:
        """The token of the registration."""
        if self._bearer == "own":
            return self._owners_token
        if self._bearer_state is not None:
            return f"${{{self._name(self._bearer_state, 'token')}}}"
        if self._chosen["session"].state is not None:
            return f"${{{self._name(self._chosen['session'].state, 'token')}}}"
        return "unknown-${unique}" if self._kind == "unknown" else None

    # Requests

    @cached_property
    def _registration(self) -> Send:
        changes = self._address(respelled=False)
        if self._chosen["password"].name == "right":
            changes["client.password"] = self._right_password
        for name in ("optional", "company", "view"):
            changes.update(self._chosen[name].set)
        return _set(changes, token=self._token)

    @cached_property
    def _carries(self) -> bool:
        """Whether the request before has the session of the registration."""
        expired = self._kind in EXPIRED and self._connection == TOGETHER
        if not self._has_session or self._has_no_role or expired:
            return False
        return self._bearer == "own" or not self._is_proven_by_token

    @property
    def _is_proven_by_token(self) -> bool:
        """Whether the request before registers the address with a session of its owner."""
        registers = self._chosen["before"].name in SAME_ADDRESS
        return registers and self._owner_state is not None and self._right_password is None

    @cached_property
    def _request_before(self) -> Send:
        value: Value = self._chosen["before"]
        changes = self._address(respelled=True)
        if self._connection == TOGETHER:
            # Which of two registrations of one address is the first is open.
            changes = {"client.email": "${email2}"}
        elif self._right_password is not None:
            changes["client.password"] = self._right_password
        token = self._token if self._carries else None
        if self._is_proven_by_token or not self._has_session:
            token = self._owners_token
        changes.update(value.set)
        send = dict(_set({k: v for k, v in changes.items() if v is not None}, token=token))
        if value.drop:
            send["drop"] = list(value.drop)
        if self._connection == APART:
            send["headers"] = {"Connection": "close"}
        return send

    @property
    def _clean_request(self) -> Send:
        """A registration of the address with all that it needs and nothing else."""
        if self._owner_state is None:
            return {}
        changes = self._address(respelled=False)
        if self._right_password is not None:
            return _set({**changes, "client.password": self._right_password})
        return _set(changes, token=self._owners_token)

    def _use(self) -> None:
        """Uses the session, in a request that is refused."""
        outcome = self.case.send(_set({"view": "${unique}"}, token=self._token))
        assert "session_is_live" not in outcome.status.rules, "it was used in time"

    def _address(self, *, respelled: bool) -> dict[str, Any]:
        spellings = list(self._table.factors["spelling"].values())
        spelling = self._chosen["spelling"]
        if respelled:
            spelling = spellings[(spellings.index(spelling) + 1) % len(spellings)]
        return {"client.email": spelling.spell(self._email)}


def _set(changes: Mapping[str, Any], token: str | None = None) -> Send:
    changed = {name: value for name, value in changes.items() if value != "${email}"}
    if token is not None:
        changed["token"] = token
    return {"set": changed} if changed else {}


class Race(NamedTuple):
    """Simultaneous registrations of one address in several spellings, of which one may succeed.

    `owner` is the person whose address it is, and `winners` how many registrations succeed.
    """

    owner: RaceOwner
    winners: int
    step: Mapping[str, Any]


def build_races(table: Table) -> Iterator[Race]:
    """Builds the race for each owner's address."""
    for owner in table.races.owners:
        proofs = cycle(owner.proofs or [""])
        sends: list[Send] = []
        for spelling, changes in table.races.contestants.items():
            address = table.factors["spelling"][spelling].spell(owner.email)
            proof = PROOFS.get(next(proofs), {})
            sends.append({"set": {"client.email": address, **proof, **changes}})
        yield _race(owner, sends, table.races.times)


def _race(owner: RaceOwner, sends: Sequence[Send], times: int) -> Race:
    case = CaseBuilder()
    if owner.state is not None:
        case.arrange(owner.state)
    outcomes = [case.send(each) for each in sends for _ in range(times)]
    counts = Counter(each.status.slug for each in outcomes)
    winners = sum(map(is_success, outcomes))
    email = "${winner}" if winners else f"${{{owner.email}}}"
    expect: list[dict[str, Any]] = [{"outcomes": dict(counts)}]
    if winners:
        expect += [{"as_sent": True}, {"mailed": winners, "email": email}]
    expect.append({"stored": True, "email": email})
    step: dict[str, Any] = {
        "questions": sorted({key for each in outcomes for key in questions_of(each)}),
        "send": sends[0],
        "together": [{"send": each} for each in sends[1:]],
        "parallel": times,
        **({"keep": {"winner": "/data/email"}} if winners else {}),
        "expect": expect,
    }
    return Race(owner, winners, step)
