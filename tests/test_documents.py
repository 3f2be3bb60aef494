"""The documents: their commands run in bash and can be pasted into zsh, their links lead somewhere.

A command is a line of a block of `sh`, or code within a sentence that begins with a program. It is
executed with the addresses of this test's servers, unless it changes the machine (INSTALLS) or the
checkout (WRITES), or takes minutes (GATES, BENCHES): of those, what they name is checked. Those of
containers are checked by tests/test_container.py.
"""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import OPTIONS, absent, environment, run_program, serving
from support.live import Live, LiveStub
from support.postgres import Server
from support.servers import Second

from clients_register.spec.readme import update_page
from clients_register.spec.statuses import load_statuses

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
FRONTEND = ROOT / "docs" / "frontend.md"
TESTING = ROOT / "docs" / "testing.md"
EXAMPLES = sorted(ROOT.glob("examples/*/README.md"))
PAGES = [
    *(
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        ROOT / "SECURITY.md",
        ROOT / "bench/README.md",
    ),
    *sorted(ROOT.glob("docs/**/*.md")),
    *EXAMPLES,
]
PROGRAMS = "clients-register|python|pytest|tox|npm|npx|curl|apt-get|node|docker"

INSTALLS = re.compile(r"(python -m )?pip install|npm .*(ci|install)|npx playwright|apt-get install")
GATES = re.compile(r"(python -m )?tox|pytest( -n auto)?( --\S.*)?$")
BENCHES = re.compile(r"python (bench/\w+\.py)")
SERVERS = re.compile(r"clients-register serve|PYTHONPATH=tests python -m teeth\.second")
CONTAINERS = re.compile(r"(POSTGRES_PASSWORD=\S+ )?docker ")
WRITES = re.compile(
    r"clients-register (list --write-lock|trace --markdown)|npm run"
    r"|python -m (playwright install|venv|clients_register\.conformance\.pairs)|\. \.venv"
)

# Options that shorten a command from minutes to seconds.
SHORTER = (
    (r"--requests 20000", "--requests 30 --layer parameters"),
    (r"(fuzz http://\S+)$", r"\1 --requests 30 --layer parameters"),
    (r"--seed 7 --layer sequences", "--seed 7 --layer sequences --requests 30"),
    (r"--seconds 300", "--seconds 300 --requests 30 --layer parameters"),
    (r"--fuzz$", "--fuzz 30 --only 'route/*'"),
    (r"(verify (http|--profile)\S+.* (--html report.html|--strict))$", r"\1 --only 'route/*'"),
    (r"-n 4", "-n 1 -k route"),
    # Mentioned as such.
    (
        r"^(clients-register (verify|fuzz|init|plan|smoke|report|health|hash-password))$",
        r"\1 --help",
    ),
)

# An error of the stub is one of its reader's; only a forced status is meant.
CHECKED_CURL = (r"curl (?!.*Prefer)", "curl --fail ")

PROFILE = """
profile: 1
name: staging
base_url: {base}
claims: [core]
email_domain: conformance.test
"""

