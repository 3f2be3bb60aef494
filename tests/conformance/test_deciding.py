"""From verdicts to the exit code of a run: nothing that was not seen is ever good."""

import pytest

from clients_register.conformance import deciding, target
from clients_register.conformance.findings import Result
from clients_register.conformance.model import Case, Expectation
from clients_register.conformance.verdicts import Exit, Grade, Verdict, worst

TARGET = target.of_url("http://127.0.0.1:1", control=False)


def results(**counts: int) -> list[Result]:
    expect = (Expectation("code", Grade.DOCUMENTED, {"code": 200}),)
    return [
        Result(Case(f"a/{name}-{number}", "a", "some fact", expect=expect), Verdict(name))
        for name, count in ((name.replace("_", "-"), each) for name, each in counts.items())
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("counts", "strict", "code"),
    [
        ({"pass": 30}, False, Exit.GOOD),
        ({"pass": 30, "warn": 1, "note": 1}, False, Exit.GOOD),
        ({"pass": 30, "warn": 1}, True, Exit.VIOLATION),
        ({"pass": 30, "note": 1}, True, Exit.VIOLATION),
        ({"pass": 30, "fail": 1}, False, Exit.VIOLATION),
        ({"pass": 30, "unexpected_pass": 1}, False, Exit.VIOLATION),
        ({"pass": 30, "expected_failure": 1}, True, Exit.GOOD),
        ({"pass": 30, "fail": 1, "error": 1}, False, Exit.DEFECT),
        ({"pass": 30, "not_arranged": 7}, False, Exit.GOOD),
        ({"pass": 30, "not_arranged": 8}, False, Exit.TOO_LITTLE),
        ({"pass": 30, "not_claimed": 100}, False, Exit.GOOD),
        ({"pass": 19}, False, Exit.TOO_LITTLE),
        ({"not_claimed": 40}, False, Exit.TOO_LITTLE),
        ({"not_arranged": 40}, False, Exit.TOO_LITTLE),
        ({}, False, Exit.TOO_LITTLE),
    ],
)
def test_a_run_comes_to_its_exit_code(counts: dict[str, int], *, strict: bool, code: Exit) -> None:
    found = results(**counts)
    evidence = deciding.evidence(found, TARGET, whole=True)
    assert deciding.decide(found, evidence, strict=strict)[0] is code


def test_of_cases_that_were_chosen_any_number_is_enough() -> None:
    found = results(**{"pass": 1})
    evidence = deciding.evidence(found, TARGET, whole=False)
    assert deciding.decide(found, evidence, strict=False)[0] is Exit.GOOD


def test_the_worst_verdict_counts() -> None:
    assert worst([Verdict.PASS, Verdict.FAIL, Verdict.WARN]) is Verdict.FAIL
    assert worst([]) is Verdict.PASS
