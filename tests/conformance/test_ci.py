"""The recipes for CI: their YAML is sound, and what they run judges a server and keeps reports."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.command import environment, reserved_port
from support.limits import LIMIT, communicate

pytestmark = pytest.mark.once

CI = Path(__file__).parents[2] / "docs" / "ci"


def github() -> list[str]:
    """The scripts of the job's steps."""
    workflow = yaml.safe_load((CI / "github-actions.yml").read_text("utf-8"))
    # To YAML 1.1, which PyYAML reads, `on` is true.
    assert workflow[True] == ["push", "pull_request"]
    (job,) = workflow["jobs"].values()
    assert all(("run" in step) != ("uses" in step) for step in job["steps"])
    return [step["run"] for step in job["steps"] if "run" in step]


def gitlab() -> list[str]:
    (job,) = yaml.safe_load((CI / "gitlab-ci.yml").read_text("utf-8")).values()
    assert job["artifacts"]["reports"] == {"junit": "report.xml"}
    script: list[str] = job["script"]
    return script


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


@pytest.fixture
def group() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that lead groups, which are ended whole: a recipe leaves its server running."""
    leaders: list[subprocess.Popen[str]] = []
    yield leaders
    for each in leaders:
        with suppress(ProcessLookupError):
            os.killpg(each.pid, signal.SIGTERM)
        communicate(each)


@pytest.mark.skipif(sys.platform == "win32", reason="the recipes are for a POSIX shell")
@pytest.mark.parametrize("recipe", [github, gitlab])
def test_a_recipe_judges_the_server_that_it_starts(
    recipe: Any, tmp_path: Path, port: int, group: list[subprocess.Popen[str]]
) -> None:
    lines = [each for each in recipe() if "pip install" not in each]
    assert len(lines) == len(recipe()) - 1
    script = "\n".join(["set -e", *lines]).replace("4018", str(port))
    script = script.replace("/tmp/", f"{tmp_path}/")
    # A few cases show that it judges; how long a server takes to start is not for the test to say.
    script = script.replace("/api/v1", "/api/v1 --only 'route/*'")
    script = script.replace("--wait 30", f"--wait {LIMIT:.0f}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    summary = tmp_path / "summary.md"
    env = environment(PATH=path, RUNNER_TEMP=str(tmp_path), GITHUB_STEP_SUMMARY=str(summary))
    out = tmp_path / "out.txt"
    # Not a pipe: the server inherits it, and it would never end.
    with out.open("w") as written:
        leader = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=env,
            stdout=written,
            stderr=written,
            process_group=0,
            text=True,
        )
    group.append(leader)
    communicate(leader)
    assert leader.returncode == 0, out.read_text("utf-8")
    assert {"report.json", "report.html", "report.xml"} <= {
        each.name for each in tmp_path.iterdir()
    }
    assert recipe is gitlab or summary.read_text("utf-8").startswith("## ")
