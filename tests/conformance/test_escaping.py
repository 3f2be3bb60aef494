"""Text of a judged server, on every way out: it steers no terminal and no CI system."""

import contextlib
import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.command import OPTIONS, call
from support.suite import HOSTILE, answering, report

from clients_register.conformance import cli
from clients_register.conformance.case import RequestTemplate
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.escaping import escape, escape_all
from clients_register.conformance.exchange import Exchange
from clients_register.conformance.fuzz.checker import ContractViolation
from clients_register.conformance.fuzz.corpus import render_cases
from clients_register.conformance.fuzz.oracle import Outcome
from clients_register.conformance.grades import Grade
from clients_register.conformance.http_client import HttpRequest
from clients_register.conformance.report import FORMATS, Report, render_json, render_terminal
from clients_register.conformance.report.campaign_tables import render_precedence_csv
from clients_register.conformance.results import Finding
from clients_register.spec.statuses import load_statuses

# Coverage would double the time that it takes, and other tests reach the same lines.
pytestmark = pytest.mark.no_cover

PIECES = (
    *("\ud800", "\udc00\ud800", "\x1b[2J", "\x07", "\x00", "\x7f", "\x9b31m", "\ufffe"),
    *("\n", "\r", "\t", "\x0b", "\x85", "\u2028", "\u202e", "\u200b", "\ufeff", "\U000e0001"),
    *("::error::x", " ::add-mask::x", "##[error]x", "##vso[task]", "</details>", "`", "|", '"'),
)
FOREIGN = st.lists(
    st.one_of(st.sampled_from(PIECES), st.text(st.characters(exclude_categories=()), max_size=5)),
    min_size=1,
    max_size=8,
).map("".join)

# Codes of colors, which are our own.
STYLES = re.compile(r"\x1b\[\d+m")


def assert_safe(text: str) -> None:
    text.encode()
    assert [each for each in text if not each.isprintable() and each != "\n"] == []
    assert re.findall(r"^\s*::\w.*|##\w*\[.*", text, re.MULTILINE) == []


