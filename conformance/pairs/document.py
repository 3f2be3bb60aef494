"""The case files of the pairs and the races: cases as data, and as YAML."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from clients_register.conformance.grades import load_grades
from clients_register.conformance.pairs.covering import Covering
from clients_register.conformance.pairs.scenario import DECISIVE, WITH_TOKENS, Scenario, build_races
from clients_register.conformance.pairs.table import Combination, Table, Value, load_table
from clients_register.spec.statuses import Status

COMMAND = "python -m clients_register.conformance.pairs"

# name of the file -> area, and what its cases are about
AREAS = {
    "70-pairs.yaml": (
        "pairs",
        "Each pair of properties of a registration.",
    ),
    "71-races.yaml": ("races", "Simultaneous registrations of one address in several spellings."),
}

_HEAD = f"# Generated from conformance/pairs/table.yaml by `{COMMAND}`: change that.\n"


@cache
def load_covering() -> Covering:
    """Returns the covering of the shipped table."""
    table = load_table()

    def count_violations(core: Combination) -> int:
        usual = {name: table.usual(name) for name in table.factors}
        return Scenario(table, {**usual, **core}).count_violations()

    return Covering(table, DECISIVE, count_violations)


def render_files() -> dict[str, str]:
    """Returns the case files, as name to text."""
    table = load_table()
    cases = {
        "pairs": [build_case(table, each) for each in load_covering().choose()],
        "races": list(_build_races(table)),
    }
    return {
        name: _HEAD + _dump({"area": area, "about": about, "cases": cases[area]})
        for name, (area, about) in AREAS.items()
    }


def build_case(table: Table, combination: Combination) -> dict[str, Any]:
    """Builds the case of one combination."""
    scenario = Scenario(table, combination)
    outcome = scenario.build()
    case = scenario.case
    unusual = [
        value
        for name, value in zip(table.factors, table.settings(combination), strict=True)
        if value.name != table.usual(name)
    ]
    slug = outcome.status.slug
    described = ", ".join(each.title for each in unusual) or "with nothing unusual"
    *before, judged = case.steps
    return {
        "id": f"pairs/{'-'.join(each.name for each in unusual) or 'usual'}",
        "title": f"a registration {described}: {slug}",
        **_keys(unusual, outcome.status, judged),
        **_claims(case.states, case.steps),
        **({"arrange": case.states} if case.states else {}),
        **({"before": before} if before else {}),
        **{name: each for name, each in judged.items() if name != "questions"},
    }


def _build_races(table: Table) -> Iterator[dict[str, Any]]:
    for owner, winners, step in build_races(table):
        states = [] if owner.state is None else [owner.state]
        count = {0: "none", 1: "exactly one"}[winners]
        yield {
            "id": f"races/{owner.name}",
            "title": f"{count} of simultaneous registrations of {owner.title} in several spellings"
            " succeeds",
            "requires": ["R-EMAIL-UNIQUE"],
            **_claims(states, [step]),
            **({"arrange": states} if states else {}),
            **step,
            "questions": _questions(step, []),
        }


def _keys(
    values: Iterable[Value], status: Status, judged: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Returns the requirements and questions that a case concerns."""
    requires = [f"R-STATUS-{status.slug.upper()}"]
    others: list[str] = []
    for each in values:
        requires += each.requires
        others += each.questions
    keys = {"requires": list(dict.fromkeys(requires)), "questions": _questions(judged, others)}
    return {name: found for name, found in keys.items() if found}


def _questions(judged: Mapping[str, Any], others: Iterable[str]) -> list[str]:
    """Returns the questions of the judged request, and those of `others` that have no grade."""
    questions = [*judged.get("questions", ())]
    questions += [each for each in others if each not in load_grades().causes]
    return list(dict.fromkeys(questions))


def _claims(states: Iterable[str], steps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the features that a target has to claim."""
    sends = [each["send"] for step in steps if "send" in step for each in _sends(step)]
    changes = [each.get("set", {}) for each in sends]
    claims = []
    if "mail-failing" in states:
        claims.append("mail")
    if WITH_TOKENS.intersection(states) or any("token" in each for each in changes):
        claims.append("tokens")
    if any("view" in each and "$" not in each["view"] for each in changes):
        claims.append("views")
    if not claims:
        return {}
    first, *others = claims
    return {"claims": first, **({"also_claims": others} if others else {})}


def _sends(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [step, *step.get("together", ())]


class _Dumper(yaml.SafeDumper):
    """Writes values without aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature of PyYAML
        """Returns True."""
        return True


def _dump(document: Mapping[str, Any]) -> str:
    return yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=math.inf,
    )
