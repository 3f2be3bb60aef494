"""The wheel has one top-level package with everything below it, and works when installed."""

import os
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from itertools import chain
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from support.command import absent, copy_sources, environment, run_program, serving
from support.live import register_at

from clients_register import __version__

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


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


def release_step(name: str) -> str:
    """The script of a step in the workflow that publishes a release."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
    (script,) = (
        step["run"]
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if step.get("name") == name
    )
    return str(script)


def run_step(
    name: str, cwd: Path, programs: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return run_program(
        *("bash", "-eo", "pipefail", "-c", release_step(name)),
        cwd=cwd,
        env=environment(PATH=path, **variables),
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a release, built from its source archive, in a copy of the tree."""
    directory = tmp_path_factory.mktemp("wheel")
    tree = copy_sources(directory / "tree")
    venv.create(directory / "venv", with_pip=True)
    built = run_step("Build", tree, directory / "venv" / "bin")
    if "No matching distribution found" in built.stdout + built.stderr:
        absent("the build backend cannot be downloaded here")
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = (tree / "dist").glob("*.whl")
    return path


@pytest.mark.parametrize(("tag", "code"), [(f"v{__version__}", 0), ("v9.9.9", 1), ("main", 1)])
def test_only_the_tag_of_the_version_is_released(tag: str, code: int) -> None:
    done = run_step(
        "Check that the tag is the version", ROOT, Path(sys.executable).parent, GITHUB_REF_NAME=tag
    )
    assert done.returncode == code
    assert code == 0 or f"expected the tag v{__version__}" in done.stderr


def test_publishing_needs_the_tests_and_has_no_permission_but_its_own() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
    assert workflow["permissions"] == {}
    jobs = workflow["jobs"]
    assert jobs["build"]["needs"] == "test"
    assert jobs["publish"]["needs"] == "build"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}


def test_the_versions_of_python_are_the_same_everywhere() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
    classifiers = [each.rpartition(" ")[2] for each in PROJECT["project"]["classifiers"]]
    versions = [each for each in classifiers if re.fullmatch(r"3\.\d+", each)]
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == versions
    tox = (ROOT / "tox.ini").read_text("utf-8")
    assert all(f"python{each}" in tox for each in versions)
    assert PROJECT["project"]["requires-python"] == f">={versions[0]}"


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
    tree = wheel.parents[1]
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
        assert register_at(process.url, email)["status"] == "action-successful"
    assert (elsewhere / "clients-register.json").exists()