def received(text: str) -> dict[str, Any]:
    """A report, with a campaign, in which `text` is whatever a server can put there."""
    probes = [{"faults": ["one", "two"], "status": text, "as_expected": False}]
    campaign = {
        "seed": 1,
        "requests": 1,
        "seconds": 0.5,
        "ended": "interrupted",
        "why": text,
        "layers": {},
        "statuses": [],
        "rules": [],
        "keywords": [],
        "unparseable": 0,
        "overloaded": 0,
        "order": {"faults": ["one", "two"], "probes": probes, "not_arranged": 0},
    }
    sample = report(fuzz=campaign, reason=HOSTILE, created=[{"email": HOSTILE, "id": None}])
    for case in sample["cases"]:
        case["exchanges"][0]["answer"]["envelope"] = {HOSTILE: [HOSTILE]}
        case["exchanges"][0]["error"] = HOSTILE

    def replaced(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(HOSTILE, text)
        if isinstance(value, dict):
            return {replaced(key): replaced(each) for key, each in value.items()}
        return [replaced(each) for each in value] if isinstance(value, list) else value

    replaced_report: dict[str, Any] = replaced(sample)
    return replaced_report


def violation(text: str) -> ContractViolation:
    """A violation that was found by a text; a long one, which YAML may fold."""
    finding = Finding.of("status", Grade.DOCUMENTED, f"something {'long ' * 20}", text, met=False)
    exchange = Exchange("send", HttpRequest("POST", "/", (), b""), None)
    outcomes = [Outcome(load_statuses().success, None, Grade.DOCUMENTED)]
    return ContractViolation("parameters", exchange, [finding], RequestTemplate(), outcomes)


def case_file(text: str) -> str:
    ((path, content),) = render_cases([violation(text)], Path("corpus"))
    assert_safe(path.name)
    assert_safe(yaml.safe_load(content)["cases"][0]["title"])
    return content


def printed(write: Callable[[str], None]) -> Callable[[str], str]:
    def render(text: str) -> str:
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            write(text)
        return out.getvalue() + err.getvalue()

    return render


def drawn(draw: Callable[[Report], str]) -> Callable[[str], str]:
    return lambda text: draw(received(text))


WAYS_OUT: Mapping[str, Callable[[str], str]] = {
    **{name: drawn(draw) for name, draw in FORMATS.items()},
    "json": lambda text: render_json(received(text)),
    "terminal": lambda text: render_terminal(received(text), color=False),
    "verbose": lambda text: render_terminal(received(text), color=False, verbose=True),
    "colors": lambda text: STYLES.sub(
        "", render_terminal(received(text), color=True, verbose=True)
    ),
    "csv": lambda text: render_precedence_csv(received(text)["fuzz"]["order"]),
    "corpus": case_file,
    "standard output": printed(cli.print_text),
    "standard error": printed(cli.print_error),
    "table": lambda text: cli.format_table([("??", "a request", text)]),
    "printed report": printed(lambda text: cli.print_report(received(text), verbose=True)),
}
# A page may show the line breaks of a body, text that we composed has lines of its own, and YAML
# folds them.
WITH_LINES = ("html", "standard output", "corpus")


@pytest.mark.smoke
@pytest.mark.parametrize("way", WAYS_OUT)
@given(text=FOREIGN)
def test_text_of_a_server_is_harmless_on_every_way_out(way: str, text: str) -> None:
    shown = WAYS_OUT[way](text)
    assert_safe(shown)
    if way not in WITH_LINES:
        assert shown.count("\n") == WAYS_OUT[way]("x").count("\n")


@pytest.mark.parametrize("sign", [*"=+-@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_of_a_table_is_a_formula(sign: str) -> None:
    order = received(f"{sign}cmd|'/C calc'!A0")["fuzz"]["order"]
    cells = [cell for row in csv.reader(io.StringIO(render_precedence_csv(order))) for cell in row]
    assert f"'{sign}cmd|'/C calc'!A0!" in cells
    assert not any(cell.startswith(sign) for cell in cells)


@given(text=FOREIGN)
def test_a_report_as_json_holds_exactly_what_was_received(text: str) -> None:
    assert json.loads(render_json(received(text))) == received(text)


@given(text=FOREIGN)
def test_junit_is_well_formed_whatever_was_received(text: str) -> None:
    assert len(ET.fromstring(FORMATS["junit"](received(text))).findall(".//testcase")) == 10


@given(text=FOREIGN)
def test_escaped_text_stays_as_it_is(text: str) -> None:
    assert escape(escape(text)) == escape(text)
    assert escape_all([{text: text}]) == [{escape(text): escape(text)}]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("caf\u00e9 \u65e5\u672c \U0001f600 \\n", "caf\u00e9 \u65e5\u672c \U0001f600 \\n"),
        ("\x1b[2J", r"\u001b[2J"),
        ("one\ntwo\tthree", r"one\ntwo\tthree"),
        ("\ud800", r"\ud800"),
        ("::error::x", r"\u003a:error::x"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("##[error]x", r"\u0023#[error]x"),
    ],
)
def test_what_is_shown_in_the_place_of_what_is_not(text: str, shown: str) -> None:
    assert escape(text) == shown


STATUS = "\ud800\x1b[2J\x07\x00\n::error::owned\r##[error]owned\u202e"


def hostile(method: str, path: str) -> tuple[int, bytes]:
    """One documented answer, so that the server passes for one of this API; then hostile ones."""
    if path.endswith("/elsewhere"):
        row = load_statuses().for_rule("route_exists")
        return row.code, json.dumps({"code": row.code, "status": row.slug}).encode()
    return 200, json.dumps({"code": 200, "status": STATUS, STATUS: {"email": STATUS}}).encode()


@pytest.mark.parametrize(
    "argv",
    [
        ("verify", "--only", "route/*", "--only", "success/*"),
        ("fuzz", "--requests", "60", "--seed", "1", "--order", "order.csv"),
        ("verify", "--quiet", "--only", "route/*", "--fuzz", "60", "--seed", "1"),
        ("smoke",),
    ],
    ids=" ".join,
)
def test_a_hostile_server_reaches_neither_terminal_nor_reports(
    tmp_path: Path, argv: tuple[str, ...]
) -> None:
    files = {name: tmp_path / f"report.{name}" for name in FORMATS}
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    options += ["--report", str(tmp_path / "report.json")]
    options += ["--corpus", str(tmp_path / "corpus")]
    with answering(hostile) as url:
        asked = [argv[0], url, *argv[1:], *(options if argv[0] != "smoke" else [])]
        # Twice, so that the corpus of the first run is replayed.
        for _ in range(2):
            done = call(*asked, cwd=tmp_path)
            assert done.returncode == ExitCode.VIOLATION
            assert_safe(done.stdout + done.stderr)
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    for file in written:
        assert_safe(file.read_text("utf-8"))
    if argv[0] != "smoke":
        assert {*files.values(), tmp_path / "report.json"} <= {*written}
        assert call("report", str(tmp_path / "report.json")).returncode == ExitCode.SUCCESS


@pytest.mark.parametrize("command", ["verify", "fuzz", "smoke"])
def test_another_api_is_told_of_in_one_harmless_line(tmp_path: Path, command: str) -> None:
    with answering(lambda _method, _path: hostile("POST", "/")) as url:
        done = call(command, url, cwd=tmp_path)
    assert done.returncode == ExitCode.UNREACHABLE
    assert_safe(done.stdout + done.stderr)
    *announced, line = done.stderr.splitlines()
    assert "is not this API" in line
    assert len(announced) == (command == "fuzz")


def test_a_refusal_of_the_control_plane_is_told_of_in_one_harmless_line(tmp_path: Path) -> None:
    def refusing(method: str, path: str) -> tuple[int, bytes]:
        if path.startswith("/_mock"):
            return 401, json.dumps({"detail": STATUS}).encode()
        return hostile(method, path)

    with answering(refusing, **{"Mock-Error": "x"}) as url:
        done = call("verify", url, "--only", "route/*", cwd=tmp_path)
    assert_safe(done.stdout + done.stderr)
    (line,) = done.stderr.splitlines()
    assert "refuses access" in line


pytest_plugins = ["pytester"]


@pytest.mark.parametrize("answer", [hostile, lambda *_: hostile("POST", "/")], ids=["api", "none"])
def test_a_hostile_server_is_harmless_in_pytest(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    with answering(answer) as url:
        done = pytester.runpytest_subprocess(
            *OPTIONS, "--clients-register-verify", url, "-k", "route", "-rs", "--color=no"
        )
    assert done.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR)
    assert_safe(done.stdout.str() + done.stderr.str())
