"""Every mutant meets the cases that claim what it violates, and none survives."""

import subprocess

from support.process import COMMAND, environment
from support.process import run as run_command


def test_every_mutant_is_killed_and_the_right_server_passes() -> None:
    done = subprocess.run(
        [*COMMAND, "mutants"],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env=environment(),
    )
    survivors = [line for line in done.stdout.splitlines() if line.startswith("SURVIVED")]
    assert survivors == []
    assert done.returncode == 0, done.stderr


def test_a_choice_that_fits_nothing_is_no_success() -> None:
    assert run_command("mutants", "--only", "unheard-of").returncode != 0
