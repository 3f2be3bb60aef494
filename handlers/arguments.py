"""Parses the settings from the command line and the environment.

An option overrides the variable, which overrides the default. The variable of `--max-body` is
CLIENTS_REGISTER_MAX_BODY; an empty variable counts as not set.
"""

import argparse
import difflib
import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Never

from clients_register.argument_parser import ArgumentParser
from clients_register.handlers.options import hides_secret, is_loopback
from clients_register.handlers.settings import (
    GROUPS,
    RESERVED_PATHS,
    STUB,
    Settings,
    setting_options,
)

log = logging.getLogger(__name__)

PREFIX = "CLIENTS_REGISTER_"
PROGRAM = "clients-register serve"

# Variables that Kubernetes sets in each container for a Service whose name begins with
# `clients-register`, and the values of those named ..._PORT.
_SERVICE_LINK = re.compile(
    PREFIX + r"(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)?)"
)
_PORT_NUMBER = re.compile(r"_SERVICE_PORT$|_PORT_\d+_[A-Z]+_PORT$")
_LINK = re.compile(r"(tcp|udp|sctp)://.*")

# Settings of which only one can apply, and why.
EXCLUSIVE = (
    ("store", "data", "there is one place for data"),
    ("memory", "data", "there is one place for data"),
    ("memory", "store", "there is one place for data"),
    ("memory", "fresh", "memory is empty at each start"),
    ("fresh", "store", "only a data file can be emptied"),
)

EPILOG = f"""\
variables:
  Each option can also be set by the environment variable in brackets, which
  the option overrides. As a variable, a switch is yes or no. Secrets belong in
  variables, because command lines are visible to every user of a machine:
  --control-token and a --store with a password cause a warning, and one setting
  has no option:
  {PREFIX}MANDRILL_KEY   key of the Mandrill API

examples:
  {PROGRAM}
      to try out and test with: on port 4018 of this machine only
  {PROGRAM} --port 0 --data /tmp/clients.json
      on a free port, which is printed, with another data file
  {PROGRAM} --fresh
      the same data at each start, whatever was registered before
  {PROGRAM} --memory
      without files, as in a container whose disk is read-only
  {PROGRAM} --seed company.yaml
      with your own applications, companies and users
  {PROGRAM} --upstream https://staging.example.com
      as the whole API of a frontend: other paths are forwarded
  {PREFIX}STORE=postgresql://USER:PASSWORD@HOST/DATABASE {PROGRAM} --reference
      the plain reference, with its data in a PostgreSQL database
  {PREFIX}STORE=... {PROGRAM} --reference --workers 4
      the same with four processes
  {PREFIX}MANDRILL_KEY=... {PROGRAM} --reference \\
      --mail mandrill --mail-from welcome@example.com
      the plain reference, sending its mails

exit codes:
  0 stopped by SIGINT or SIGTERM, 1 cannot listen or cannot use the data,
  2 an option or a variable cannot be used
"""


class SettingError(ValueError):
    """An option or a variable is invalid; the message says which, what was expected and found."""


