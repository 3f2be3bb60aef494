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


def test_the_terminal_tells_every_miss_and_counts_the_rest() -> None:
    text = render_terminal(report(), color=False)
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
