"""docs/hook.md lists the states that cases need, and the values that the hook gives for each."""

import re
from pathlib import Path

import pytest
from support.servers import Second

from clients_register.conformance.case import load_cases

TEXT = (Path(__file__).parents[2] / "docs" / "hook.md").read_text("utf-8")
ROWS = {
    state: re.findall("`([a-z.]+)`", gives)
    for state, gives in re.findall(r"^\| `([a-z-]+)` \| [^|`]+ \|([^|]*)\|$", TEXT, re.MULTILINE)
}


def test_every_state_of_a_case_is_listed() -> None:
    needed = {state for case in load_cases() for state in case.arrange}
    assert set(ROWS) == needed - {"stub"}


@pytest.mark.parametrize("state", ROWS)
def test_the_hook_gives_the_values_listed_for_a_state(second: Second, state: str) -> None:
    assert sorted(second.arrange(state)) == sorted(ROWS[state])
