"""The address of a database, parsed from a URL."""

import re
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

# Parameters of libpq that a URL may set. Others are in the URL itself, are set by the server, or
# would be visible to every user of the machine.
PARAMETERS = (
    "application_name",
    "channel_binding",
    "gssencmode",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
)
URL = (
    "a URL such as postgresql://USER:PASSWORD@HOST:5432/DATABASE?sslmode=require, its reserved"
    f" characters as %XX, with no parameters but {', '.join(PARAMETERS)}"
)
PORT = 5432


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """The address of a database and its user. `str()` returns a URL without secrets.

    `options` are parameters of libpq. Fields that are None are left to the environment and files of
    the driver, such as PGPASSWORD.
    """

    host: str
    name: str
    port: int = PORT
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parses a URL. Raises ValueError with a message that says what was expected."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            # Python would not change these, but they cannot be intended.
            bad_escape = re.search(r"%(?![0-9A-Fa-f]{2})", url)
            options = parse_qsl(
                parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)
            )
            user, password, name = (
                None if text is None else unquote(text, errors="strict")
                for text in (parts.username, parts.password, parts.path.removeprefix("/"))
            )
        except ValueError:
            raise ValueError(URL) from None
        is_postgres = parts.scheme in ("postgresql", "postgres") and not bad_escape
        names = [option for option, _ in options]
        unknown = len(names) != len(set(names)) or not set(names) <= set(PARAMETERS)
        unsupported = unknown or "#" in url or re.search(r"\s", url) or port == 0
        # Allowed neither by the driver nor in a log line.
        control = re.search(r"[\0-\x1f\x7f]", unquote(url))
        if (
            not is_postgres
            or unsupported
            or control
            or not host
            or not name
            or "/" in parts.path[1:]
        ):
            raise ValueError(URL)
        return cls(host, name, port or PORT, user or None, password or None, tuple(options))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{host}:{self.port}/{self.name}"

    def parameters(self) -> dict[str, Any]:
        """Returns the connection parameters for the driver."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            **({} if self.user is None else {"user": self.user}),
            **({} if self.password is None else {"password": self.password}),
            **dict(self.options),
        }
