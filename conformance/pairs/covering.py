"""Chooses few combinations of values so that each possible pair of values is in one of them.

A pair counts as covered only by a combination whose registration violates as few rules as one with
this pair can: a token that is refused hides whatever else a request has. The choice is greedy and
deterministic.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product

from clients_register.conformance.pairs.table import (
    Combination,
    Pair,
    Setting,
    Table,
    pairs_of,
)

# How many of the most useful cores are completed to choose the best combination.
CANDIDATES = 8

# Returns how many rules the registration of a combination violates.
CountViolations = Callable[[Combination], int]


@dataclass(frozen=True)
class Core:
    """The values of those properties that determine the response.

    `allowed` are the values that each of the other properties may have with them.
    """

    values: Combination
    violations: int
    allowed: Mapping[str, tuple[str, ...]]

    def fits(self, setting: Setting) -> bool:
        """Tells whether a combination with this core may have a value."""
        if setting.factor in self.values:
            return self.values[setting.factor] == setting.value
        return setting.value in self.allowed[setting.factor]


class Covering:
    """Combinations that cover each possible pair of a table.

    `decisive` are the properties that determine the response.
    """

    def __init__(
        self, table: Table, decisive: tuple[str, ...], count_violations: CountViolations
    ) -> None:
        self._table = table
        self._decisive = decisive
        self._free = [name for name in table.factors if name not in decisive]
        self._cores = {
            tuple(core.values.values()): core for core in self._find_cores(count_violations)
        }
        self._least = self._find_least()

    @property
    def possible(self) -> frozenset[Pair]:
        """All pairs that some combination has."""
        return frozenset(self._least)

    def choose(self) -> list[Combination]:
        """Returns combinations that together have each possible pair."""
        # Those that few combinations have come first; the others then come along with them.
        missing = dict.fromkeys(sorted(sorted(self._least), key=lambda pair: len(self._fit(pair))))
        chosen: list[Combination] = []
        while missing:
            best = self._choose_for(next(iter(missing)), missing)
            chosen.append(best)
            for pair in self.covered_by(best):
                missing.pop(pair, None)
        return chosen

    def covered_by(self, combination: Combination) -> Iterator[Pair]:
        """Yields the pairs that a combination, perhaps of only some properties, covers."""
        ordered = {name: combination[name] for name in self._table.factors if name in combination}
        violations = self._cores[tuple(combination[name] for name in self._decisive)].violations
        return (pair for pair in pairs_of(ordered) if self._least.get(pair) == violations)

    def _find_cores(self, count_violations: CountViolations) -> Iterator[Core]:
        for names in product(*(self._table.factors[name] for name in self._decisive)):
            values = dict(zip(self._decisive, names, strict=True))
            if self._table.reason_against(values) is None:
                allowed = {name: tuple(self._find_allowed(values, name)) for name in self._free}
                yield Core(values, count_violations(values), allowed)

    def _find_allowed(self, combination: Combination, name: str) -> Iterator[str]:
        for each in self._table.factors[name]:
            if self._table.reason_against({**combination, name: each}) is None:
                yield each

    def _find_least(self) -> dict[Pair, int]:
        """Returns each possible pair with the fewest rules that a combination with it violates."""
        order = {name: position for position, name in enumerate(self._table.factors)}
        possible = {
            pair for pair in self._table.pairs() if self._table.reason_against(dict(pair)) is None
        }
        least: dict[Pair, int] = {}
        for core in self._cores.values():
            choices = {**{name: (each,) for name, each in core.values.items()}, **core.allowed}
            for one, other in combinations(sorted(choices, key=order.__getitem__), 2):
                for values in product(choices[one], choices[other]):
                    pair = Setting(one, values[0]), Setting(other, values[1])
                    if pair in possible:
                        least[pair] = min(least.get(pair, core.violations), core.violations)
        return least

    def _choose_for(self, pair: Pair, missing: Collection[Pair]) -> Combination:
        cores = self._fit(pair)
        cores.sort(key=lambda core: -self._gain({**core.values, **dict(pair)}, missing))
        complete = [self._complete(core, pair, missing) for core in cores[:CANDIDATES]]
        return max(complete, key=lambda each: self._gain(each, missing))

    def _fit(self, pair: Pair) -> list[Core]:
        """Returns the cores of the combinations that cover a pair."""
        least = self._least[pair]
        cores = (core for core in self._cores.values() if core.violations == least)
        return [core for core in cores if all(map(core.fits, pair))]

    def _complete(self, core: Core, pair: Pair, missing: Collection[Pair]) -> Combination:
        """Adds the most useful value for each property that is open."""
        combination: dict[str, str] = {**core.values, **dict(pair)}
        for name in self._free:
            if name not in combination:
                allowed = self._find_allowed(combination, name)
                gains = {each: self._gain({**combination, name: each}, missing) for each in allowed}
                combination[name] = max(gains, key=gains.__getitem__)
        return {name: combination[name] for name in self._table.factors}

    def _gain(self, combination: Combination, missing: Collection[Pair]) -> int:
        return sum(pair in missing for pair in self.covered_by(combination))
