"""How a setting is written: its option, its words of help, and the reading of its value.

A reader takes the text that was given and returns the value. Where it cannot, it raises ValueError
with the words for what was expected; who calls it knows what was found, and where.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clients_register.handlers.store.postgres.database import URL, Database

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$)(?![\d.]*$){_LABEL}(\.{_LABEL})*")
_ORIGIN = "an origin such as http://localhost:3000"
_URL = "an https:// or http:// URL without user, query or fragment"


@dataclass(frozen=True, slots=True)
class Option:
    """What a person is told about a setting, and how its text becomes a value.

    Without a `metavar` it is a switch. The value of a `private` one stands in no message. A
    `secret`, moreover, has a variable and no option, since command lines can be read by every user
    of a machine.
    """

    group: str
    metavar: str
    read: Callable[[str], Any]
    about: str
    private: bool = False
    secret: bool = False


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """A reader of whole numbers within bounds."""

    def read(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,12}", text) is None or not lowest <= int(text) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """A reader of one word out of several."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return read


def spelling(text: str) -> str:
    """A slug that the spec lists as another spelling of a status."""
    from clients_register.spec.catalogue import catalogue

    return one_of(*(alias.slug for alias in catalogue().aliases))(text)


def yes_or_no(text: str) -> bool:
    """A switch, as a variable has it."""
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in words:
        raise ValueError(f"one of {', '.join(words)}")
    return words[text.lower()]


def seconds(text: str) -> float:
    """A time span, above 0 and below 10,000 seconds."""
    if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) is None or float(text) == 0:
        raise ValueError("a number of seconds above 0, such as 2.5")
    return float(text)


def host(text: str) -> str:
    """An IP address, or what can be a host name."""
    if not _is_host(text):
        raise ValueError("an IP address or a host name, such as 127.0.0.1, ::1 or localhost")
    return text


def base_path(text: str) -> str:
    """What stands before the route's path; without a slash at the end."""
    steps = text.rstrip("/").split("/")
    unclear = any(re.fullmatch(r"\.*|.*[^A-Za-z0-9._~-].*", step) for step in steps[1:])
    if not text.startswith("/") or unclear:
        raise ValueError("a path such as /api/v1, or / for none")
    return text.rstrip("/")


def url(text: str) -> str:
    """The base of an HTTP API; with a slash at the end."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("https", "http") and parts.port != 0
    except ValueError:
        raise ValueError(_URL) from None
    strange = parts.username or parts.password or "?" in text or "#" in text
    if not known or strange or not _is_host(parts.hostname or "") or re.search(r"\s", text):
        raise ValueError(_URL)
    return text.rstrip("/") + "/"


def origin(text: str) -> str:
    """The origin of a page, as browsers write it: scheme, host, and a port that is not its own."""
    try:
        parts = urlsplit(url(text))
    except ValueError:
        raise ValueError(_ORIGIN) from None
    if parts.path != "/":
        raise ValueError(_ORIGIN)
    own = {"http": 80, "https": 443}[parts.scheme]
    host = parts.netloc.lower()
    return f"{parts.scheme}://{host.removesuffix(f':{own}') if parts.port == own else host}"


def several(read: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """A reader of words separated by commas, each read by `read`."""

    def read_all(text: str) -> tuple[str, ...]:
        words = [word.strip() for word in text.split(",")]
        found = []
        for number, word in enumerate(words, 1):
            try:
                found.append(read(word))
            except ValueError as error:
                where = f" in place {number} of the list" if len(words) > 1 else ""
                raise ValueError(f"{error}{where}") from None
        return tuple(found)

    return read_all


def is_loopback(text: str) -> bool:
    """Whether a host, as `host` reads it, is reached from this machine only."""
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return text.lower() == "localhost" or text.lower().endswith(".localhost")


def email(text: str) -> str:
    """An e-mail address, by the same judgement as a client's."""
    from clients_register.handlers.emails import key_of

    if key_of(text) is None:
        raise ValueError("an e-mail address such as welcome@example.com")
    return text


def file(text: str) -> Path:
    """The path of a file, there or not."""
    if not text:
        raise ValueError("the path of a file")
    return Path(text)


def database(text: str) -> Database:
    """The URL of a PostgreSQL database."""
    found = Database.of(text)
    if not _is_host(found.host):
        raise ValueError(URL)
    return found


def key(text: str) -> str:
    """A secret word, as an API gives it out."""
    if re.fullmatch(r"[!-~]+", text) is None:
        raise ValueError("a key of printable ASCII characters without spaces")
    return text


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST_NAME.fullmatch(text) is not None
    return True
