"""The command `clients-register`: its subcommands, its complaints, and what it does in a pipe."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which

import pytest
import yaml
from support.command import COMMAND, call, environment, run

from clients_register import __version__, spec
from clients_register.__main__ import COMMANDS
from clients_register.spec.schemas import to_openapi_3_1

# Modules that take long to import, and that no help text needs.
HEAVY = ("connexion", "httpx2", "jsonschema", "starlette", "tinydb", "uvicorn", "yaml")

SCRIPT = Path(sys.executable).with_name("clients-register")
ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["help"]], ids=str)
def test_help_names_every_command(argv: list[str]) -> None:
    ended = call(*argv)
    assert (ended.returncode, ended.stderr) == (0, "")
    for name, (_, _, about) in COMMANDS.items():
        assert f"  {name:<13} {about}\n" in ended.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    ended = call(name, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"usage: clients-register {name} ")


def test_the_version_is_told() -> None:
    ended = call("--version")
    assert (ended.returncode, ended.stdout) == (0, f"clients-register {__version__}\n")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "no command given; expected one of: serve, health"),
        ([""], "no command given; expected one of: serve, health"),
        (["serv"], "unknown command 'serv'; did you mean serve?"),
        (["--serve"], "unknown command '--serve'; did you mean serve?"),
        (["x\ny"], r"unknown command 'x\ny'; expected one of: serve, health"),
    ],
    ids=str,
)
def test_an_unknown_command_is_one_line_and_exit_2(argv: list[str], told: str) -> None:
    ended = call(*argv)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"clients-register: {told}")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the script is not installed beside this Python")
@pytest.mark.parametrize("argv", [["--help"], ["serve", "--help"], ["nothing"]], ids=str)
def test_the_script_and_the_module_do_the_same(argv: list[str]) -> None:
    by_script = subprocess.run(
        [str(SCRIPT), *argv], check=False, capture_output=True, env=environment(), text=True
    )
    by_module = run(*argv)
    assert (by_script.returncode, by_script.stdout, by_script.stderr) == (
        *(by_module.returncode, by_module.stdout, by_module.stderr),
    )


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["--version"],
        ["serve", "--help"],
        ["health", "--help"],
        ["hash-password", "--help"],
        ["x"],
    ],
    ids=str,
)
def test_help_imports_nothing_heavy(argv: list[str]) -> None:
    script = (
        "import sys\n"
        "from clients_register.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, *argv],
        check=True,
        capture_output=True,
        env=environment(),
        text=True,
    )
    assert ended.stderr.splitlines()[-1] == "[]"


def test_a_mistake_in_a_setting_is_told_before_anything_heavy_is_imported() -> None:
    ended = run("serve", "--port", "x", env={"PYTHONVERBOSE": "1"})
    assert ended.returncode == 2
    assert "clients-register serve: --port: expected" in ended.stderr
    assert "import 'connexion'" not in ended.stderr


OPENAPI = spec.load("openapi")


def test_the_spec_is_printed_as_it_was_written() -> None:
    assert call("spec").stdout == spec.text("openapi")
    assert call("spec", "--control").stdout == spec.text("control")


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("argv", "load", "document"),
    [
        (["--format", "yaml"], yaml.safe_load, OPENAPI),
        (["--format", "json"], json.loads, OPENAPI),
        (["--openapi", "3.1"], yaml.safe_load, to_openapi_3_1(OPENAPI)),
        (["--openapi", "3.1", "--format", "json"], json.loads, to_openapi_3_1(OPENAPI)),
        (["--control", "--format", "json"], json.loads, spec.load("control")),
    ],
    ids=["3.0 as YAML", "3.0 as JSON", "3.1 as YAML", "3.1 as JSON", "control plane"],
)
def test_the_spec_is_the_same_document_in_every_format(
    argv: list[str], load: Callable[[str], object], document: object
) -> None:
    assert load(call("spec", *argv).stdout) == document


def test_a_printed_spec_repeats_itself_instead_of_using_anchors() -> None:
    printed = call("spec", "--openapi", "3.1").stdout
    assert not [
        token
        for token in yaml.scan(printed, Loader=yaml.SafeLoader)
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken)
    ]


@pytest.mark.parametrize("argv", [["--openapi", "3.2"], ["--format", "xml"], ["x"]], ids=str)
def test_a_spec_that_there_is_not_is_exit_2_with_a_usage_line(argv: list[str]) -> None:
    ended = call("spec", *argv)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("usage: clients-register spec ")


def test_what_is_printed_is_utf_8_whatever_the_locale() -> None:
    script = "from clients_register import output; output.use_utf8(); output.say('caf\\u00e9')"
    printed = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        env=environment(PYTHONIOENCODING="ascii"),
    ).stdout
    assert printed == "caf\u00e9".encode()


@ON_POSIX
@pytest.mark.parametrize(
    "argv", ["spec", "spec --format json", "--help", "serve --help", "list", "trace"]
)
def test_a_reader_who_has_gone_is_no_reason_for_a_fuss(argv: str) -> None:
    ended = subprocess.Popen(
        [*COMMAND, *argv.split()],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert ended.stdout is not None
    assert ended.stderr is not None
    ended.stdout.close()  # long before anything is written
    err = ended.stderr.read()
    ended.stderr.close()
    # As a shell says it of a program that SIGPIPE ended.
    assert ended.wait() == 141
    assert err == b""


@pytest.mark.skipif(which("head") is None or os.name != "posix", reason="needs head and a shell")
def test_head_gets_the_first_line() -> None:
    line = " ".join(f"'{word}'" for word in COMMAND) + " spec | head -1"
    ended = subprocess.run(
        line, check=True, shell=True, capture_output=True, env=environment(), text=True
    )
    assert ended.stdout == spec.text("openapi").splitlines(keepends=True)[0]
    assert ended.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize(
    ("argv", "unbuffered"),
    [("spec", ""), ("verify --help", ""), *((f"{name} --help", "1") for name in COMMANDS)],
)
def test_a_full_disk_is_one_line_and_exit_2(argv: str, unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, *argv.split()],
            check=False,
            env={**environment(), "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert "No space left on device" in ended.stderr


def test_a_command_without_any_output_to_write_to_ends_well() -> None:
    script = (
        "import sys; sys.stdout = None\n"
        "from clients_register.__main__ import main; sys.exit(main(['spec']))"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, env=environment())
    assert ended.returncode == 0


@ON_POSIX
def test_an_interrupted_command_ends_without_a_traceback(tmp_path: Path) -> None:
    # A module in the place of yaml, which the command imports: it interrupts.
    (tmp_path / "yaml.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGINT)\nraise RuntimeError('not interrupted')\n"
    )
    ended = run("spec", env={"PYTHONPATH": str(tmp_path)})
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
