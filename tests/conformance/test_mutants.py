"""The teeth of the suite: the table of mutants, and links from requirements to them."""

import os
import signal
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
from support.command import call
from support.hang import communicate, until
from support.process import COMMAND, children, environment

from clients_register.conformance import tracing
from clients_register.conformance.mutants.model import UnknownMutant, chosen, mutants, named

DOCUMENT = Path(__file__).parents[2] / "docs" / "tracing.md"


def test_there_are_enough_of_them_and_each_has_a_name() -> None:
    names = [mutant.name for mutant in mutants()]
    assert len(names) >= 60
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", sorted({mutant.module for mutant in mutants()}))
def test_the_table_and_the_functions_agree(module: str) -> None:
    code = import_module(f"clients_register.conformance.mutants.{module}")
    functions = {
        name.replace("_", "-")
        for name, each in vars(code).items()
        if callable(each) and each.__module__ == code.__name__ and not name.startswith("_")
    }
    assert functions == {mutant.name for mutant in mutants() if mutant.module == module}


@pytest.mark.smoke
@pytest.mark.parametrize("option", ["--jobs=0", "--jobs=-1", "--fuzz=0", "--fuzz=nan"])
def test_no_number_that_would_never_end_is_taken(option: str) -> None:
    done = call("mutants", option)
    assert (done.returncode, "expected a number" in done.stderr) == (2, True)


def test_an_unknown_one_is_told_with_a_hint() -> None:
    with pytest.raises(UnknownMutant, match="did you mean eight-days"):
        named("eigt-days")


def test_they_are_chosen_by_name_module_or_key() -> None:
    for pattern in ("eight-days", "sess*", "R-SESSION-AGE"):
        assert "eight-days" in {mutant.name for mutant in chosen(mutants(), [pattern])}


def test_no_requirement_is_without_case_and_mutant(tmp_path: Path) -> None:
    drawn = tmp_path / "tracing.md"
    done = call("trace", "--markdown", str(drawn))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "no gaps")
    assert drawn.read_text("utf-8") == DOCUMENT.read_text("utf-8")


def test_a_gap_is_told() -> None:
    requirements = {"R-NEW": {"testable": True}}
    assert list(tracing.gaps(requirements, [], [])) == [
        "R-NEW: no case proves it",
        "R-NEW: no mutant violates it",
    ]


def test_ctrl_c_ends_the_command_and_its_processes_and_prints_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "mutants", "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
        start_new_session=True,
    ) as process:
        # Each of its processes serves a mutant.
        until(lambda: len([*tmp_path.rglob("data.json")]) == 2)
        judging = children(process.pid)
        # A terminal interrupts the whole group of processes.
        os.killpg(process.pid, signal.SIGINT)
        out, err = communicate(process)
    assert (process.returncode, out, err) == (130, "", "")
    for each in judging:
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)
    assert list(tmp_path.iterdir()) == []
