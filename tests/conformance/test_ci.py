"""CI in any repository: the steps of the action and the template, executed in an empty folder."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.command import absent, copy_sources, environment
from support.limits import communicate
from support.live import LiveStub
from support.servers import Second
from support.suite import crashing

from clients_register import __version__
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.init_profile import main as init

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform == "win32", reason="the steps are for a POSIX shell"),
]

ROOT = Path(__file__).parents[2]
CI = ROOT / "docs" / "ci"
REPORTS = {"report.json", "report.html", "report.xml"}

# A few cases show that the server is judged.
FEW = "--only=route/*"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout of the action, which has no files of tools."""
    return copy_sources(tmp_path_factory.mktemp("action") / "checkout")


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty folder; the servers of a test keep their data next to it."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@dataclass
class Done:
    """The exit code, the output and the variables of a finished step."""

    code: int
    shown: str
    outputs: Mapping[str, str]


class ActionRunner:
    """Runs the scripts of action.yml, with the inputs and variables that GitHub would set."""

    def __init__(self, checkout: Path, temp: Path) -> None:
        self.action = load(checkout / "action.yml")
        self.temp = temp
        self.summary = temp / "summary.md"
        self._checkout = checkout

    def run(self, name: str, workspace: Path, **given: str) -> Done:
        """Runs one step in `workspace`, with these inputs and the default of the others."""
        (step,) = (each for each in self.action["runs"]["steps"] if each.get("name") == name)
        assert step["shell"] == "bash"
        outputs = self.temp / "outputs.txt"
        outputs.write_text("")
        env = {key: self._evaluate(str(text), given) for key, text in step["env"].items()}
        leader = subprocess.Popen(
            # As GitHub starts `shell: bash`.
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=workspace,
            env=environment(
                PATH=os.environ["PATH"],
                RUNNER_TEMP=str(self.temp),
                GITHUB_ACTION_PATH=str(self._checkout),
                GITHUB_OUTPUT=str(outputs),
                GITHUB_STEP_SUMMARY=str(self.summary),
                **env,
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        shown, _ = communicate(leader)
        lines = (each.partition("=") for each in outputs.read_text().splitlines())
        return Done(leader.returncode, shown, {key: value for key, _, value in lines})

    def _evaluate(self, text: str, given: Mapping[str, str]) -> str:
        """Evaluates the expressions in `text`, of the few kinds that action.yml uses."""
        known: dict[str, str] = {
            "runner.temp": str(self.temp),
            "steps.python.outputs.python-path": sys.executable,
            **{
                f"inputs.{name}": given.get(name, each["default"])
                for name, each in self.action["inputs"].items()
            },
        }
        assert given.keys() <= self.action["inputs"].keys()

        def value_of(found: re.Match[str]) -> str:
            choice = re.fullmatch(r"(\S+) && '(.*)' \|\| ''", found[1])
            if choice:
                return choice[2] if known[choice[1]] else ""
            return known[found[1]]

        return re.sub(r"\$\{\{ (.*?) \}\}", value_of, text)


@pytest.fixture(scope="module")
def runner(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> ActionRunner:
    """A runner on which the suite is installed, by the step of the action."""
    runner = ActionRunner(checkout, tmp_path_factory.mktemp("runner"))
    installed = runner.run("Install the suite", tmp_path_factory.mktemp("empty"))
    skip_without_packages(installed.shown)
    assert installed.code == 0, installed.shown
    return runner


def skip_without_packages(shown: str) -> None:
    if "No matching distribution found" in shown:
        absent("packages cannot be downloaded here")


def test_the_action_judges_a_server_from_an_empty_folder(
    runner: ActionRunner, empty: Path, stub: LiveStub
) -> None:
    done = runner.run("Judge the server", empty, url=f"{stub.origin}/api/v1", options=FEW)
    assert done.code == ExitCode.SUCCESS, done.shown
    assert done.outputs["exit-code"] == "0"
    assert {each.name for each in Path(done.outputs["reports"]).iterdir()} == REPORTS
    assert runner.summary.read_text("utf-8").startswith("## ")
    assert [*empty.iterdir()] == []


def test_the_action_fails_with_its_reports_if_the_contract_is_violated(
    runner: ActionRunner, tmp_path: Path
) -> None:
    with crashing(html=True) as url:
        done = runner.run("Judge the server", tmp_path, url=url, options="--only=base64/*")
    assert done.code == ExitCode.VIOLATION, done.shown
    assert done.outputs["exit-code"] == "1"
    assert {each.name for each in Path(done.outputs["reports"]).iterdir()} == REPORTS
    assert "violate" in runner.summary.read_text("utf-8")


def test_the_action_judges_by_the_profile_that_init_writes(
    runner: ActionRunner, tmp_path: Path, second: Second
) -> None:
    base = f"http://127.0.0.1:{second.port}/api/v1"
    assert init(["--url", base, "--output", str(tmp_path / "profile.yaml")]) == 0
    done = runner.run(
        "Judge the server", tmp_path, profile="profile.yaml", options=f"{FEW}\n--only=base64/*\n"
    )
    assert done.code == ExitCode.SUCCESS, done.shown
    assert base.removeprefix("http://").removesuffix("/api/v1") in done.shown


def test_the_action_passes_every_input_on(runner: ActionRunner, tmp_path: Path) -> None:
    # What verify says about each shows that it has arrived.
    told = {
        "fuzz": "none",
        "wait": "never",
        "options": "--no-such-option",
    }
    for name, value in told.items():
        done = runner.run("Judge the server", tmp_path, url="http://127.0.0.1:9", **{name: value})
        assert done.code == ExitCode.USAGE
        assert value in done.shown
    both = runner.run("Judge the server", tmp_path, url="http://127.0.0.1:9", profile="a.yaml")
    assert "expected a URL or a --profile FILE, and not both" in both.shown


def test_the_action_uploads_its_reports_even_if_it_fails(runner: ActionRunner) -> None:
    upload = runner.action["runs"]["steps"][-1]
    assert upload["uses"].startswith("actions/upload-artifact@")
    assert "always()" in upload["if"]
    assert upload["with"]["path"] == "${{ runner.temp }}/register-conformance"


def test_no_script_contains_an_expression(runner: ActionRunner) -> None:
    # The text of an input would be executed.
    scripts = [each.get("run", "") for each in runner.action["runs"]["steps"]]
    assert not any("${{" in each for each in scripts)


def test_the_workflow_uses_the_action_with_inputs_that_it_has() -> None:
    workflow = load(CI / "github-actions.yml")
    # To YAML 1.1, which PyYAML reads, `on` is true.
    assert workflow[True] == ["push", "pull_request"]
    (job,) = workflow["jobs"].values()
    (step,) = (each for each in job["steps"] if "clients-register@" in each.get("uses", ""))
    assert step["with"].keys() <= load(ROOT / "action.yml")["inputs"].keys()


def gitlab_job() -> Mapping[str, Any]:
    (job,) = load(CI / "gitlab-ci.yml").values()
    return dict(job)


def test_the_gitlab_template_judges_a_server_from_an_empty_folder(
    checkout: Path, tmp_path: Path, stub: LiveStub
) -> None:
    job = gitlab_job()
    variables = {
        **job["variables"],
        "CONFORMANCE_PACKAGE": str(checkout),
        "CONFORMANCE_TARGET": f"{stub.origin}/api/v1 {FEW}",
    }
    leader = subprocess.Popen(
        ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])],
        cwd=tmp_path,
        env=environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    shown, _ = communicate(leader)
    skip_without_packages(shown)
    assert leader.returncode == ExitCode.SUCCESS, shown
    kept = {*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()}
    assert kept == REPORTS
    assert kept <= {each.name for each in tmp_path.iterdir()}


def test_the_gitlab_template_shows_how_to_include_it() -> None:
    text = (CI / "gitlab-ci.yml").read_text("utf-8")
    example = yaml.safe_load("\n".join(re.findall(r"^#   (.*)$", text, re.MULTILINE)))
    (included,) = example["include"]
    assert (ROOT / included["file"]).samefile(CI / "gitlab-ci.yml")
    job = example["register-conformance"]
    assert job["extends"] in load(CI / "gitlab-ci.yml")
    assert job["variables"].keys() <= gitlab_job()["variables"].keys()


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_recipes_name_this_version(name: str) -> None:
    found = re.findall(r"(?:@v|ref: v|==)(\d+\.\d+\.\d+)", (CI / name).read_text("utf-8"))
    assert {*found} == {__version__}
