"""From the command line and the environment to settings.

An option wins over the variable, the variable over the default. The name of the variable is
CLIENTS_REGISTER_ and the option in capitals: `--max-body` is CLIENTS_REGISTER_MAX_BODY. A variable
that is set to nothing counts as not set.
"""

import argparse
import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Never

from clients_register.handlers.options import is_loopback
from clients_register.handlers.settings import GROUPS, Settings, written

PREFIX = "CLIENTS_REGISTER_"
PROGRAM = "clients-register serve"

EPILOG = f"""\
variables:
  Each option is also the environment variable in brackets; an option wins over
  its variable. As a variable, a switch is yes or no. One is a variable only,
  because command lines can be read by every user of a machine:
  {PREFIX}MANDRILL_KEY   the key of the Mandrill API

examples:
  {PROGRAM}
      for trying out and testing: on port 4018 of this machine only
  {PROGRAM} --port 0 --data /tmp/clients.json
      on a free port, which is printed, with a data file elsewhere
  {PROGRAM} --seed company.yaml
      with applications, companies and people of your own
  {PREFIX}STORE=postgresql://USER:PASSWORD@HOST/DATABASE {PROGRAM} --reference
      the plain reference, with all data in a PostgreSQL database
  {PREFIX}STORE=... {PROGRAM} --reference --workers 4
      with four processes that answer as one
  {PREFIX}MANDRILL_KEY=... {PROGRAM} --reference \\
      --mail mandrill --mail-from welcome@example.com
      the plain reference, which sends its mails

exit codes:
  0 stopped by SIGINT or SIGTERM, 1 cannot listen or cannot use the data,
  2 an option or a variable cannot be used
"""


class SettingError(ValueError):
    """An option or a variable cannot be used; the message says which, expected and found."""


def read(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """The settings that `argv` and `environ` ask for.

    Raises SettingError. Prints help and raises SystemExit where `argv` asks for it.
    """
    values = _from_options(argv)
    values |= _from_variables(environ, without=values)
    settings = Settings(**values)
    _check_stub_is_alone(settings)
    if settings.data is not None and settings.store is not None:
        raise SettingError(
            f"--store {settings.store}: expected no --data beside it, since the data is kept in one"
            f" place, found {settings.data}; leave one of them out, or the variable of it,"
            f" {_variable('data')} or {_variable('store')}"
        )
    if settings.workers > 1:
        _check_workers(settings)
    exposed = not settings.reference and not is_loopback(settings.host)
    if exposed and not settings.control_token:
        raise SettingError(
            f"--host {settings.host}: expected a --control-token beside it, since others can reach"
            " the stub's control plane there, found none; or be the plain --reference"
        )
    if settings.mail == "mandrill" and not settings.mandrill_key:
        raise SettingError(
            "--mail mandrill: expected the key of the API in the variable"
            f" {_variable('mandrill_key')}, found none"
        )
    return settings


def _check_stub_is_alone(settings: Settings) -> None:
    """Raises SettingError if the stub is asked to share its state, which one process holds."""
    if settings.reference:
        return
    if settings.store is not None:
        raise SettingError(
            f"--store {settings.store}: expected --reference with it, since the stub keeps its data"
            f" in a file, found none; add --reference, or leave --store and {_variable('store')}"
            " out and name the file with --data"
        )
    if settings.workers > 1:
        raise SettingError(
            f"--workers {settings.workers}: expected --reference with it, since the stub is one"
            " process, found none; add --reference and a --store, or leave --workers and"
            f" {_variable('workers')} out"
        )


def _check_workers(settings: Settings) -> None:
    """Raises SettingError where several processes cannot serve by `settings`."""
    several = f"--workers {settings.workers}"
    if not hasattr(os, "fork"):
        raise SettingError(f"{several}: expected 1, since this system cannot fork processes")
    if settings.store is None:
        raise SettingError(
            f"{several}: expected a --store beside it, since a data file is for one process, found"
            f" none; name a PostgreSQL database with --store or {_variable('store')}, or leave"
            " --workers out"
        )


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _from_options(argv: Sequence[str]) -> dict[str, Any]:
    given, strange = _parser().parse_known_args(argv)
    if strange:
        # Only the name: the value of a mistyped option may be a secret.
        name = strange[0].partition("=")[0]
        kind = "option" if name.startswith("-") else "argument"
        flags = [_flag(known) for known, option in written().items() if not option.secret]
        raise SettingError(f"unknown {kind} {name}{_hint(name, flags)}")
    return {
        name: _value(name, text, _flag(name)) if isinstance(text, str) else text
        for name, text in vars(given).items()
        if text is not None
    }


def _from_variables(environ: Mapping[str, str], without: Iterable[str]) -> dict[str, Any]:
    names = {_variable(name): name for name in written()}
    values: dict[str, Any] = {}
    for variable in sorted(variable for variable in environ if variable.startswith(PREFIX)):
        if variable not in names:
            raise SettingError(f"unknown variable {variable}{_hint(variable, names)}")
        name, text = names[variable], environ[variable]
        if text and name not in without:
            values[name] = _value(name, text, variable)
    return values


def _value(name: str, text: str, source: str) -> Any:
    option = written()[name]
    try:
        return option.read(text)
    except ValueError as error:
        found = "something else" if option.private else repr(text)
        raise SettingError(f"{source}: expected {error}, found {found}") from None


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f" ({PROGRAM} --help lists what there is)"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Never:
        raise SettingError(f"{message} ({PROGRAM} --help lists what there is)")


def _parser() -> _Parser:
    parser = _Parser(
        prog=PROGRAM,
        usage="%(prog)s [OPTION ...]",
        description="Answer POST /api/v1/clients/register over HTTP, by the rules of the spec.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    groups = {name: parser.add_argument_group(name) for name in GROUPS}
    defaults = {each.name: each.default for each in fields(Settings)}
    for name, option in written().items():
        if option.secret:
            continue
        default = "" if defaults[name] in (None, False, "", ()) else f"default: {defaults[name]}; "
        shape: dict[str, Any] = {"help": f"{option.about} [{default}{_variable(name)}]"}
        if option.metavar:
            shape["metavar"] = option.metavar
        else:
            shape["action"] = argparse.BooleanOptionalAction
        groups[option.group].add_argument(_flag(name), default=None, **shape)
    return parser
