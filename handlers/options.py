"""Options and their parsers.

A parser converts the text of an option or a variable. It raises ValueError with a message that says
what was expected; the caller adds what was found, and where.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clients_register.handlers.store.postgres.address import URL, DatabaseAddress

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$)(?![\d.]*$){_LABEL}(\.{_LABEL})*")
_ORIGIN = "an origin such as http://localhost:3000"
_URL = "an https:// or http:// URL in ASCII without user, query or fragment"


@dataclass(frozen=True, slots=True)
class Option:
    """The help text and the parser of a setting.

    Without a `metavar` it is a switch. Messages never show the value of a `private` setting. A
    `secret` one has a variable but no option, because command lines are visible to every user of a
    machine.
    """

    group: str
    metavar: str
    parse: Callable[[str], Any]
    help: str
    private: bool = False
    secret: bool = False


def hides_secret(text: str) -> bool:
    """Whether `text` may be a URL with a password or a token."""
    return "://" in text and re.search("[@?#]", text) is not None


def integer_between(lowest: int, highest: int) -> Callable[[str], int]:
    """Returns a parser of integers within bounds."""

    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,12}", text) is None or not lowest <= int(text) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return parse


bcrypt_cost = integer_between(4, 31)


def one_of(*choices: str) -> Callable[[str], str]:
    """Returns a parser that accepts one of `choices`."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return parse


def spelling(text: str) -> str:
    """Parses a slug that the spec lists as an alternative spelling of a status."""
    from clients_register.spec.statuses import load_statuses

    return one_of(*(alias.slug for alias in load_statuses().aliases))(text)


def boolean(text: str) -> bool:
    """Parses the value of a switch in a variable."""
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in words:
        raise ValueError(f"one of {', '.join(words)}")
    return words[text.lower()]


def seconds(text: str) -> float:
    """Parses a duration above 0 and below 10,000 seconds."""
    if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) is None or float(text) == 0:
        raise ValueError("a number of seconds above 0, such as 2.5")
    return float(text)


def host(text: str) -> str:
    """Parses an IP address or a host name."""
    if not _is_host(text):
        raise ValueError("an IP address or a host name, such as 127.0.0.1, ::1 or localhost")
    return text


def base_path(text: str) -> str:
    """Parses a path prefix; returns it without a trailing slash."""
    steps = text.rstrip("/").split("/")
    unclear = any(re.fullmatch(r"\.*|.*[^A-Za-z0-9._~-].*", step) for step in steps[1:])
    if not text.startswith("/") or unclear:
        raise ValueError("a path such as /api/v1, or / for none")
    return text.rstrip("/")


def url(text: str) -> str:
    """Parses the base URL of an HTTP API; returns it with a trailing slash."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("https", "http") and parts.port != 0
    except ValueError:
        raise ValueError(_URL) from None
    strange = re.search(r"[?#\s]", text) or "@" in parts.netloc or not text.isascii()
    if not known or strange or not _is_host(parts.hostname or ""):
        raise ValueError(_URL)
    return text.rstrip("/") + "/"


def origin(text: str) -> str:
    """Parses an origin; returns it as browsers send it, without a default port."""
    try:
        parts = urlsplit(url(text))
    except ValueError:
        raise ValueError(_ORIGIN) from None
    if parts.path != "/":
        raise ValueError(_ORIGIN)
    own = {"http": 80, "https": 443}[parts.scheme]
    host = parts.netloc.lower()
    return f"{parts.scheme}://{host.removesuffix(f':{own}') if parts.port == own else host}"


def comma_separated(parse: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """Returns a parser of lists separated by commas, whose items are parsed by `parse`."""

    def parse_all(text: str) -> tuple[str, ...]:
        words = [word.strip() for word in text.split(",")]
        found = []
        for number, word in enumerate(words, 1):
            try:
                found.append(parse(word))
            except ValueError as error:
                where = f" in place {number} of the list" if len(words) > 1 else ""
                raise ValueError(f"{error}{where}") from None
        return tuple(found)

    return parse_all


def is_loopback(text: str) -> bool:
    """Whether a valid host is reachable from this machine only."""
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return text.lower() == "localhost" or text.lower().endswith(".localhost")


def reachable_host(text: str) -> str:
    """Returns a valid host, or loopback if it is the unspecified address (0.0.0.0 or ::)."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    loopback = "::1" if isinstance(address, ipaddress.IPv6Address) else "127.0.0.1"
    return loopback if address.is_unspecified else text


def http_origin(host: str, port: int | str) -> str:
    """Returns the origin of a server of HTTP."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def email(text: str) -> str:
    """Parses an e-mail address, by the same rules as that of a client."""
    from clients_register.handlers.decoding import email_key

    if email_key(text) is None:
        raise ValueError("an e-mail address such as welcome@example.com")
    return text


def file(text: str) -> Path:
    """Parses the path of a file, which need not exist."""
    if not text:
        raise ValueError("the path of a file")
    return Path(text)


def database(text: str) -> DatabaseAddress:
    """Parses the URL of a PostgreSQL database."""
    found = DatabaseAddress.parse(text)
    if not _is_host(found.host):
        raise ValueError(URL)
    return found


def key(text: str) -> str:
    """Parses an API key."""
    if re.fullmatch(r"[!-~]+", text) is None:
        raise ValueError("a key of printable ASCII characters without spaces")
    return text


def is_address(text: str) -> bool:
    """Whether `text` is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_host(text: str) -> bool:
    return is_address(text) or _HOST_NAME.fullmatch(text) is not None
