"""The suite detects every planted fault, and mutation testing itself works."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import pytest
from support.command import children, environment, run_program
from support.limits import communicate, until
from teeth.__main__ import main
from teeth.judging import failed_cases
from teeth.mutants import NONE, UnknownMutant, choose, find_mutant, load_mutants
from teeth.planting import forget, planted

from clients_register import handlers, spec
from clients_register.conformance.case import load_cases

# (module, attribute, key or attribute of the class) -> value
State = dict[tuple[str, ...], object]


def server_state() -> State:
    """Every attribute of the server's modules and classes, and every entry of its tables."""
    state: State = {}
    for module in _modules():
        for name, value in vars(module).items():
            state[module.__name__, name] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                for attribute, each in vars(value).items():
                    # Python sets the one when a subclass of a protocol is first instantiated, and
                    # msgspec the other when it first decodes the class.
                    if each is not object.__init__ and attribute != "__msgspec_cache__":
                        state[module.__name__, name, attribute] = each
            elif isinstance(value, dict) and not name.startswith("__"):
                for key, each in value.items():
                    state[module.__name__, name, repr(key)] = each
    return state


def changed(before: State, after: State) -> list[str]:
    """The names of what is not the identical object any more, is new or is gone."""
    return sorted(
        ".".join(name)
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name] is not after[name]
    )


def _modules() -> list[ModuleType]:
    prefix = f"{handlers.__name__}."
    return [import_module(each.name) for each in walk_packages(handlers.__path__, prefix)]


TESTS = Path(__file__).parents[1]
COMMAND = (sys.executable, "-m", "teeth")
REQUIREMENTS: dict[str, Any] = spec.load("requirements")["requirements"]
QUESTIONS: dict[str, Any] = spec.load("questions")["questions"]
MUTANTS = load_mutants()


@pytest.fixture
def restored() -> Iterator[None]:
    """Checks that the test leaves every part of the server identical."""
    before = server_state()
    yield
    assert changed(before, server_state()) == []


def test_names_are_unique() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) >= 100
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", sorted({mutant.module for mutant in MUTANTS}))
def test_the_table_and_the_functions_agree(module: str) -> None:
    code = import_module(f"teeth.faults.{module}")
    functions = {
        name.replace("_", "-")
        for name, value in vars(code).items()
        if callable(value) and value.__module__ == code.__name__ and not name.startswith("_")
    }
    assert functions == {mutant.name for mutant in MUTANTS if mutant.module == module}


def test_every_testable_requirement_has_a_mutant_that_violates_it() -> None:
    testable = {key for key, requirement in REQUIREMENTS.items() if requirement["testable"]}
    assert testable - {key for mutant in MUTANTS for key in mutant.requires} == set()


def test_a_mutant_violates_only_requirements_and_questions_that_exist() -> None:
    violated = {key for mutant in MUTANTS for key in mutant.requires}
    assert violated - {*REQUIREMENTS, *QUESTIONS} == set()


def test_an_unknown_name_is_refused_with_a_hint() -> None:
    with pytest.raises(UnknownMutant, match="did you mean eight-days"):
        find_mutant("eigt-days")


@pytest.mark.parametrize("pattern", ["eight-days", "sess*", "R-SESSION-AGE"])
def test_mutants_are_chosen_by_name_module_or_key(pattern: str) -> None:
    assert "eight-days" in {mutant.name for mutant in choose(MUTANTS, [pattern])}


def test_each_mutant_leaves_the_server_as_it_was() -> None:
    before = server_state()
    for mutant in MUTANTS:
        with planted(mutant.plant):
            pass
        assert changed(before, server_state()) == [], mutant.name


@pytest.mark.once
@pytest.mark.no_cover
async def test_the_correct_server_passes_after_all_mutants(restored: None) -> None:
    for mutant in MUTANTS:
        with planted(mutant.plant):
            pass
    assert await failed_cases(NONE, load_cases()) == []


def test_only_one_mutant_at_a_time_is_planted() -> None:
    with (
        planted(lambda: None),
        pytest.raises(RuntimeError, match="already planted"),
        planted(lambda: None),
    ):
        raise AssertionError


def test_a_fault_is_planted_only_inside_the_context(restored: None) -> None:
    with pytest.raises(RuntimeError, match="inside `planted`"):
        forget("email_is_free")


@pytest.mark.parametrize("option", ["--jobs=0", "--jobs=-1", "--fuzz=0", "--fuzz=nan"])
def test_a_number_that_would_never_end_is_refused(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([option])
    assert "expected a number" in capsys.readouterr().err


def test_a_pattern_that_matches_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--only", "unheard-of"])
    assert "no mutant matches --only unheard-of" in capsys.readouterr().err


@pytest.mark.once
def test_the_suite_detects_every_planted_fault() -> None:
    done = run_program(*COMMAND, "--jobs", "2", "--first", env=environment(PYTHONPATH=str(TESTS)))
    *rows, summary = done.stdout.splitlines()
    assert [row for row in rows if not row.startswith("killed")] == []
    count = len(MUTANTS)
    assert summary.startswith(f"{count} of {count} mutants killed; the correct server passes ")
    assert done.returncode == 0, done.stderr


@pytest.mark.once
def test_ctrl_c_ends_the_command_and_its_processes_and_prints_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(tmp_path), PYTHONPATH=str(TESTS)),
        start_new_session=True,
    ) as process:
        # Each judging process serves a mutant.
        until(lambda: len([*tmp_path.rglob("data.json")]) == 2)
        judging = children(process.pid)
        # A terminal interrupts the whole process group.
        os.killpg(process.pid, signal.SIGINT)
        out, err = communicate(process)
    assert (process.returncode, out, err) == (130, "", "")
    for pid in judging:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert list(tmp_path.iterdir()) == []
