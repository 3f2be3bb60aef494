"""`clients-register init`: writes the profile of a server, from five questions or from options.

The profile is the template (targets/template.yaml) with the answers filled in, so it also documents
what else can be set.
"""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from clients_register.argument_parser import ArgumentParser
from clients_register.conformance import cli
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.files import NotWritable, writable_file
from clients_register.conformance.target import (
    EXAMPLE_URL,
    TEST_DOMAIN,
    ProfileError,
    check_email_domain,
    check_url,
    documented_route,
    is_loopback,
)

DEFAULT_FILE = Path("profile.yaml")

DESCRIPTION = """\
Write a profile, which describes your server to the suite.

Asks five questions at a terminal; options answer them in advance. Sends nothing. ${NAME} in an
answer is replaced from the environment when the profile is used.
"""

EPILOG = f"""\
examples:
  clients-register init
  clients-register init --url {EXAMPLE_URL} --company 42
  clients-register init --url 'https://${{STAGING_HOST}}/api/v1' --email-domain tests.example.com

exit codes:
  0 written, 2 wrong usage, or a file that cannot be written
"""

Answers = Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """A question about a server, and the option that answers it.

    `default` is used for an empty answer; None means that an answer is needed. It may depend on
    earlier answers. `parse` returns the answer as it is written, and raises ProfileError.
    """

    name: str
    text: str
    metavar: str
    default: Callable[[Answers], str | None]
    parse: Callable[[str], str]

    @property
    def option(self) -> str:
        """The option that answers it."""
        return f"--{self.name.replace('_', '-')}"


def main(argv: list[str]) -> int:
    """`init`: writes a profile; returns the exit code."""
    parser = ArgumentParser(prog="clients-register init", description=DESCRIPTION, epilog=EPILOG)
    for question in QUESTIONS:
        parser.add_argument(question.option, metavar=question.metavar, help=question.text)
    parser.add_argument(
        "--output",
        type=writable_file,
        metavar="FILE",
        default=DEFAULT_FILE,
        help=f"the file to write, which must not exist yet (default: {DEFAULT_FILE})",
    )
    options = parser.parse_args(argv)
    return cli.run_command("init", lambda: _init(options))


def _init(options: argparse.Namespace) -> int:
    if options.output.exists():
        raise _exists(options.output)
    given = {each.name: getattr(options, each.name) for each in QUESTIONS}
    answers = collect_answers(given, ask=sys.stdin is not None and sys.stdin.isatty())
    try:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        with options.output.open("x", encoding="utf-8") as file:
            file.write(render_profile(answers))
    except FileExistsError:
        raise _exists(options.output) from None
    cli.print_text(_describe_next(options.output, has_hook=bool(answers["hook"])))
    return ExitCode.SUCCESS


def collect_answers(given: Mapping[str, str | None], *, ask: bool) -> dict[str, str]:
    """Returns the answer to each question, by name: as `given`, asked at the terminal, or default.

    Raises ProfileError if a given answer is wrong, or if one is needed and none may be asked for.
    """
    answers: dict[str, str] = {}
    for question in QUESTIONS:
        answer, default = given[question.name], question.default(answers)
        if answer is not None:
            try:
                answers[question.name] = question.parse(answer)
            except ProfileError as problem:
                raise ProfileError(f"{question.option}: {problem}") from None
        elif ask:
            answers[question.name] = _ask(question, default)
        elif default is not None:
            answers[question.name] = default
        else:
            raise ProfileError(
                f"{question.option}: expected an answer, found none, and there is no terminal to"
                f" ask at; add {question.option} {question.metavar}"
            )
    return answers


def _ask(question: Question, default: str | None) -> str:
    """Asks until the answer is usable. Raises ProfileError at the end of the input."""
    shown = "" if default is None else f" [{default or 'none'}]"
    while True:
        try:
            answer = input(f"{question.text}{shown}: ").strip()
        except EOFError:
            raise ProfileError("expected an answer, found the end of the input") from None
        if not answer and default is not None:
            return default
        try:
            return question.parse(answer)
        except ProfileError as problem:
            cli.print_error(f"  {problem}")


