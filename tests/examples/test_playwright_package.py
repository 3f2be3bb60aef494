"""The npm package of examples/playwright-package, packed and used in a project of its own."""

import base64
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from support.command import absent, environment, run_program
from support.limits import LIMIT
from support.live import LiveStub

PACKAGE = Path(__file__).parents[2] / "examples" / "playwright-package"

CONFIG = f"""\
import {{ defineConfig }} from "@playwright/test";

export default defineConfig({{ reporter: "json", timeout: {round(LIMIT * 1000)} }});
"""

PREAMBLE = """\
import { expect, test } from "clients-register-playwright";

const ada = { application: "planoauth", client: { email: "a@b.test", password: "correct horse" } };
"""

# Tests that fail at the line with `// here`: title -> body, parts of the message, and a part of the
# attached request log.
FAILURES = {
    "unused": (
        """await clientsRegister.force("invalid-token", { fault: "reset" }); // here""",
        ["no request used 2 of 2 forced responses: invalid-token, reset", "intercept(page)"],
        "no requests",
    ),
    "partly unused": (
        """await clientsRegister.force("invalid-token", { delay: 1 }); // here
        await clientsRegister.register(ada);""",
        ["no request used 1 of 2 forced responses: a delay", "force()"],
        "401 invalid-token: The script of this world forced this status",
    ),
    "refused": (
        """await clientsRegister.advanceClock("a week"); // here""",
        ["ControlError: ", "/clock: advance: expected"],
        "no requests",
    ),
    "another mail": (
        """await clientsRegister.register(ada);
        await expect(clientsRegister).toHaveMailed("a@b.test", { subject: /bye/ }); // here""",
        ["expected a mail to a@b.test, subject /bye/", "received: subject Welcome"],
        "200 action-successful: All rules passed",
    ),
    "a mail too many": (
        """await clientsRegister.register(ada);
        await expect(clientsRegister).not.toHaveMailed("a@b.test"); // here""",
        ["expected no mail to a@b.test", "received: subject Welcome"],
        "200 action-successful",
    ),
    "no mail": (
        """await expect(clientsRegister).toHaveMailed("a@b.test", {}, { timeout: 1 }); // here""",
        ["expected a mail to a@b.test", "received: no mail"],
        "no requests",
    ),
    "unused and failed": (
        """await clientsRegister.force("invalid-token");
        expect(1).toBe(2); // here""",
        ["toBe"],
        "no requests",
    ),
}

# A test with a stub of its own.
STARTED = f"""\
{PREAMBLE}
test.use({{ clientsRegisterOptions: {{ serve: ["--base-path", "/v2"] }} }});

test("started", async ({{ clientsRegister }}) => {{
  expect(clientsRegister.base).toMatch(/\\/_world\\/started-[0-9a-f]{{8}}\\/v2$/);
  await clientsRegister.force("action-successful");
  expect((await clientsRegister.register(ada)).status).toBe("action-successful");
}});
"""

# Options of a stub that cannot be used -> parts of the message.
UNUSABLE = {
    '{ command: ["no-such-command"] }': [
        "StubError: expected the command no-such-command, found none",
        '"uvx", "clients-register"',
    ],
    '{ serve: ["--spellnig", "x"] }': [
        "StubError: the stub did not start: ",
        "did you mean --spelling?",
    ],
    '{ url: "http://127.0.0.1:1/api/v1" }': [
        "StubError: expected a stub at http://127.0.0.1:1/api/v1, found none",
        "clients-register serve",
    ],
    '{ url: "localhost" }': ["StubError: expected a stub at localhost, found no URL"],
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that has installed the package from its tarball."""
    if not (PACKAGE / "node_modules" / ".bin" / "tsc").exists():
        absent(f"the package's own packages are not there: npm --prefix {PACKAGE} ci")
    left_out = shutil.ignore_patterns("node_modules", "dist", "generated", "test-results", "*.yaml")
    source = shutil.copytree(PACKAGE, tmp_path / "source", ignore=left_out)
    (source / "node_modules").symlink_to(PACKAGE / "node_modules")
    packed = run_program("npm", "pack", "--json", "--silent", cwd=source, env=with_command())
    assert packed.returncode == 0, packed.stdout + packed.stderr
    modules = tmp_path / "project" / "node_modules"
    (tarball,) = source.glob("*.tgz")
    with tarfile.open(tarball) as archive:
        archive.extractall(modules, filter="data")
    (modules / "package").rename(modules / "clients-register-playwright")
    for name in ("@playwright", "playwright"):
        (modules / name).symlink_to(PACKAGE / "node_modules" / name)
    (modules.parent / "playwright.config.ts").write_text(CONFIG, "utf-8")
    return modules.parent


def with_command(**more: str) -> dict[str, str]:
    """An environment in which `clients-register` is the one under test."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return environment(PATH=path, npm_config_update_notifier="false", NO_COLOR="1", **more)


def run_tests(project: Path) -> dict[str, Any]:
    """Runs the tests of `project`; returns the result of each, by its title."""
    program = "node_modules/@playwright/test/cli.js"
    done = run_program("node", program, "test", cwd=project, env=with_command())
    report = json.loads(done.stdout)
    assert not report["errors"], report["errors"]
    specs = [spec for suite in report["suites"] for spec in suite["specs"]]
    return {spec["title"]: spec["tests"][0]["results"][0] for spec in specs}


def add_failures(project: Path, stub: LiveStub) -> dict[str, int]:
    """Adds the tests of `FAILURES`, on a running stub; returns at which line each has to fail."""
    options = json.dumps({"url": f"{stub.origin}/api/v1"})
    lines = [*PREAMBLE.splitlines(), f"test.use({{ clientsRegisterOptions: {options} }});"]
    failing = {}
    for title, (body, *_) in FAILURES.items():
        lines += [f'test("{title}", async ({{ clientsRegister }}) => {{', *body.splitlines(), "});"]
        failing[title] = max(number for number, line in enumerate(lines, 1) if "// here" in line)
    (project / "failures.spec.ts").write_text("\n".join(lines), "utf-8")
    return failing


def add_unusable(project: Path) -> None:
    """Adds a test for each of `UNUSABLE`, which has the options as its title."""
    for number, options in enumerate(UNUSABLE):
        (project / f"unusable{number}.spec.ts").write_text(
            f"{PREAMBLE}\ntest.use({{ clientsRegisterOptions: {options} }});\n"
            f"test({options!r}, async ({{ clientsRegister }}) => {{}});",
            "utf-8",
        )


# Both in one run, because packing and starting take seconds.
def test_the_packed_package_starts_a_stub_and_says_where_and_why_a_test_failed(
    project: Path, shared_stub: LiveStub
) -> None:
    (project / "started.spec.ts").write_text(STARTED, "utf-8")
    failing = add_failures(project, shared_stub)
    add_unusable(project)
    results = run_tests(project)
    assert results.keys() == {"started", *FAILURES, *UNUSABLE}
    assert results["started"]["errors"] == []
    for title, (_, parts, logged) in FAILURES.items():
        assert_error(results[title], parts)
        assert results[title]["errors"][0]["location"]["line"] == failing[title], title
        (log,) = results[title]["attachments"]
        assert logged in base64.b64decode(log["body"]).decode(), title
    for options, parts in UNUSABLE.items():
        assert_error(results[options], parts)


def assert_error(result: Any, parts: list[str]) -> None:
    """Asserts that the test has one error, whose message has these parts."""
    (error,) = result["errors"]
    assert [part for part in parts if part not in error["message"]] == [], error["message"]
