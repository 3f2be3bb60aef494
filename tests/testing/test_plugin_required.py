"""Statuses that a run of tests must have met, as test authors ask for them."""

import pytest
from support.command import ONE_SUCCESS, Run
from support.live import LiveStub

pytestmark = pytest.mark.once

pytest_plugins = ["pytester"]


def test_required_statuses_that_were_met_let_the_run_pass(authors_on_stub: Run) -> None:
    done = authors_on_stub(ONE_SUCCESS, "--clients-register-require", "action-successful")
    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines("*met 1 of the 1 required*")


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "workers"])
def test_a_required_status_that_was_not_met_fails_the_run_by_name(
    authors: Run, workers: list[str]
) -> None:
    done = authors(
        ONE_SUCCESS
        + """
    def test_taken(clients_register):
        clients_register.force("email-already-registerd")
        assert status(clients_register) == "email-already-registerd"
    """,
        "--clients-register-require=action-successful,email-already-registered,invalid-token",
        *workers,
    )
    done.assert_outcomes(passed=2)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["*met 2 of the 3 required*", "never met: invalid-token"])
    done.stdout.no_fnmatch_line("never met: email*")


def test_what_others_met_on_a_running_stub_does_not_count(
    authors_here: Run, stub: LiveStub
) -> None:
    stub.sent({}, headers={"Prefer": "example=invalid-token"})
    done = authors_here(
        ONE_SUCCESS,
        "--clients-register-require=invalid-token",
        f"--clients-register-url={stub.origin}",
    )
    done.stdout.fnmatch_lines("never met: invalid-token")


def test_a_run_that_never_used_the_stub_met_nothing(authors_here: Run) -> None:
    done = authors_here("    def test_nothing(): pass", "--clients-register-require", "common")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["never met: action-successful", "no test used the fixtures *"])


def test_requiring_an_unknown_status_is_refused_before_any_test(authors_here: Run) -> None:
    done = authors_here(ONE_SUCCESS, "--clients-register-require", "invalid-tokn")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines("*--clients-register-require: *'invalid-tokn'*invalid-token*")
