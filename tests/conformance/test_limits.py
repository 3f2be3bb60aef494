"""The limits of a profile, what `plan` says of them, and what a run then does."""

import json
import os
import re
import signal
from dataclasses import replace
from importlib.resources import files
from itertools import chain, combinations, count
from pathlib import Path

import pytest
from support.command import call
from support.live import Live, LiveStub
from support.suite import another_api, bad, base, profile, verified

from clients_register.conformance.case import CORE, load_cases
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.profiles import load_profile
from clients_register.conformance.runner import bound_requests
from clients_register.conformance.target import FEATURES, Limiter, Limits, target_for_url
from clients_register.spec.statuses import load_statuses

# Coverage would double the time that it takes, and other tests reach the same lines.
pytestmark = pytest.mark.no_cover

ALL = ", ".join(FEATURES)

# Values of the fixtures of the stub, as a profile names them.
KNOWN = "company: 42\nother_application: planox2\n"

# Claims, further terms of the profile, and patterns of cases.
SELECTIONS = {
    "core": ("core", KNOWN, ()),
    "views": ("core, views", KNOWN, ()),
    "everything": (ALL, f"{KNOWN}arrange: {{clock: control}}", ()),
    "arranged": ("core", KNOWN, ("email-taken/*",)),
    "concurrent": ("core", KNOWN, ("*at-once",)),
    "refused": ("core", KNOWN, ("base64/*", "json/*", "limit/*")),
}

TEMPLATE = Path(str(files("clients_register.conformance") / "targets" / "template.yaml"))


def planned(*argv: str) -> tuple[int, int]:
    """The bounds that `plan` states: requests and clients."""
    done = call("plan", *argv)
    assert done.returncode == ExitCode.SUCCESS, done.stderr
    found = [
        int(number)
        for line in ("requests", "clients created")
        for number in re.findall(rf"^{line} +(?:at most )?(\d+)", done.stdout, re.MULTILINE)
    ]
    requests, clients = found
    return requests, clients


def registered(stub: LiveStub) -> int:
    """Counts the clients that a stub has registered in all worlds, including deleted ones."""
    statuses = load_statuses()
    stored = (statuses.success.slug, statuses.for_rule("welcome_mail_is_sent").slug)
    counted = stub.control("GET", "/coverage").json()["statuses"]
    return sum(each["natural"] for each in counted if each["slug"] in stored)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_bounds_of_a_plan_are_enough_and_no_more_clients_are_registered(
    stub: LiveStub, tmp_path: Path, selection: str
) -> None:
    claims, more, patterns = SELECTIONS[selection]
    only = [word for pattern in patterns for word in ("--only", pattern)]
    terms = {"base": base(stub), "claims": claims}
    requests, clients = planned("--profile", profile(tmp_path, more=more, **terms), *only)
    limits = f"{more}\nlimits: {{requests: {requests}, clients: {clients}}}"
    code, report, said = verified(
        tmp_path, "--profile", profile(tmp_path, more=limits, **terms), *only
    )
    assert code == ExitCode.SUCCESS, said
    assert bad(report) == {}
    assert report["summary"]["not-arranged"] == 0
    assert registered(stub) <= clients
    assert sum(len(case["exchanges"]) for case in report["cases"]) == requests


@pytest.mark.parametrize("limit", ["requests", "clients"])
def test_a_limit_one_below_the_bound_of_a_plan_ends_the_run(
    stub: LiveStub, tmp_path: Path, limit: str
) -> None:
    only = ("--only", "email-taken/*")
    terms = {"base": base(stub)}
    requests, clients = planned("--profile", profile(tmp_path, more=KNOWN, **terms), *only)
    bounds = {"requests": requests, "clients": clients}
    bounds[limit] -= 1
    limits = f"{KNOWN}limits: {{requests: {bounds['requests']}, clients: {bounds['clients']}}}"
    file = profile(tmp_path, more=limits, **terms)
    assert "may end the run early" in call("plan", "--profile", file, *only).stdout
    _, report, _ = verified(tmp_path, "--profile", file, *only)
    assert report["summary"]["not-arranged"] == 1


