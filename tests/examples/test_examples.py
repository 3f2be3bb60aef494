"""Each folder of examples/ does what its README says, against a real stub on a free port."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.command import OPTIONS, absent, environment, run_program
from support.limits import LIMIT
from support.live import LiveStub

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))

# Commands that install something: .ci/run and the extras of the tests have done that already.
INSTALLS = ("npm ci", "python -m pip install")

# A command with a test of its own, because its program cannot be installed everywhere.
CYPRESS = "npx cypress run"


def installed(folder: str, program: str) -> tuple[str, Callable[[], object], str]:
    """Requires that an npm program of `folder` is installed."""
    path = EXAMPLES / folder / "node_modules" / ".bin" / program
    return "node_modules", path.exists, f"npm --prefix examples/{folder} ci"


# Requirements of a folder's commands -> whether they are met, and how to meet them.
NEEDS: dict[str, list[tuple[str, Callable[[], object], str]]] = {
    "cypress": [installed("cypress", "cypress")],
    "encoder": [("node", lambda: shutil.which("node"), "Node 18 or later")],
    "fetch": [("node", lambda: shutil.which("node"), "Node 18 or later")],
    "msw": [installed("msw", "msw")],
    "playwright": [
        ("playwright", lambda: find_spec("playwright"), "python -m pip install playwright"),
        ("chromium", lambda: shutil.which("chromium"), "such as apt-get install chromium"),
    ],
    "playwright-package": [
        installed("playwright-package", "playwright"),
        ("chromium", lambda: shutil.which("chromium"), "such as apt-get install chromium"),
    ],
    "typescript": [
        ("npm", lambda: shutil.which("npm"), "it comes with Node"),
        installed("typescript", "tsc"),
    ],
}


def commands(folder: str) -> list[str]:
    """The lines of the README's shell blocks that are not left out."""
    page = (EXAMPLES / folder / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if not line.startswith((*INSTALLS, CYPRESS))]


def check_needs(folder: str) -> None:
    """Skips by name where something is absent; in CI, which must have it, that is a failure."""
    for name, found, source in NEEDS[folder]:
        if not found():
            absent(f"{name} is not there: {source}")


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy, so that no files appear among the sources, and no settings of other folders apply."""
    left_out = shutil.ignore_patterns(
        "node_modules", "build", "dist", "generated", "schema.d.ts", "__pycache__", ".*"
    )
    copy = shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=left_out)
    for modules in EXAMPLES.glob("*/node_modules"):
        (copy / modules.parent.name / "node_modules").symlink_to(modules)
    wait_longer(copy)
    return copy


def wait_longer(examples: Path) -> None:
    """Has Playwright wait for a page as long as all tests do, and not for its usual few seconds."""
    limit = round(LIMIT * 1000)
    conftest = examples / "playwright" / "conftest.py"
    more = f"from playwright.sync_api import expect\n\nexpect.set_options(timeout={limit})\n"
    conftest.write_text(f"{conftest.read_text('utf-8')}\n{more}", "utf-8")
    config = examples / "playwright-package" / "playwright.config.ts"
    head, begun, rest = config.read_text("utf-8").partition("({\n")
    assert begun
    limits = f"timeout: {limit}, expect: {{ timeout: {limit} }},\n"
    config.write_text(f"{head}{begun}  {limits}{rest}", "utf-8")


def test_every_folder_is_tested() -> None:
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == FOLDERS
    assert sorted(NEEDS) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_commands_of_an_example_succeed(folder: str, examples: Path, stub: LiveStub) -> None:
    check_needs(folder)
    told = commands(folder)
    assert told
    done = run_in(examples / folder, "\n".join(told), stub)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_specs_of_cypress_pass(examples: Path, stub: LiveStub) -> None:
    check_needs("cypress")
    if run_in(examples / "cypress", "npx cypress verify", stub).returncode:
        pytest.skip("Cypress's program is not there: npx --prefix examples/cypress cypress install")
    done = run_in(examples / "cypress", CYPRESS, stub)
    assert done.returncode == 0, done.stdout + done.stderr


def run_in(folder: Path, script: str, stub: LiveStub) -> subprocess.CompletedProcess[str]:
    """Runs a shell script, for which `python` and `clients-register` are those of this test."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return run_program(
        *("bash", "-euxc", script),
        cwd=folder,
        env=environment(
            PATH=path,
            STUB_URL=stub.origin,
            PYTEST_ADDOPTS=" ".join(OPTIONS),
            npm_config_update_notifier="false",
        ),
    )


def test_a_lock_file_of_an_example_names_no_registry() -> None:
    locks = list(EXAMPLES.glob("*/package-lock.json"))
    assert locks
    for lock in locks:
        assert '"resolved"' not in lock.read_text("utf-8"), f"strip `resolved` from {lock}"
