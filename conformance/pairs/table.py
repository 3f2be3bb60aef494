"""The table of properties: its values, and which combinations of them are possible."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import combinations, product
from typing import Any, NamedTuple

from clients_register import spec

# A value for each property, by name.
Combination = Mapping[str, str]


class Setting(NamedTuple):
    """A property with one of its values."""

    factor: str
    value: str


# Two properties with a value each, in the order of the table.
Pair = tuple[Setting, Setting]


@dataclass(frozen=True)
class Value:
    """A value of a property.

    `title` completes "a registration ...". `set` and `drop` change the parameters, `state` is
    arranged, and `write` is how an address is spelled, with braces in the place of the address.
    `states` are those of a person, by whether they have a session.
    """

    name: str
    title: str
    requires: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    set: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    state: str | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    write: str = ""

    def spell(self, placeholder: str) -> str:
        """Returns an address, given as the name of a placeholder, in this spelling."""
        return re.sub(r"\{(.*?)\}", rf"${{{placeholder}\1}}", self.write)


@dataclass(frozen=True)
class Impossible:
    """A combination of values, any of each list, that no case can have."""

    values: Mapping[str, frozenset[str]]
    reason: str

    def excludes(self, combination: Combination) -> bool:
        """Tells whether a combination, perhaps of only some properties, contains it."""
        for name, values in self.values.items():  # noqa: SIM110 - `all` takes three times as long
            if combination.get(name) not in values:
                return False
        return True


class RaceOwner(NamedTuple):
    """The owner of an address that is raced for.

    `email` is the name of its placeholder, and `proofs` are the kinds that the contestants give in
    turn.
    """

    name: str
    title: str
    email: str
    state: str | None = None
    proofs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Races:
    """Simultaneous registrations of one address, `times` for each spelling.

    `contestants` has the optional parameters of each, by spelling.
    """

    times: int
    contestants: Mapping[str, Mapping[str, Any]]
    owners: tuple[RaceOwner, ...]


@dataclass(frozen=True)
class Table:
    """The properties, in order; the first value of each is the usual one."""

    factors: Mapping[str, Mapping[str, Value]]
    impossible: tuple[Impossible, ...]
    races: Races

    def usual(self, factor: str) -> str:
        """Returns the value that ids and titles leave out."""
        return next(iter(self.factors[factor]))

    def settings(self, combination: Combination) -> list[Value]:
        """Returns the values of a combination, in the order of the table."""
        return [self.factors[name][combination[name]] for name in self.factors]

    def pairs(self) -> Iterator[Pair]:
        """Yields each pair of values of two properties, impossible ones included."""
        for one, other in combinations(self.factors, 2):
            for values in product(self.factors[one], self.factors[other]):
                yield Setting(one, values[0]), Setting(other, values[1])

    def reason_against(self, combination: Combination) -> str | None:
        """Returns why a combination, perhaps of only some properties, is impossible."""
        found = (each.reason for each in self.impossible if each.excludes(combination))
        return next(found, None)


def pairs_of(combination: Combination) -> Iterator[Pair]:
    """Yields the pairs of values in a combination that has all properties in order."""
    return combinations(map(Setting._make, combination.items()), 2)


@cache
def load_table() -> Table:
    """Loads table.yaml."""
    document = spec.parse((files(__package__) / "table.yaml").read_text("utf-8"))
    factors = {
        factor: {name: _parse_value(name, each) for name, each in entry["values"].items()}
        for factor, entry in document["factors"].items()
    }
    races = document["races"]
    return Table(
        factors,
        tuple(map(_parse_impossible, document["impossible"])),
        Races(
            races["times"],
            races["contestants"],
            tuple(_parse_owner(name, each) for name, each in races["owners"].items()),
        ),
    )


def _parse_value(name: str, entry: Mapping[str, Any]) -> Value:
    lists = ("requires", "questions", "drop")
    terms: dict[str, Any] = {
        key: tuple(each) if key in lists else each for key, each in entry.items()
    }
    return Value(name, **terms)


def _parse_impossible(entry: Mapping[str, Any]) -> Impossible:
    values = {name: _as_set(each) for name, each in entry.items() if name != "because"}
    return Impossible(values, entry["because"])


def _parse_owner(name: str, entry: Mapping[str, Any]) -> RaceOwner:
    proofs = tuple(entry.get("proofs", ()))
    return RaceOwner(name, entry["title"], entry["email"], entry.get("state"), proofs)


def _as_set(values: str | Sequence[str]) -> frozenset[str]:
    return frozenset([values] if isinstance(values, str) else values)