def parse_settings(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Parses command-line arguments and environment variables.

    Raises SettingError. Prints help and raises SystemExit if `argv` asks for it.
    """
    values = _parse_options(argv)
    _warn_of_visible_secrets(values)
    values |= _parse_variables(environ, without=values)
    settings = Settings(**values)
    if settings.reference:
        _check_reference(settings)
    else:
        _check_stub(settings)
    _check_place_of_data(settings)
    if settings.workers > 1:
        _check_workers(settings)
    if settings.stop_on_eof and os.name != "posix":
        raise SettingError(
            "--stop-on-eof: expected a POSIX system, where standard input can be watched, found"
            f" {os.name}; leave it out, or {variable_of('stop_on_eof')}"
        )
    exposed = not settings.reference and not is_loopback(settings.host)
    if exposed and not settings.control_token:
        raise SettingError(
            f"--host {settings.host}: expected a --control-token, since others can reach the stub's"
            " control plane there, found none; or run the plain --reference"
        )
    if settings.mail == "mandrill" and not settings.mandrill_key:
        raise SettingError(
            "--mail mandrill: expected the API key in the variable"
            f" {variable_of('mandrill_key')}, found none"
        )
    return settings


def _warn_of_visible_secrets(options: Mapping[str, Any]) -> None:
    """Logs a warning for each secret that was given as an option, which others can see."""
    database = options.get("store")
    secrets = {
        "control_token": options.get("control_token"),
        "store": None if database is None else database.password,
    }
    for name, secret in secrets.items():
        if secret:
            log.warning(
                "%s: expected its secret in the variable %s, found it on the command line, which is"
                " visible to every user of this machine; set the variable instead",
                _flag(name),
                variable_of(name),
            )


def _check_stub(settings: Settings) -> None:
    """Raises SettingError for settings that the stub does not support."""
    base_path = f"{settings.base_path}/"
    reserved = next((each for each in RESERVED_PATHS if base_path.startswith(f"{each}/")), None)
    if reserved is not None:
        raise SettingError(
            f"--base-path {settings.base_path}: expected a path outside {reserved}, which is the"
            " stub's own, found one in it; choose another, or run the plain --reference"
        )
    if settings.store is not None:
        raise SettingError(
            f"--store {settings.store}: expected --reference with it, since the stub keeps its data"
            f" in a file, found none; add --reference, or leave --store and {variable_of('store')}"
            " out and name the file with --data"
        )
    if settings.passthrough and not settings.upstream:
        raise SettingError(
            "--passthrough: expected an --upstream with it, to which the route is forwarded, found"
            f" none; name it, or leave --passthrough and {variable_of('passthrough')} out"
        )
    if settings.workers > 1:
        raise SettingError(
            f"--workers {settings.workers}: expected --reference with it, since the stub is one"
            " process, found none; add --reference and a --store, or leave --workers and"
            f" {variable_of('workers')} out"
        )


def _check_reference(settings: Settings) -> None:
    """Raises SettingError if a setting was given that is for the stub only."""
    defaults = {each.name: each.default for each in fields(Settings)}
    for name, option in setting_options().items():
        if option.group == STUB and getattr(settings, name) != defaults[name]:
            raise SettingError(
                f"{_flag(name)}: expected no --reference with it, since it is a setting of the"
                f" stub, found both; leave one of them out, or its variable, {variable_of(name)} or"
                f" {variable_of('reference')}"
            )


def _check_place_of_data(settings: Settings) -> None:
    """Raises SettingError for two settings of which only one can apply."""
    for name, other, reason in EXCLUSIVE:
        value, found = getattr(settings, name), getattr(settings, other)
        if value and found:
            given = _flag(name) if value is True else f"{_flag(name)} {value}"
            raise SettingError(
                f"{given}: expected no {_flag(other)}, since {reason}, found"
                f" {'both' if found is True else found}; leave one of them out, or its variable,"
                f" {variable_of(other)} or {variable_of(name)}"
            )


def _check_workers(settings: Settings) -> None:
    """Raises SettingError if `settings` do not allow for several workers."""
    several = f"--workers {settings.workers}"
    if not hasattr(os, "fork"):
        raise SettingError(f"{several}: expected 1, since this system cannot fork processes")
    if settings.store is None:
        raise SettingError(
            f"{several}: expected a --store, since a data file is for one process, found"
            f" none; name a PostgreSQL database with --store or {variable_of('store')}, or leave"
            " --workers out"
        )


def variable_of(name: str) -> str:
    """Returns the name of the environment variable of a setting."""
    return PREFIX + name.upper()


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parse_options(argv: Sequence[str]) -> dict[str, Any]:
    given, unknown = _build_parser().parse_known_args(argv)
    if unknown:
        # Only its name: the value of a misspelt option may be a secret.
        name = unknown[0].partition("=")[0]
        kind = "option" if name.startswith("-") else "argument"
        flags = [_flag(known) for known, option in setting_options().items() if not option.secret]
        raise SettingError(f"unknown {kind} {name}{_hint(name, flags)}")
    return {
        name: _parse_value(name, text, _flag(name)) if isinstance(text, str) else text
        for name, text in vars(given).items()
        if text is not None
    }


def _parse_variables(environ: Mapping[str, str], without: Iterable[str]) -> dict[str, Any]:
    names = {variable_of(name): name for name in setting_options()}
    values: dict[str, Any] = {}
    own = {variable for variable in environ if variable.startswith(PREFIX)}
    links = {each for each in own if _is_service_link(each, environ[each])}
    if links:
        log.warning(
            "ignored %s, which Kubernetes sets for a Service; enableServiceLinks: false in the pod"
            " keeps them out",
            ", ".join(sorted(links)),
        )
    for variable in sorted(own - links):
        if variable not in names:
            raise SettingError(f"unknown variable {variable}{_hint(variable, names)}")
        name, text = names[variable], environ[variable]
        if text and name not in without:
            values[name] = _parse_value(name, text, variable)
    return values


def _is_service_link(variable: str, value: str) -> bool:
    if _SERVICE_LINK.fullmatch(variable) is None:
        return False
    # These could be settings, or be meant as such.
    is_port = variable.endswith("_PORT") and not _PORT_NUMBER.search(variable)
    return not is_port or _LINK.fullmatch(value) is not None


def _parse_value(name: str, text: str, source: str) -> Any:
    option = setting_options()[name]
    try:
        return option.parse(text)
    except ValueError as error:
        is_private = option.private or hides_secret(text)
        found = "something else" if is_private else repr(text)
        raise SettingError(f"{source}: expected {error}, found {found}") from None


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f" ({PROGRAM} --help lists all options)"


class _Parser(ArgumentParser):
    def error(self, message: str) -> Never:
        raise SettingError(f"{message} ({PROGRAM} --help lists all options)")


def _build_parser() -> _Parser:
    parser = _Parser(
        prog=PROGRAM,
        usage="%(prog)s [OPTION ...]",
        description="Serve POST /api/v1/clients/register over HTTP, by the rules of the spec.",
        epilog=EPILOG,
    )
    groups = {name: parser.add_argument_group(name) for name in GROUPS}
    defaults = {each.name: each.default for each in fields(Settings)}
    for name, option in setting_options().items():
        if option.secret:
            continue
        default = "" if defaults[name] in (None, False, "", ()) else f"default: {defaults[name]}; "
        shape: dict[str, Any] = {"help": f"{option.help} [{default}{variable_of(name)}]"}
        if option.metavar:
            shape["metavar"] = option.metavar
        else:
            shape["action"] = argparse.BooleanOptionalAction
        groups[option.group].add_argument(_flag(name), default=None, **shape)
    return parser
