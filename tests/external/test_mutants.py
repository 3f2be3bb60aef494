"""Every mutant fails a case that claims what it violates, and leaves the server as it was."""

from collections.abc import Iterator

import pytest
from support.command import call
from support.server_state import changed, server_state

from clients_register.conformance import library
from clients_register.conformance.mutants.judging import failing
from clients_register.conformance.mutants.model import NONE, Mutant, cases_about, mutants
from clients_register.conformance.mutants.planting import forget, planted


@pytest.fixture
def restored() -> Iterator[None]:
    """Sees to it that the test leaves every part of the server identical."""
    before = server_state()
    yield
    assert changed(before, server_state()) == []


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
async def test_a_mutant_is_killed_by_a_case_about_it(mutant: Mutant, restored: None) -> None:
    assert await failing(mutant.name, cases_about(mutant, library.shipped())) != []


@pytest.mark.smoke
async def test_the_right_server_passes_after_all_mutants(restored: None) -> None:
    for mutant in mutants():
        with planted(mutant.plant):
            pass
    cases = library.shipped()
    assert await failing(NONE, cases) == []


def test_one_mutant_at_a_time_is_planted() -> None:
    with (
        planted(lambda: None),
        pytest.raises(RuntimeError, match="already planted"),
        planted(lambda: None),
    ):
        raise AssertionError


def test_a_fault_is_planted_in_a_context_alone(restored: None) -> None:
    with pytest.raises(RuntimeError, match="inside `planted`"):
        forget("email_is_free")


@pytest.mark.measured
def test_the_command_prints_a_table() -> None:
    done = call("mutants", "--only", "eight-days", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    row, summary = done.stdout.splitlines()
    assert row.startswith("killed  eight-days")
    assert summary.startswith("1 of 1 mutants killed; the right server passes ")


def test_a_choice_that_fits_nothing_is_no_success() -> None:
    assert call("mutants", "--only", "unheard-of").returncode != 0
