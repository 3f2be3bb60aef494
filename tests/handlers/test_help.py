"""`clients-register serve --help`: what a person can learn from it."""

import re
from dataclasses import fields

import pytest

from clients_register.handlers.arguments import parse_settings
from clients_register.handlers.settings import GROUPS, Settings

NAMES = [each.name for each in fields(Settings)]
WITH_OPTION = sorted(set(NAMES) - {"mandrill_key"})


def variable(name: str) -> str:
    return f"CLIENTS_REGISTER_{name.upper()}"


@pytest.fixture
def help_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as caught:
        parse_settings(
            ["--help"], {"CLIENTS_REGISTER_PORT": "help comes whatever the variables say"}
        )
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_the_help_names_each_variable(name: str, help_text: str) -> None:
    assert re.search(rf"\b{variable(name)}\b", help_text)


@pytest.mark.parametrize("name", WITH_OPTION)
def test_the_help_names_each_option_with_its_default(name: str, help_text: str) -> None:
    default = getattr(Settings(), name)
    shown = "" if default in (None, False, "", ()) else f"default: {default}; "
    about = " ".join(help_text.partition(f"  --{name.replace('_', '-')}")[2].split())
    assert re.match(rf"[^\[]+\[{re.escape(shown)}{variable(name)}\]", about)


def test_the_help_is_in_groups_and_has_examples(help_text: str) -> None:
    headings = re.findall(r"^(\w[^:\n]*):$", help_text, re.MULTILINE)
    assert headings == ["options", *GROUPS, "variables", "examples", "exit codes"]
