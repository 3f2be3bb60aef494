"""`clients-register init`: the profile that it writes, from options and from answers."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import call, environment
from support.limits import communicate

from clients_register.conformance.decision import ExitCode
from clients_register.conformance.init_profile import (
    QUESTIONS,
    collect_answers,
    main,
    render_profile,
)
from clients_register.conformance.profiles import load_profile
from clients_register.conformance.target import ProfileError, Target

LOCAL = "http://127.0.0.1:8080/api/v1"
ELSEWHERE = "https://staging.example.com/api/v1"


def written(directory: Path, **given: str) -> Target:
    """The target of the profile that is written for the `given` answers."""
    every = {question.name: given.get(question.name) for question in QUESTIONS}
    file = directory / "profile.yaml"
    file.write_text(render_profile(collect_answers(every, ask=False)), "utf-8")
    return load_profile(file, {"HOST": "staging.example.com", "ALL": ELSEWHERE})


def test_it_asks_five_questions() -> None:
    assert [each.option for each in QUESTIONS] == [
        *("--url", "--email-domain", "--application", "--company", "--hook")
    ]


def test_every_answer_is_in_the_profile(tmp_path: Path) -> None:
    target = written(
        tmp_path,
        url=ELSEWHERE,
        email_domain="tests.example.com",
        application='the "new" \\one',
        company="42",
        hook="https://tools.example.com/states",
    )
    assert target.name == "staging.example.com"
    assert target.base_url == ELSEWHERE
    assert target.email_domain == "tests.example.com"
    assert target.application == 'the "new" \\one'
    assert target.company == 42
    assert target.hook == "https://tools.example.com/states"


def test_of_a_server_on_this_machine_only_the_url_is_needed(tmp_path: Path) -> None:
    target = written(tmp_path, url=LOCAL)
    assert target.claims == ("core",)
    assert (target.application, target.company, target.hook) == ("planoauth", None, None)
    assert target.other_application is None
    assert target.limits.requests_per_second == 0


def test_a_server_elsewhere_is_asked_slowly(tmp_path: Path) -> None:
    assert written(tmp_path, url=ELSEWHERE, email_domain="a.test").limits.requests_per_second > 0


@pytest.mark.parametrize(
    ("url", "base"),
    [
        (f"{LOCAL}/", LOCAL),
        (f"{LOCAL}/clients/register", LOCAL),
        ("https://${HOST}/api/v1", ELSEWHERE),
        ("${ALL}", ELSEWHERE),
    ],
)
def test_the_url_is_taken_as_people_write_it(tmp_path: Path, url: str, base: str) -> None:
    assert written(tmp_path, url=url, email_domain="a.test").base_url == base


@pytest.mark.parametrize(
    ("option", "answer", "told"),
    [
        ("url", "staging.example.com", "--url: expected a URL such as"),
        ("url", "https://me:pw@staging.example.com", "--url: .* only a host and a path"),
        ("email_domain", "me@example.com", "--email-domain: expected a domain such as"),
        ("application", "", "--application: expected the name of an application, found none"),
        ("company", "Planomatic", "--company: expected the id of a company, .* 'Planomatic'"),
        ("hook", "nowhere", "--hook: expected a URL such as"),
    ],
)
def test_a_wrong_answer_is_refused(tmp_path: Path, option: str, answer: str, told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        written(tmp_path, **{"url": LOCAL, option: answer})


@pytest.mark.parametrize(
    ("given", "option"), [({}, "--url URL"), ({"url": ELSEWHERE}, "--email-domain DOMAIN")]
)
def test_without_a_terminal_a_missing_answer_is_named(
    tmp_path: Path, given: dict[str, str], option: str
) -> None:
    with pytest.raises(ProfileError, match=f"there is no terminal to ask at; add {option}"):
        written(tmp_path, **given)


def test_an_existing_file_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "profile.yaml"
    file.write_text("mine")
    assert main(["--url", LOCAL, "--output", str(file)]) == ExitCode.USAGE
    assert "expected a new file, found" in capsys.readouterr().err
    assert file.read_text() == "mine"


def test_a_folder_for_the_profile_is_created(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "profile.yaml"
    assert main(["--url", LOCAL, "--output", str(file)]) == ExitCode.SUCCESS
    assert load_profile(file).base_url == LOCAL


@pytest.mark.once
def test_it_suggests_commands_with_the_profile(tmp_path: Path) -> None:
    done = call("init", "--url", LOCAL, "--output", str(tmp_path / "my profile.yaml"))
    assert done.returncode == ExitCode.SUCCESS, done.stderr
    lines = [each for each in done.stdout.splitlines() if "clients-register" in each]
    smoke, plan, verify = (shlex.split(each)[1:] for each in lines)
    assert (smoke[0], plan[0], verify[0]) == ("smoke", "plan", "verify")
    assert smoke[1:] == plan[1:] == verify[1:3]
    planned = call(*plan)
    assert planned.returncode == ExitCode.SUCCESS, planned.stderr
    assert f"{LOCAL}/clients/register" in planned.stdout


def at_terminal(directory: Path, typed: str) -> tuple[int, str]:
    """Exit code and output of `init`, with `typed` at its terminal."""
    ours, theirs = os.openpty()
    # The terminal has no end of its own; ^D at the start of a line is one.
    os.write(ours, f"{typed}\x04".encode())
    with os.fdopen(theirs, "rb") as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "clients_register", "init"],
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=environment(),
            text=True,
        )
    shown, _ = communicate(process)
    os.close(ours)
    return process.returncode, shown


@pytest.mark.once
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_a_person_is_asked_and_asked_again(tmp_path: Path) -> None:
    code, shown = at_terminal(tmp_path, f"localhost\n{LOCAL}\n\n\nforty-two\n42\n\n")
    assert code == ExitCode.SUCCESS, shown
    assert "expected a URL such as" in shown
    assert "expected the id of a company, such as 42, found 'forty-two'" in shown
    assert "[planoauth]: " in shown
    target = load_profile(tmp_path / "profile.yaml")
    assert (target.base_url, target.company) == (LOCAL, 42)


@pytest.mark.once
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_nothing_is_written_if_the_answers_end(tmp_path: Path) -> None:
    code, shown = at_terminal(tmp_path, f"{LOCAL}\n")
    assert code == ExitCode.USAGE
    assert "expected an answer, found the end of the input" in shown
    assert not (tmp_path / "profile.yaml").exists()
