"""Two linters of the npm world find nothing wrong with either edition of the document."""

import json
import subprocess
from collections.abc import Callable, Container
from pathlib import Path

import pytest
import yaml
from support.external import NPM, tool

from clients_register import spec
from clients_register.spec.edition import edition_3_1

EDITIONS = ("3.0", "3.1")

# Severities as redocly and as spectral write them.
ALL = ("error", "warn", 0, 1, 2, 3)
ERRORS = ("error", 0)

Lint = Callable[..., list[str]]


@pytest.fixture(params=EDITIONS)
def document(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file with one edition of the document."""
    file = tmp_path / "openapi.yaml"
    if request.param == "3.0":
        file.write_text(spec.text("openapi"), "utf-8")
    else:
        newer = edition_3_1(spec.load("openapi"))
        file.write_text(yaml.safe_dump(newer, sort_keys=False, allow_unicode=True), "utf-8")
    return file


def broken(document: Path) -> Path:
    """A copy of the document with one fault, to see that a linter would tell."""
    contents = yaml.safe_load(document.read_text("utf-8"))
    contents["info"].pop("version")
    faulty = document.with_name("faulty.yaml")
    faulty.write_text(yaml.safe_dump(contents, sort_keys=False), "utf-8")
    return faulty


def redocly(document: Path, severities: Container[object] = ALL) -> list[str]:
    command = [*tool("redocly"), "lint", "--config", str(NPM / "redocly.yaml"), "--format", "json"]
    done = subprocess.run([*command, str(document)], capture_output=True, text=True, check=False)
    problems = json.loads(done.stdout)["problems"]
    return [each["message"] for each in problems if each["severity"] in severities]


def spectral(document: Path, severities: Container[object] = ALL) -> list[str]:
    command = [*tool("spectral"), "lint", "--ruleset", str(NPM / "spectral.yaml"), "-f", "json"]
    out = document.with_suffix(".json")
    subprocess.run([*command, "-o", str(out), str(document)], capture_output=True, check=False)
    problems = json.loads(out.read_text("utf-8"))
    return [each["message"] for each in problems if each["severity"] in severities]


@pytest.mark.parametrize("lint", [redocly, spectral])
def test_the_document_is_clean_and_a_broken_one_is_not(document: Path, lint: Lint) -> None:
    assert lint(document) == []
    assert lint(broken(document)) != []


@pytest.mark.parametrize("lint", [redocly, spectral])
def test_the_control_planes_document_has_no_errors_and_a_broken_one_has(
    tmp_path: Path, lint: Lint
) -> None:
    file = tmp_path / "control.yaml"
    file.write_text(spec.text("control"), "utf-8")
    assert lint(file, ERRORS) == []
    assert lint(broken(file), ERRORS) != []
