"""The suite as a pytest plugin, in runs of pytest of their own."""

from pathlib import Path

import pytest
from support.command import OPTIONS
from support.live import Live, LiveStub
from support.suite import mutant

from clients_register.conformance import cli  # noqa: F401 - see below

# pytester forgets the modules that a run in this process imported, so that they are there before.

pytestmark = pytest.mark.measured

pytest_plugins = ["pytester"]

URL = "--clients-register-verify"
PROFILE = "--clients-register-profile"


def base(server: Live) -> str:
    return server.origin + server.settings.base_path


def written_profile(pytester: pytest.Pytester, server: Live, line: str) -> Path:
    """A profile of `server` with one more line."""
    profile = Path(pytester.path / "profile.yaml")
    profile.write_text(
        f"profile: 1\nname: some server\nbase_url: {base(server)}\n"
        f"email_domain: tests.test\n{line}\n"
    )
    return profile


@pytest.fixture(autouse=True)
def plain(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this run reach the inner one."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


def test_cases_are_tests(pytester: pytest.Pytester, shared_stub: LiveStub) -> None:
    done = pytester.runpytest_inprocess(
        *OPTIONS, URL, base(shared_stub), "-k", "route", "-p", "no:randomly"
    )
    assert done.ret == 0
    assert done.parseoutcomes()["passed"] >= 10


def test_cases_are_chosen_by_requirement(pytester: pytest.Pytester, shared_stub: LiveStub) -> None:
    done = pytester.runpytest_inprocess(*OPTIONS, URL, base(shared_stub), "-k", "R-SESSION-AGE")
    assert done.ret == 0
    assert 0 < done.parseoutcomes()["passed"] < 20


def test_what_is_not_claimed_is_skipped(pytester: pytest.Pytester, shared: Live) -> None:
    done = pytester.runpytest_inprocess(
        *OPTIONS, URL, base(shared), "-k", "mail/one-welcome", "-rs"
    )
    assert done.parseoutcomes()["skipped"] == 1
    done.stdout.fnmatch_lines(["*not-claimed: the target does not claim mail*"])


def test_a_failure_is_told_with_its_curl_line(
    pytester: pytest.Pytester, shared_stub: LiveStub
) -> None:
    profile = written_profile(pytester, shared_stub, "company: 987654")
    done = pytester.runpytest_inprocess(
        *OPTIONS, "--clients-register-profile", str(profile), "-k", "company/known"
    )
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*FAIL company/known*", "*curl -sS*", "*rerun: clients-register*"])
    assert "Traceback" not in done.stdout.str()


def test_a_request_id_comes_once_in_all_cases(pytester: pytest.Pytester) -> None:
    with mutant("one-request-id") as url:
        done = pytester.runpytest_inprocess(
            *OPTIONS, URL, url, "--clients-register-strict", "-k", "base64", "-p", "no:randomly"
        )
    outcomes = done.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"] > 10) == (1, True)
    done.stdout.fnmatch_lines(["*expected one id that no other response had*"])


def test_workers_share_the_cases_and_junit_has_them(
    pytester: pytest.Pytester, shared_stub: LiveStub
) -> None:
    done = pytester.runpytest_subprocess(
        *OPTIONS, URL, base(shared_stub), "-k", "media-type", "-n", "2", "--junit-xml", "out.xml"
    )
    assert done.ret == 0
    assert "R-BODY-TEXT-PLAIN" in (pytester.path / "out.xml").read_text()


def test_a_url_without_a_server_is_wrong_usage(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_subprocess(*OPTIONS, URL, "http://127.0.0.1:1/api/v1")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "is the server running" in done.stderr.str()


INTERRUPTING = """
import os, signal
from clients_register.conformance.target import Limiter

async def acquire(limiter, *, registers):
    os.kill(os.getpid(), signal.SIGINT)

Limiter.acquire = acquire
"""


def test_whoever_interrupts_a_case_interrupts_the_run(
    pytester: pytest.Pytester, shared_stub: LiveStub
) -> None:
    pytester.makeconftest(INTERRUPTING)
    done = pytester.runpytest_subprocess(*OPTIONS, URL, base(shared_stub), "-k", "route")
    assert done.ret == pytest.ExitCode.INTERRUPTED
    assert done.parseoutcomes().keys() <= {"deselected"}


@pytest.mark.parametrize("workers", [0, 2])
def test_the_limits_of_a_profile_apply_to_all_tests_together(
    pytester: pytest.Pytester, stub: LiveStub, workers: int
) -> None:
    profile = written_profile(pytester, stub, "limits: {requests: 7}")
    done = pytester.runpytest_subprocess(
        *OPTIONS, PROFILE, str(profile), "-k", "media-type", "-rs", "-n", str(workers)
    )
    smoke_tests = 6 * max(workers, 1)
    (world,) = stub.control("GET", "/worlds").json()
    # A worker that gets few tests does not use its share.
    passed = done.parseoutcomes()["passed"]
    assert world["requests"] - smoke_tests == passed <= 7
    assert workers or passed == 7
    done.stdout.fnmatch_lines(["*not-arranged: the limit of * requests is reached*"])