def render_profile(answers: Answers) -> str:
    """Returns the template with these answers."""
    url, hook = answers["url"], answers["hook"]
    lines = {
        "name: .*": f"name: {_quote(urlsplit(url).netloc or url)}",
        "base_url: .*": f"base_url: {_quote(url)}",
        "application: .*": f"application: {_quote(answers['application'])}",
        "other_application: .*": "other_application: null",
        "company: .*": f"company: {answers['company'] or 'null'}",
        "email_domain: .*": f"email_domain: {_quote(answers['email_domain'])}",
    }
    if hook:
        lines["# hook: .*"] = f"hook: {_quote(hook)}"
    if is_loopback(url):
        # The pace is for servers that other people use as well.
        lines["  (requests_per_second: .*)"] = r"  # \1"
        lines["  parallel: .*"] = "  parallel: 8"
    text = (files(__package__) / "targets" / "template.yaml").read_text("utf-8")
    for pattern, line in lines.items():
        text, count = re.subn(f"^{pattern}$", line, text, flags=re.MULTILINE)
        assert count == 1, f"template.yaml: expected one line {pattern}, found {count}"
    return text


def _quote(text: str) -> str:
    """Returns `text` as a string of YAML, for a replacement by `re`."""
    return json.dumps(text, ensure_ascii=False).replace("\\", r"\\")


def _exists(path: Path) -> NotWritable:
    return NotWritable(
        f"expected a new file, found {path}; name another with --output, or remove this one"
    )


def _describe_next(path: Path, *, has_hook: bool) -> str:
    claims = "It claims the core features; add those whose states the hook supports to `claims`.\n"
    profile = f"--profile {shlex.quote(str(path))}"
    return f"""\
{path} is written; its comments describe what else can be set.
{claims if has_hook else ""}
Next:

  clients-register smoke {profile}
      at most six requests that create nothing: is this the route?
  clients-register plan {profile}
      what would be sent; sends nothing
  clients-register verify {profile} --html report.html
      the verdict, and a report to open in a browser
"""


def _parse_url(text: str) -> str:
    if "${" not in text:
        check_url(text)
    return text.rstrip("/").removesuffix(documented_route())


def _parse_domain(text: str) -> str:
    if "${" not in text:
        check_email_domain(text)
    return text


def _parse_application(text: str) -> str:
    if not text:
        raise ProfileError("expected the name of an application, found none")
    return text


def _parse_company(text: str) -> str:
    if text and not re.fullmatch("0|[1-9][0-9]*", text):
        raise ProfileError(f"expected the id of a company, such as 42, found {text!r}")
    return text


def _parse_hook(text: str) -> str:
    if text and "${" not in text:
        check_url(text)
    return text


def _default_domain(answers: Answers) -> str | None:
    """Returns a domain that never receives mail, if the server is on this machine."""
    return TEST_DOMAIN if is_loopback(answers["url"]) else None


QUESTIONS = (
    Question(
        "url",
        f"Base URL of the server, to which {documented_route()} is appended",
        "URL",
        lambda _: None,
        _parse_url,
    ),
    Question(
        "email_domain",
        "Domain of yours for generated e-mail addresses; welcome mails go there",
        "DOMAIN",
        _default_domain,
        _parse_domain,
    ),
    Question(
        "application",
        "Name of an application that exists on the server",
        "NAME",
        lambda _: "planoauth",
        _parse_application,
    ),
    Question(
        "company",
        "Id of a company that exists on the server",
        "ID",
        lambda _: "",
        _parse_company,
    ),
    Question(
        "hook",
        "URL of a hook that brings the server into states, such as an expired session",
        "URL",
        lambda _: "",
        _parse_hook,
    ),
)
