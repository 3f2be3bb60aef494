"""Violations: one for each root cause, however many cases it shows in."""

from pathlib import Path

import pytest
from support.suite import crashing, mutant, verified

from clients_register.conformance.case import Case
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.grades import Basis, Grade
from clients_register.conformance.report import FORMATS, render_terminal
from clients_register.conformance.results import Finding, Result, Verdict, fails_run, verdict_of
from clients_register.conformance.violations import find_violations

NOTHING = "nothing"


def missed(
    expected: str,
    received: str = "another",
    what: str = "status",
    grade: Grade = Grade.DOCUMENTED,
) -> Finding:
    root = NOTHING if received == NOTHING else None
    return Finding.of(what, grade, expected, received, met=False, root=root)


def result(name: str, *findings: Finding) -> Result:
    case = Case(f"a/{name}", "a", "some fact", requires=(f"R-{name[0].upper()}",))
    return Result(case, verdict_of(findings), findings=list(findings))


def test_the_same_expectation_is_one_violation_whatever_was_received() -> None:
    results = [result(f"x{number}", missed("one", f"other-{number}")) for number in range(243)]
    (violation,) = find_violations(results)
    assert len(violation.results) == 243
    assert violation.source == "R-X"


@pytest.mark.parametrize(
    ("grade", "source"), [(Grade.DOCUMENTED, "R-SOME"), (Grade.DECIDED, "Q-SOME")]
)
def test_a_requirement_precedes_more_frequent_questions_as_the_source_of_a_failure(
    grade: Grade, source: str
) -> None:
    finding = missed("one", grade=grade)
    cases = [
        Case("a/1", "a", "some fact", questions=("Q-SOME",)),
        Case("a/2", "a", "some fact", questions=("Q-SOME",)),
        Case("a/3", "a", "some fact", questions=("Q-SOME",)),
        Case("a/4", "a", "some fact", requires=("R-OTHER",)),
        Case("a/5", "a", "some fact", requires=("R-SOME",)),
        Case("a/6", "a", "some fact", requires=("R-SOME",), questions=("Q-SOME",)),
    ]
    results = [Result(each, verdict_of([finding]), findings=[finding]) for each in cases]
    (violation,) = find_violations(results)
    assert violation.source == source


def test_a_failure_of_cases_without_requirements_has_a_question_as_its_source() -> None:
    case, finding = Case("a/a", "a", "some fact", questions=("Q-SOME",)), missed("one")
    (violation,) = find_violations([Result(case, Verdict.FAIL, findings=[finding])])
    assert violation.source == "Q-SOME"


def test_the_source_of_a_finding_precedes_the_requirements_of_its_case() -> None:
    basis = Basis(Grade.DOCUMENTED, "RFC 8259.")
    finding = Finding.of("JSON", basis, "one", "another", met=False)
    (violation,) = find_violations([result("a", finding)])
    assert violation.source == "RFC 8259."


def test_where_nothing_was_received_different_expectations_are_one_violation() -> None:
    results = [
        result(f"x{number}", missed(f"{number}", NOTHING, "/data/id")) for number in range(3)
    ]
    assert len(find_violations(results)) == 1


def test_the_worst_come_first_and_then_those_of_most_cases() -> None:
    results = [
        result("a", missed("1", grade=Grade.DECIDED)),
        result("b", missed("2")),
        result("c", missed("3")),
        result("d", missed("3")),
    ]
    assert [each.first.expected for each in find_violations(results)] == ["3", "2", "1"]


def test_what_follows_from_another_status_is_no_violation() -> None:
    status, data = missed("success"), missed("5", NOTHING, "/data/id")
    assert [each.first for each in find_violations([result("a", status, data)])] == [status]
    assert len(find_violations([result("a", data, status)])) == 2


@pytest.mark.parametrize(
    "verdict", [Verdict.EXPECTED_FAILURE, Verdict.OBSERVED, Verdict.NOT_ARRANGED]
)
def test_what_the_profile_explains_is_no_violation(verdict: Verdict) -> None:
    explained = result("a", missed("one"))
    explained.verdict = verdict
    assert find_violations([explained]) == []


def test_what_every_response_lacks_fails_a_strict_run_and_no_case() -> None:
    header = Finding(Verdict.NOTE, Grade.DECIDED, "header X", "one", NOTHING, every_response=True)
    found = result("a", header)
    assert found.verdict is Verdict.PASS
    assert fails_run(found, strict=True)
    assert not fails_run(found, strict=False)
    assert len(find_violations([found])) == 1


def test_a_case_that_cannot_be_judged_is_a_violation_with_its_reason() -> None:
    broken = result("a")
    broken.verdict, broken.reason = Verdict.ERROR, "the target is gone"
    (violation,) = find_violations([broken])
    assert violation.first.received == "the target is gone"


def test_a_missing_header_is_one_violation_and_costs_no_case_its_verdict(tmp_path: Path) -> None:
    with mutant("one-request-id") as url:
        code, report, _ = verified(tmp_path, url, "--strict", "--only", "presence")
    (violation,) = report["violations"]
    assert violation["what"] == "header X-Request-Id"
    assert violation["source"] == "Q-HEADERS"
    assert "the target violates the contract: 1 violation" in report["reason"]
    assert {each["verdict"] for each in report["cases"]} == {"pass"}
    assert code == ExitCode.VIOLATION


def test_the_first_report_on_a_broken_server_fits_two_screens_and_a_light_page(
    tmp_path: Path,
) -> None:
    with crashing(html=True) as url:
        _, report, said = verified(tmp_path, url)
    assert len(report["cases"]) > 400
    assert said.count("\n") <= 100
    assert len(FORMATS["html"](report).encode()) < 500_000
    assert render_terminal(report, color=False, verbose=True).count("\n") > 1000
