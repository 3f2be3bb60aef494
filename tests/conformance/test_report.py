"""The report and what is drawn from it."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.command import call
from support.suite import HOSTILE, report

from clients_register.conformance.decision import ExitCode
from clients_register.conformance.report import (
    FORMATS,
    ReportError,
    load_report,
    render_json,
    render_terminal,
)
from clients_register.conformance.results import Verdict


def test_what_was_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(render_json(report()), "utf-8")
    assert load_report(tmp_path / "report.json") == report()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nothing", "expected a report in JSON"),
        ("{}", "expected the member report"),
        (json.dumps(report(exit_code=7)), r"exit_code: expected one of"),
        (json.dumps(report(surplus=1)), "surplus"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(text, "utf-8")
    with pytest.raises(ReportError, match=told):
        load_report(file)


def test_the_terminal_has_the_violations_worst_first_and_folds_notes() -> None:
    text = render_terminal(report(), color=False)
    shown = [line for line in text.splitlines() if ": expected something" in line]
    assert [line.split()[0] for line in shown] == ["ERROR", "UNEXPECTED-PASS", "FAIL", "WARN"]
    assert "not shown: 1 note; --verbose shows all" in text
    assert "R-CLIENT-CREATED (Purpose): A request that succeeds" in text
    assert "1 case: some-area/fail" in text
    assert "--only some-area/fail" in text
    assert "curl" not in text


def test_notes_that_fail_the_run_are_not_folded() -> None:
    text = render_terminal(report(strict=True), color=False)
    assert "NOTE status: expected something" in text
    assert "not shown" not in text


def test_what_exceeds_two_screens_is_counted() -> None:
    fail = next(each for each in report()["violations"] if each["verdict"] == "fail")
    text = render_terminal(report(violations=[fail] * 100, cases=[]), color=False)
    assert text.count("\n") < 100
    assert "not shown: 85 fail" in text
    whole = render_terminal(report(violations=[fail] * 100, cases=[]), color=False, verbose=True)
    assert whole.count("FAIL status") == 100


def test_the_terminal_tells_every_miss_if_asked() -> None:
    text = render_terminal(report(), color=False, verbose=True)
    for verdict in (Verdict.FAIL, Verdict.WARN, Verdict.NOTE):
        told = text[text.index(f"{verdict.upper()} some-area/{verdict}\n") :].split("\n\n")[0]
        assert told.count("expected something") == 2
        assert "R-CLIENT-CREATED (Purpose): A request that succeeds" in told
        assert "curl -d e30=" in told
        assert f"--only some-area/{verdict}" in told
    assert "PASS some-area/pass" not in text
    assert "not arranged: clock (1 case)" in text
    assert text.endswith("1 cases could not be judged\n")


def test_the_terminal_has_colours_only_where_they_are_asked_for() -> None:
    quiet = report(target={**report()["target"], "name": "x"}, cases=[])
    assert "\x1b" not in render_terminal(quiet, color=False)
    assert "\x1b[" in render_terminal(quiet, color=True)


def test_nothing_that_was_received_moves_a_terminal() -> None:
    assert "\x1b" not in render_terminal(report(), color=False)


@pytest.mark.parametrize(("strict", "failures"), [(False, 2), (True, 4)])
def test_junit_counts_as_the_run_does(*, strict: bool, failures: int) -> None:
    root = ET.fromstring(FORMATS["junit"](report(strict=strict)))
    counts = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "10", "failures": str(failures), "errors": "1", "skipped": "3"}
    assert len(root.findall(".//testcase")) == 10


def test_markdown_has_a_table_of_verdicts_and_folds_the_findings() -> None:
    text = FORMATS["markdown"](report())
    assert "| fail | 1 |" in text
    lines = text.splitlines()
    assert sum(line.startswith("<details><summary>") for line in lines) == 5
    assert lines.count("</details>") == 5
    assert all("<script>" not in line or "` <script>" in line for line in lines)


def test_junit_has_what_every_response_lacks_as_a_test_of_its_own() -> None:
    (note,) = (each for each in report()["violations"] if each["verdict"] == "note")
    apart = [{**note, "what": "header X-Some", "every_response": True}]
    for strict in (False, True):
        root = ET.fromstring(FORMATS["junit"](report(strict=strict, violations=apart)))
        (test,) = root.findall("testsuite[@name='every-response']/testcase")
        assert test.get("name") == "every response: header X-Some"
        assert (test.find("failure") is not None) == strict


def test_the_message_of_junit_is_the_worst_finding() -> None:
    root = ET.fromstring(FORMATS["junit"](report()))
    (failure,) = root.findall(".//failure[@type='fail']")
    assert str(failure.get("message")).startswith("status: expected something, received ")


def test_a_badge_is_what_shields_draws() -> None:
    badge = json.loads(FORMATS["badge"](report()))
    assert badge == {
        "schemaVersion": 1,
        "label": "clients/register",
        "message": "2/7 pass",
        "color": "orange",
    }


def test_the_page_holds_nothing_that_was_received_as_markup() -> None:
    page = FORMATS["html"](report())
    assert "<script>document.title" not in page
    assert HOSTILE.partition("\x1b")[0] not in page
    assert page.count("<script>") == 1


@pytest.mark.smoke
def test_a_report_is_drawn_anew(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(render_json(report()), "utf-8")
    files = {name: tmp_path / f"drawn.{name}" for name in FORMATS}
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    done = call("report", str(tmp_path / "report.json"), *options)
    assert done.returncode == ExitCode.SUCCESS
    drawn = {name: file.read_text("utf-8") for name, file in files.items()}
    assert drawn == {name: draw(report()) for name, draw in FORMATS.items()}


def test_a_file_that_is_no_report_is_one_line(tmp_path: Path) -> None:
    done = call("report", str(tmp_path / "nowhere.json"))
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.count("\n") == 1
