"""Correct servers with other companies and applications than our fixtures, and at other paths."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.command import call
from support.live import Live
from support.suite import another_api, bad, fuzzed, profile, verified
from teeth.second import registering, rules
from teeth.second.server import Server

from clients_register.conformance.case import load_cases
from clients_register.conformance.decision import ExitCode

# Coverage would double the time that it takes, and other tests reach the same lines.
pytestmark = pytest.mark.no_cover

# Cases of values that vendors share by name; unknown ones are a warning.
NAMES = {"names/planoorder", "names/planox2"}


@contextmanager
def serving_second() -> Iterator[str]:
    """The origin of a second server in this process."""
    with Server(0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def set_applications(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for module in (rules, registering):
        monkeypatch.setattr(module, "APPLICATIONS", {name: name.title()})


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The base URL of a correct server with one application, and other companies than ours."""
    monkeypatch.setattr(rules, "COMPANIES", frozenset({7, 8}))
    set_applications(monkeypatch, "planoauth")
    with serving_second() as origin:
        yield f"{origin}/api/v1"


def needing(*names: str) -> set[str]:
    """The core cases that contain one of these placeholders."""
    return {
        case.id
        for case in load_cases()
        if case.claims == "core" and case.placeholders.intersection(names)
    }


def test_a_url_assumes_no_company_and_no_second_application(foreign: str, tmp_path: Path) -> None:
    code, report, said = verified(tmp_path, foreign)
    assert (code, set(bad(report))) == (ExitCode.SUCCESS, NAMES), said
    skipped = {case["id"] for case in report["cases"] if case["verdict"] == "not-arranged"}
    assert needing("company", "other_application") <= skipped
    assert {"company/known", "company/name-of-another"} <= skipped
    assert report["missing_states"] == []
    values = {each["value"]: each["cases"] for each in report["missing_values"]}
    assert values.keys() == {"company", "other_application"}
    assert sum(values.values()) == len(skipped)
    for name, cases in values.items():
        word = "case" if cases == 1 else "cases"
        assert f"not known: {name} ({cases} {word}); a profile can name one\n" in said
    assert "not finished" not in said
    (known,) = (case for case in report["cases"] if case["id"] == "company/known")
    assert known["reason"] == "company: none is known; a profile can name one (company: ...)"


@pytest.mark.parametrize("value", ["null", "7"])
def test_a_profile_says_which_company_is_known_if_any(
    foreign: str, tmp_path: Path, value: str
) -> None:
    file = profile(tmp_path, base=foreign, more=f"company: {value}")
    code, report, said = verified(tmp_path, "--profile", file, "--only", "company/*")
    assert (code, bad(report)) == (ExitCode.SUCCESS, {}), said
    (known,) = (case for case in report["cases"] if case["id"] == "company/known")
    assert known["verdict"] == ("not-arranged" if value == "null" else "pass")


def test_a_plan_counts_the_cases_without_a_value_as_skipped(tmp_path: Path) -> None:
    planned = []
    for number, value in enumerate(("null", "42")):
        (tmp_path / str(number)).mkdir()
        more = f"company: {value}"
        file = profile(tmp_path / str(number), base="https://staging.test/api/v1", more=more)
        done = call("plan", "--profile", file)
        line = next(each for each in done.stdout.splitlines() if each.startswith("cannot be"))
        planned.append(int(line.split()[-1]))
    assert planned[0] - planned[1] == len(needing("company") - needing("other_application"))


@pytest.mark.parametrize("layer", ["order", "schema", "parameters"])
def test_fuzzing_assumes_no_company_either(foreign: str, tmp_path: Path, layer: str) -> None:
    asked = ("--strict", "--seed", "2", "--requests", "250", "--layer", layer)
    code, _, said = fuzzed(tmp_path, foreign, *asked)
    assert code == ExitCode.SUCCESS, said


@pytest.mark.parametrize("command", ["verify", "fuzz"])
def test_an_unknown_application_is_no_violation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    set_applications(monkeypatch, "portal")
    with serving_second() as origin:
        refused = call(command, f"{origin}/api/v1", cwd=tmp_path)
        file = profile(tmp_path, base=f"{origin}/api/v1", more="application: portal")
        accepted = call("verify", "--profile", file, "--only", "success/*")
    assert refused.returncode == ExitCode.USAGE
    assert "does not know the application planoauth" in refused.stderr
    assert "write a profile (--profile FILE) whose `application` names one" in refused.stderr
    assert accepted.returncode == ExitCode.SUCCESS, accepted.stdout


@pytest.mark.parametrize("command", ["verify", "fuzz", "smoke"])
@pytest.mark.parametrize("path", ["", "/", "/api", "/api/v1/clients", "/elsewhere"])
def test_a_url_at_another_path_is_unreachable_with_a_hint(
    shared: Live, tmp_path: Path, command: str, path: str
) -> None:
    done = call(command, shared.origin + path, cwd=tmp_path)
    assert done.returncode == ExitCode.UNREACHABLE
    where = f"the route responds at {shared.origin}/api/v1/clients/register"
    assert f"{where}; give {shared.origin}/api/v1 as the base URL" in done.stderr


def test_a_profile_at_another_path_is_unreachable_with_a_hint(shared: Live, tmp_path: Path) -> None:
    done = call("verify", "--profile", profile(tmp_path, base=f"{shared.origin}/api/v2"))
    assert done.returncode == ExitCode.UNREACHABLE
    assert f"give {shared.origin}/api/v1 as the base URL" in done.stderr


def test_without_the_route_anywhere_there_is_no_hint() -> None:
    with another_api() as url:
        done = call("smoke", url)
    assert done.returncode == ExitCode.UNREACHABLE
    assert "check the base URL, to which /clients/register is appended" in done.stderr