def test_nothing_with_a_body_is_planned_or_sent_where_writes_are_forbidden(
    stub: LiveStub, tmp_path: Path
) -> None:
    file = profile(tmp_path, base=base(stub), more="limits: {writes: false}")
    requests, clients = planned("--profile", file)
    _, report, _ = verified(tmp_path, "--profile", file)
    sent = [each["request"] for case in report["cases"] for each in case["exchanges"]]
    assert (len(sent), clients) == (requests, 0)
    assert not any(each["body"] for each in sent)


def test_the_limits_of_the_template_suffice(
    shared: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTER_BASE_URL", base(shared))
    # The pace has no influence on which cases are run.
    hurried = TEMPLATE.read_text("utf-8").replace("requests_per_second: 5", "")
    file = tmp_path / "template.yaml"
    file.write_text(hurried, "utf-8")
    code, report, said = verified(tmp_path, "--profile", str(file))
    assert code == ExitCode.SUCCESS, said
    assert report["summary"]["not-arranged"] == 0


@pytest.mark.parametrize("hook", [None, "http://localhost/states"])
def test_the_limits_of_the_template_suffice_for_every_claim(hook: str | None) -> None:
    template = load_profile(TEMPLATE, {"REGISTER_BASE_URL": "http://localhost"})
    others = [each for each in FEATURES if each != CORE]
    for claims in chain.from_iterable(combinations(others, n) for n in range(len(others) + 1)):
        target = replace(template, claims=(CORE, *claims), hook=hook)
        bound = bound_requests(load_cases(), target)
        assert bound.requests <= target.limits.requests
        assert bound.clients <= target.limits.clients


def test_the_limits_of_a_bare_url_suffice() -> None:
    target = target_for_url("http://127.0.0.1:1", control=True)
    bound = bound_requests(load_cases(), target)
    assert bound.requests <= target.limits.requests
    assert bound.clients <= target.limits.clients


def test_the_shares_of_processes_are_the_whole() -> None:
    whole = Limits(requests=11, clients=2, requests_per_second=6)
    shares = [whole.share(number, 3) for number in range(3)]
    assert [each.requests for each in shares] == [4, 4, 3]
    assert [each.clients for each in shares] == [1, 1, 0]
    assert {each.requests_per_second for each in shares} == {2}


UNREACHABLE = "arrange: {client: unavailable, session-live: unavailable}"
STATES = {state for case in load_cases() for state in case.arrange}


@pytest.mark.parametrize("limits", ["requests: 3", "clients: 2", "writes: false", "requests: 100"])
def test_a_limit_is_no_missing_state_and_is_reported_as_a_limit(
    shared: Live, tmp_path: Path, limits: str
) -> None:
    more = f"{KNOWN}{UNREACHABLE}\nlimits: {{{limits}}}"
    file = profile(tmp_path, base=base(shared), claims="core, tokens", more=more)
    _, report, said = verified(tmp_path, "--profile", file)
    cut_short = [
        case
        for case in report["cases"]
        if case["verdict"] == "not-arranged" and "has no way to reach it" not in case["reason"]
    ]
    states = {each["state"]: each["cases"] for each in report["missing_states"]}
    assert {"client", "session-live"} <= states.keys() <= STATES
    assert sum(states.values()) + len(cut_short) == report["summary"]["not-arranged"]
    assert cut_short
    (why,) = {case["reason"] for case in cut_short}
    assert f"{len(cut_short)} cases were not finished: {why}" in said
    assert f"not arranged: {why}" not in said


def test_an_interruption_is_no_missing_state_and_is_reported_as_one(
    shared: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire, calls = Limiter.acquire, count()

    async def interrupted(limiter: Limiter, *, registers: bool) -> None:
        await acquire(limiter, registers=registers)
        if next(calls) == 20:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Limiter, "acquire", interrupted)
    code, report, said = verified(tmp_path, base(shared))
    assert code == ExitCode.INCONCLUSIVE
    assert report["missing_states"] == []
    assert "interrupted after" in said


def test_a_value_that_a_response_lacks_is_no_missing_state(tmp_path: Path) -> None:
    body = json.dumps({"status": load_statuses().success.slug, "code": 200}).encode()
    with another_api(200, body) as url:
        file = profile(tmp_path, base=url, claims="core, tokens")
        _, report, said = verified(
            tmp_path, "--profile", file, "--only", "success/the-session-is-live"
        )
    assert report["missing_states"] == []
    assert "1 case was not finished: own.token: the response" in said