# An option of the command; arguments in capitals are for the reader to replace.
PLACEHOLDER = re.compile(r"(?<![-/\w])[A-Z]{2,}\b(?! http)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    return [str(each) for each in found]


def block(page: Path, language: str, containing: str) -> str:
    (found,) = (each for each in blocks(page, language) if containing in each)
    return found


def split(script: str) -> list[str]:
    """The commands of a block; a line that ends with a backslash, a pipe or && goes on."""
    joined = re.sub(r"(\\|\|)\n\s*", lambda found: "| " if found[1] == "|" else "", script)
    return [each.strip() for line in joined.splitlines() for each in line.split(" && ") if each]


def inline(page: Path) -> list[str]:
    """The commands within sentences and tables, without those with something to fill in."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    spans = re.findall(rf"`((?:{PROGRAMS}) [^`]+)`", text)
    commands = (" ".join(each.split()) for each in spans)
    return [each for each in commands if not PLACEHOLDER.search(each) and "--help" not in each]


def commands(page: Path) -> list[str]:
    in_blocks = [each for script in blocks(page, "sh") for each in split(script)]
    return [*in_blocks, *inline(page)]


def executable(page: Path) -> list[str]:
    others = (INSTALLS, GATES, BENCHES, SERVERS, WRITES, CONTAINERS)
    return [each for each in commands(page) if not any(kind.match(each) for kind in others)]


def shortened(command: str) -> str:
    for pattern, replacement in (*SHORTER, CHECKED_CURL):
        command = re.sub(pattern, replacement, command)
    return command


def of_kind(kind: re.Pattern[str]) -> list[str]:
    return sorted({each for page in PAGES for each in commands(page) if kind.match(each)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory like the checkout, in which commands may write."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for entry in ROOT.iterdir():
        if entry.is_dir() and not entry.name.startswith("."):
            (copy / entry.name).symlink_to(entry)
        elif entry.suffix in (".md", ".toml", ".ini"):
            shutil.copy(entry, copy)
    return copy


# Those of the examples are executed by tests/examples.
@pytest.mark.once
@pytest.mark.parametrize(
    "page", [each for each in PAGES if executable(each) and each not in EXAMPLES], ids=name_of
)
def test_its_commands_succeed(page: Path, folder: Path, stub: LiveStub, second: Second) -> None:
    if page == TESTING:
        # Its commands read a mail, and what the tests of a whole job have met.
        for status in load_statuses():
            stub.send(b"", prefer=f"example={status.slug}")
        stub.registered("ada@example.test")
    base = f"{stub.origin}/api/v1"
    (folder / "staging.yaml").write_text(PROFILE.format(base=base), "utf-8")
    addresses = {
        "http://127.0.0.1:4018": stub.origin,
        "http://127.0.0.1:4019": f"http://127.0.0.1:{second.port}",
    }
    script = "\n".join(map(shortened, executable(page)))
    for shown, real in addresses.items():
        script = script.replace(shown, real)
    done = run_program(
        *("bash", "-euxo", "pipefail", "-c", script),
        cwd=folder,
        env=environment(
            PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            PYTEST_ADDOPTS=" ".join(OPTIONS),
        ),
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", [each for each in PAGES if commands(each)], ids=name_of)
def test_its_commands_can_be_pasted_into_zsh(page: Path, tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        absent("zsh is not installed: run `apt-get install zsh`")
    # At a prompt, zsh takes a comment for arguments and ? for a pattern. Instead of a program, a
    # function is called after all expansions.
    words = {each for command in commands(page) for each in re.findall(r"[a-z][\w-]*", command)}
    programs = {*PROGRAMS.split("|"), "printf", "base64"} & words
    stand_in = "{ for each in \"$@\"; do [[ $each == '#' ]] && print COMMENT; done; cat }"
    functions = [f"{program}() {stand_in}" for program in sorted(programs)]
    script = "\n".join(
        ["PS1= PS2=", *functions, *(f"{each} </dev/null" for each in lines_of(page))]
    )
    done = subprocess.run(
        ["zsh", "-f", "-i"],
        input=f"{script}\nprint THE END\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        check=False,
    )
    assert "THE END" in done.stdout
    assert "COMMENT" not in done.stdout
    complaints = r"no matches found|bad pattern|parse error|not found|event|bad substitution"
    assert re.findall(rf"zsh: .*(?:{complaints}).*", done.stderr) == []


def lines_of(page: Path) -> Iterator[str]:
    for command in commands(page):
        # A program that reads standard input is the last one of its pipe.
        yield re.sub(r"\|\s*$", "| cat", command)


@pytest.mark.parametrize("command", of_kind(INSTALLS))
def test_what_a_command_installs_exists(command: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    gate = (ROOT / ".ci" / "run").read_text("utf-8")
    for extra in re.findall(r"\.\[(\w+)\]|clients-register\[(\w+)\]", command):
        assert "".join(extra) in project["optional-dependencies"]
    for prefix in re.findall(r"npm --prefix (\S+)", command):
        assert (ROOT / prefix / "package.json").is_file()
    if command.startswith("apt-get"):
        assert all(package in gate for package in command.split()[2:])


@pytest.mark.parametrize("command", of_kind(GATES))
def test_a_command_of_the_gate_is_known(command: str, pytestconfig: pytest.Config) -> None:
    if "tox" in command:
        settings = configparser.ConfigParser()
        settings.read(ROOT / "tox.ini")
        environments = re.findall(r"-e (\w+)", command)
        assert all(f"testenv:{each}" in settings for each in environments)
    else:
        for option in re.findall(r"--[\w-]+", command):
            pytestconfig.getoption(option)


@pytest.mark.parametrize("command", of_kind(BENCHES))
def test_a_benchmark_is_there(command: str) -> None:
    found = BENCHES.match(command)
    assert found is not None
    compile((ROOT / found[1]).read_text("utf-8"), found[1], "exec")


@pytest.mark.once
@pytest.mark.parametrize("command", of_kind(SERVERS))
def test_a_server_starts(command: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if "teeth.second" in command:
        request.getfixturevalue("second")
        return
    options = re.sub(r"<.*|#.*", "", command).split()[2:]
    env = {}
    if "--workers" in options:
        database: Server = request.getfixturevalue("postgres")
        env = {"CLIENTS_REGISTER_STORE": database.url(database.made())}
    with serving(*options, cwd=tmp_path, env=env) as process:
        assert "listening" in process.banner


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.M)
    }
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:", link):
            continue
        assert not path or (page.parent / path).exists(), f"{link} does not exist"
        assert path or anchor in headings, f"{link} is no heading"


def test_the_table_of_statuses_is_that_of_the_spec() -> None:
    page = README.read_text("utf-8")
    assert update_page(page) == page, "run: python -m clients_register.spec.readme README.md"


@pytest.mark.parametrize("page", ["", "no marks"])
def test_a_page_without_the_marks_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="expected the marks"):
        update_page(page)


def test_the_first_response_is_as_shown(stub: LiveStub) -> None:
    line = block(README, "sh", "Prefer").replace("http://127.0.0.1:4018", stub.origin)
    done = run_program("bash", "-c", line, env=environment())
    shown = block(README, "http", "mock-forced").splitlines()
    head, _, body = done.stdout.partition("\n\n")
    assert head.splitlines()[0] == shown[0]
    assert json.loads(body) == json.loads(shown[-1])
    assert {each for each in shown[1:] if ": " in each} <= set(head.splitlines())


def test_a_registration_is_as_shown(live: Live) -> None:
    line = block(FRONTEND, "sh", "base64 | curl").replace("http://127.0.0.1:4018", live.origin)
    done = run_program("bash", "-c", line, env=environment())
    shown: dict[str, Any] = json.loads(block(FRONTEND, "json", "action-successful"))
    answered = json.loads(done.stdout)
    assert answered["session"].pop("token") != shown["session"].pop("token")
    assert answered == shown
