"""The settings of a server: each one an option of `serve` and an environment variable.

An option wins over the variable, the variable over the default. The name of the variable is
CLIENTS_REGISTER_ and the option in capitals: `--max-body` is CLIENTS_REGISTER_MAX_BODY.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Never, cast

from clients_register.spec.catalogue import catalogue

PREFIX = "CLIENTS_REGISTER_"
PROGRAM = "clients-register serve"


class SettingError(ValueError):
    """An option or a variable cannot be used; the message says which, expected and found."""


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if re.fullmatch(r"\d{1,12}", text) is None or not lowest <= int(text) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    if re.fullmatch(r"\d{1,4}(\.\d{1,3})?", text) is None or float(text) == 0:
        raise ValueError("a number of seconds above 0, such as 2.5")
    return float(text)


def _base_path(text: str) -> str:
    if re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", text.rstrip("/")) is None:
        raise ValueError("a path such as /api/v1, or / for none")
    return text.rstrip("/")


def _yes_or_no(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in words:
        raise ValueError(f"one of {', '.join(words)}")
    return words[text.lower()]


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return parse


def _url(text: str) -> str:
    if re.fullmatch(r"https?://[^\s/]+(/\S*)?", text) is None:
        raise ValueError("a URL that begins with https:// or http://")
    return text.rstrip("/") + "/"


def _text(text: str) -> str:
    return text


def _spelling(text: str) -> str:
    return _one_of(*(status.slug for status in catalogue()))(text)


def _option(
    default: Any, parse: Callable[[str], Any], metavar: str, about: str, *, flag: bool = True
) -> Any:
    return field(
        default=default,
        metadata={"parse": parse, "metavar": metavar, "about": about, "flag": flag},
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything about a server that is not in the spec."""

    host: str = _option("127.0.0.1", _text, "ADDRESS", "where to listen")
    port: int = _option(4018, _whole(0, 65535), "PORT", "where to listen; 0 takes a free port")
    base_path: str = _option("/api/v1", _base_path, "PATH", "what stands before /clients/register")
    reference: bool = _option(
        False,
        _yes_or_no,
        "",
        "be the plain reference: no personas with public passwords, bcrypt at full cost",
    )
    data: Path | None = _option(
        None,
        Path,
        "FILE",
        "where clients, sessions and the outbox are kept (default: clients-register.json, with"
        " --reference clients-register-reference.json, in the current directory)",
    )
    seed: Path | None = _option(
        None,
        Path,
        "FILE",
        "applications, companies, users, sessions, tokens and deployed services to start with"
        " (YAML); a section in it stands in place of the built-in one",
    )
    bcrypt_cost: int | None = _option(
        None,
        _whole(4, 31),
        "COST",
        "work per password, each step doubles it (default: 4, with --reference 12)",
    )
    max_body: int = _option(
        65536, _whole(1, 64 * 1024 * 1024), "BYTES", "the largest request body that is accepted"
    )
    spelling: str | None = _option(
        None,
        _spelling,
        "SLUG",
        "answer with this of several documented spellings of a status",
    )
    mail: str = _option(
        "outbox",
        _one_of("outbox", "mandrill"),
        "TRANSPORT",
        "outbox keeps mails in the data file and sends nothing; mandrill sends through the Mandrill"
        f" API, with the key in the variable {PREFIX}MANDRILL_KEY",
    )
    mail_from: str = _option(
        "no-reply@planomatic.test", _text, "ADDRESS", "the sender of the welcome e-mail"
    )
    mandrill_url: str = _option(
        "https://mandrillapp.com/api/1.0/", _url, "URL", "the base of the Mandrill API"
    )
    mandrill_timeout: float = _option(
        5.0, _seconds, "SECONDS", "how long one call of the Mandrill API may take"
    )
    # Command lines can be read by every user of a machine, so a secret is no option.
    mandrill_key: str = _option("", _text, "", "the key of the Mandrill API", flag=False)

    @property
    def data_file(self) -> Path:
        """`data`, or the default of the mode. A stub's file holds public passwords: never shared."""
        name = "clients-register-reference.json" if self.reference else "clients-register.json"
        return (self.data or Path(name)).absolute()

    @property
    def cost(self) -> int:
        """`bcrypt_cost`, or the default of the mode."""
        return self.bcrypt_cost or (12 if self.reference else 4)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Never:
        raise SettingError(f"{message} ({PROGRAM} --help lists the options)")


def read(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """The settings that `argv` and `environ` ask for.

    Raises SettingError. Prints help and raises SystemExit where `argv` asks for it.
    """
    given = vars(_parser().parse_args(argv))
    known = {_variable(name): name for name in Settings.__dataclass_fields__}
    if strange := sorted(v for v in environ if v.startswith(PREFIX) and v not in known):
        raise SettingError(f"unknown variable {strange[0]}; known are {', '.join(sorted(known))}")
    values: dict[str, Any] = {}
    for each in fields(Settings):
        flag = "--" + each.name.replace("_", "-")
        text, source = given.get(each.name), flag
        if text is None and environ.get(_variable(each.name)):
            text, source = environ[_variable(each.name)], _variable(each.name)
        if text is not None:
            values[each.name] = _parsed(each.metadata["parse"], text, source)
    settings = Settings(**values)
    if settings.mail == "mandrill" and not settings.mandrill_key:
        raise SettingError(
            f"--mail mandrill needs the key of the API in the variable {PREFIX}MANDRILL_KEY"
        )
    return settings


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _parsed(parse: Callable[[str], Any], text: str, source: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise SettingError(f"{source}: expected {error}, found {text!r}") from None


def _parser() -> _Parser:
    parser = _Parser(
        prog=PROGRAM,
        description="Answer POST /api/v1/clients/register over HTTP, by the rules of the spec.",
        epilog=f"Each option is also an environment variable: --max-body is {PREFIX}MAX_BODY."
        " An option wins over its variable.",
        allow_abbrev=False,
    )
    for each in fields(Settings):
        about = cast(Mapping[str, Any], each.metadata)
        if not about["flag"]:
            continue
        flag = "--" + each.name.replace("_", "-")
        if each.name == "reference":
            parser.add_argument(flag, action="store_const", const="yes", help=about["about"])
            continue
        default = "" if each.default in (None, MISSING) else f" (default: {each.default})"
        parser.add_argument(flag, metavar=about["metavar"], help=about["about"] + default)
    return parser
