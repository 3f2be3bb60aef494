"""From verdicts to the exit code of a run: nothing that was not seen is ever good."""

import pytest

from clients_register.conformance.case import Case, Expectation, Step
from clients_register.conformance.decision import ExitCode, collect_evidence, decide
from clients_register.conformance.grades import Grade
from clients_register.conformance.results import Finding, Result, Verdict, worst
from clients_register.conformance.target import target_for_url

TARGET = target_for_url("http://127.0.0.1:1", control=False)


def results(**counts: int) -> list[Result]:
    expect = (Expectation("code", Grade.DOCUMENTED, {"code": 200}),)
    return [
        Result(
            Case(f"a/{name}-{number}", "a", "some fact", judged=Step(expect=expect)),
            Verdict(name),
            findings=[Finding(Verdict(name), Grade.DOCUMENTED, "HTTP code", "200", f"50{number}")],
        )
        for name, count in ((name.replace("_", "-"), each) for name, each in counts.items())
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("counts", "strict", "code"),
    [
        ({"pass": 30}, False, ExitCode.SUCCESS),
        ({"pass": 30, "warn": 1, "note": 1}, False, ExitCode.SUCCESS),
        ({"pass": 30, "warn": 1}, True, ExitCode.VIOLATION),
        ({"pass": 30, "note": 1}, True, ExitCode.VIOLATION),
        ({"pass": 30, "fail": 1}, False, ExitCode.VIOLATION),
        ({"pass": 30, "unexpected_pass": 1}, False, ExitCode.VIOLATION),
        ({"pass": 30, "expected_failure": 1}, True, ExitCode.SUCCESS),
        ({"pass": 30, "fail": 1, "error": 1}, False, ExitCode.DEFECT),
        ({"pass": 30, "not_arranged": 7}, False, ExitCode.SUCCESS),
        ({"pass": 30, "not_arranged": 8}, False, ExitCode.INCONCLUSIVE),
        ({"pass": 30, "not_claimed": 100}, False, ExitCode.SUCCESS),
        ({"pass": 19}, False, ExitCode.INCONCLUSIVE),
        ({"not_claimed": 40}, False, ExitCode.INCONCLUSIVE),
        ({"not_arranged": 40}, False, ExitCode.INCONCLUSIVE),
        ({}, False, ExitCode.INCONCLUSIVE),
    ],
)
def test_a_run_comes_to_its_exit_code(
    counts: dict[str, int], *, strict: bool, code: ExitCode
) -> None:
    found = results(**counts)
    evidence = collect_evidence(found, TARGET, complete=True)
    assert decide(found, evidence, strict=strict)[0] is code


def test_both_kinds_of_failures_are_in_the_headline() -> None:
    found = results(**{"pass": 30, "fail": 2, "error": 3})
    evidence = collect_evidence(found, TARGET, complete=True)
    code, reason = decide(found, evidence, strict=False)
    assert code is ExitCode.DEFECT
    assert "violates the contract: 1 violation in 2 of 32 cases" in reason
    assert "3 cases could not be judged" in reason


def test_of_cases_that_were_chosen_any_number_is_enough() -> None:
    found = results(**{"pass": 1})
    evidence = collect_evidence(found, TARGET, complete=False)
    assert decide(found, evidence, strict=False)[0] is ExitCode.SUCCESS


def test_the_worst_verdict_counts() -> None:
    assert worst([Verdict.PASS, Verdict.FAIL, Verdict.WARN]) is Verdict.FAIL
    assert worst([]) is Verdict.PASS
