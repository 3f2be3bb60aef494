"""The mutants that mutants.yaml lists. Nothing here imports the server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any

from clients_register import spec
from clients_register.conformance.case import Case

# The name of the server without a fault, which has to pass every case.
NONE = "none"

FILE = Path(__file__).with_name("mutants.yaml")


class Extent(StrEnum):
    """Which cases are run on a mutant.

    `OWN` are those that concern a key which its fault violates; `FIRST` ends when some of them have
    failed. The correct server has to pass all, whatever the extent.
    """

    OWN = "own"
    FIRST = "first"
    WHOLE = "whole"


class UnknownMutant(ValueError):
    """No mutant has this name; the message suggests the closest one."""


@dataclass(frozen=True)
class Mutant:
    """A correct server with one fault.

    `module` is the module of `teeth.faults` that plants it, `about` the fault in one sentence,
    `requires` the keys of the requirements and questions that it violates.
    """

    name: str
    module: str
    about: str
    requires: tuple[str, ...]

    @property
    def plant(self) -> Callable[[], Any]:
        """The function that plants the fault in this process, for `planting.planted`.

        It returns None, or a layer to put around the server: see `planting.Layer`.
        """
        module = import_module(f"teeth.faults.{self.module}")
        plant: Callable[[], Any] = getattr(module, self.name.replace("-", "_"))
        return plant


def load_mutants() -> tuple[Mutant, ...]:
    """All mutants, in the order of the file."""
    table = spec.parse(FILE.read_text("utf-8"))["mutants"]
    return tuple(
        Mutant(name, module, row["about"], tuple(row["requires"]))
        for module, rows in table.items()
        for name, row in rows.items()
    )


def find_mutant(name: str) -> Mutant | None:
    """The mutant called `name`; None for the correct server. Raises UnknownMutant."""
    if name == NONE:
        return None
    known = {mutant.name: mutant for mutant in load_mutants()}
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else "mutants.yaml lists them"
        raise UnknownMutant(f"no mutant is called {name!r}; {hint}")
    return known[name]


def choose(mutants: tuple[Mutant, ...], patterns: list[str]) -> tuple[Mutant, ...]:
    """The mutants whose name, module or key matches one of the globs; all if there are none."""
    if not patterns:
        return mutants
    return tuple(
        mutant
        for mutant in mutants
        if any(
            fnmatchcase(word, pattern)
            for word in (mutant.name, mutant.module, *mutant.requires)
            for pattern in patterns
        )
    )


def cases_about(mutant: Mutant, cases: Sequence[Case]) -> list[Case]:
    """The cases that concern a key which the fault violates."""
    keys = set(mutant.requires)
    return [case for case in cases if not keys.isdisjoint(case.keys)]
