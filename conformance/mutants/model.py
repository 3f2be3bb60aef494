"""Mutants, as mutants.yaml lists them. Nothing here imports the server."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.resources import files
from typing import Any

from clients_register.conformance.model import Case
from clients_register.spec import parsed

# The server as it is, by the name of a mutant: nothing may be found wrong with it.
NONE = "none"


class UnknownMutant(ValueError):
    """There is no such mutant; the message names the closest that there is."""


@dataclass(frozen=True)
class Mutant:
    """A correct server with one fault.

    `module` is the part of this package that plants it, `about` the fault in one sentence,
    `requires` the keys of requirements and questions that it violates.
    """

    name: str
    module: str
    about: str
    requires: tuple[str, ...]

    @property
    def plant(self) -> Callable[[], Any]:
        """The function that plants the fault in this process, to be passed to `planting.planted`.

        It returns None, or a layer to put around the server, see `planting.Layer`.
        """
        module = import_module(f"{__package__}.{self.module}")
        plant: Callable[[], Any] = getattr(module, self.name.replace("-", "_"))
        return plant


def mutants() -> tuple[Mutant, ...]:
    """All of them, in the order of the table."""
    written = parsed((files(__package__) / "mutants.yaml").read_text("utf-8"))
    return of(written["mutants"])


def of(written: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> tuple[Mutant, ...]:
    """The mutants of a table: module -> name -> its `about` and `requires`."""
    return tuple(
        Mutant(name, module, each["about"], tuple(each["requires"]))
        for module, named in written.items()
        for name, each in named.items()
    )


def named(name: str) -> Mutant | None:
    """The mutant called `name`; None for the server as it is. Raises UnknownMutant."""
    if name == NONE:
        return None
    known = {each.name: each for each in mutants()}
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else "mutants.yaml lists them"
        raise UnknownMutant(f"no mutant is called {name!r}; {hint}")
    return known[name]


def chosen(all_of_them: tuple[Mutant, ...], patterns: list[str]) -> tuple[Mutant, ...]:
    """Those whose name, module or key fits one of the globs; all if there are none."""
    if not patterns:
        return all_of_them
    return tuple(
        each
        for each in all_of_them
        if any(
            fnmatchcase(word, pattern)
            for word in (each.name, each.module, *each.requires)
            for pattern in patterns
        )
    )


def cases_about(mutant: Mutant, cases: Sequence[Case]) -> list[Case]:
    """The cases that claim a key which the fault violates."""
    keys = set(mutant.requires)
    return [case for case in cases if keys.intersection((*case.requires, *case.questions))]
