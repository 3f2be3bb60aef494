"""The wheel has one top-level package with everything below it, and works when installed."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from itertools import chain
from pathlib import Path
from zipfile import ZipFile

import httpx2
import pytest
from support.command import absent, environment, serving
from support.limits import LIMIT
from support.live import encoded, registration

from clients_register import __version__

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

# Not of the product, or made by tools: what a fresh checkout does not have, and the tests.
LEFT_OUT = ("__pycache__", ".*", "*.egg-info", "build", "dist", "node_modules", "tests", "venv")


def test_the_table_of_dependencies_lists_each_with_its_bounds() -> None:
    project = PROJECT["project"]
    required = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    table = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE)) == sorted(
        each.partition(";")[0] for each in required if not each.startswith("clients-register")
    )


def pip(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pip", *argv], check=False, capture_output=True, cwd=cwd, text=True
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tree, so that no files are left among the sources."""
    directory = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, directory / "tree", ignore=shutil.ignore_patterns(*LEFT_OUT))
    built = pip(
        *("wheel", "./tree", "--no-deps", "--retries", "1", "--wheel-dir", "wheels"), cwd=directory
    )
    no_backend = "No matching distribution found for setuptools" in built.stderr
    if no_backend:
        absent("the build backend cannot be downloaded here")
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = (directory / "wheels").iterdir()
    return path


def sources(tree: Path) -> Iterator[tuple[str, Path]]:
    """Each file of the packages in `tree`: its name in the wheel, and where it is.

    What is for the linter alone stays at home.
    """
    for package, folder in PROJECT["tool"]["setuptools"]["package-dir"].items():
        for path in (tree / folder).rglob("*"):
            for_linting = path.name == "ruff.toml"
            if path.is_file() and "__pycache__" not in path.parts and not for_linting:
                inner = path.relative_to(tree / folder)
                yield f"{package.replace('.', '/')}/{inner.as_posix()}", path


def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        text = archive.read(f"clients_register-{__version__}.dist-info/METADATA").decode()
    return Parser().parsestr(text)


def test_nothing_but_one_package_lands_in_an_environment(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}
    assert names == {"clients_register", f"clients_register-{__version__}.dist-info"}


def test_the_wheel_has_every_file_of_the_packages_as_it_is(wheel: Path) -> None:
    tree = wheel.parents[1] / "tree"
    expected = {name: path.read_bytes() for name, path in sources(tree)}
    with ZipFile(wheel) as archive:
        found = {
            name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name
        }
    assert sorted(found) == sorted(expected)
    assert found == expected


def test_every_folder_of_modules_is_a_package_of_the_wheel() -> None:
    packed = {path.parent for _, path in sources(ROOT)}
    folders = {
        path.parent
        for path in ROOT.glob("*/__init__.py")
        if not path.parent.name.startswith(".") and path.parent.name != "tests"
    }
    assert folders <= packed


def test_the_wheel_says_that_it_is_typed(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        assert "clients_register/py.typed" in archive.namelist()


def test_the_wheel_installs_the_command(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        entries = archive.read(f"clients_register-{__version__}.dist-info/entry_points.txt")
    assert "clients-register = clients_register.__main__:main" in entries.decode()


def test_the_wheel_carries_the_readme_and_the_licence(wheel: Path) -> None:
    found = metadata(wheel)
    assert found["Version"] == __version__ == PROJECT["project"]["version"]
    assert found["License-Expression"] == "MIT"
    assert found.get_payload() == (ROOT / "README.md").read_text("utf-8")
    with ZipFile(wheel) as archive:
        licence = archive.read(f"clients_register-{__version__}.dist-info/licenses/LICENSE")
    assert licence == (ROOT / "LICENSE").read_bytes()


def test_what_was_installed_from_the_wheel_serves_and_registers(
    wheel: Path, tmp_path: Path, email: str
) -> None:
    target, elsewhere = tmp_path / "target", tmp_path / "elsewhere"
    elsewhere.mkdir()
    installed = pip(
        *("install", "--no-deps", "--no-index", "--target", str(target), str(wheel)), cwd=elsewhere
    )
    assert installed.returncode == 0, installed.stderr
    env = {"PYTHONPATH": str(target)}

    # Not the checkout, which may be installed, too.
    script = "import clients_register.spec as spec; print(spec.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        cwd=elsewhere,
        env=environment(**env),
        text=True,
    )
    assert Path(found.stdout.strip()).is_relative_to(target)

    with serving(cwd=elsewhere, env=env) as process:
        answer = httpx2.post(
            process.url,
            content=encoded(registration(email)),
            headers={"Content-Type": "text/plain"},
            timeout=LIMIT,
        )
    assert answer.json()["status"] == "action-successful"
    assert (elsewhere / "clients-register.json").exists()
