"""Which database is meant: read from a URL, and told to people without its secrets."""

import re
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote, urlsplit

URL = (
    "a URL such as postgresql://USER:PASSWORD@HOST:5432/DATABASE, without query or fragment, its"
    " reserved characters as %XX"
)
PORT = 5432


@dataclass(frozen=True, slots=True)
class Database:
    """Where a database is and who uses it. As text it is a URL that may stand in a log.

    What is None is left to the variables and files that the driver goes by, such as PGPASSWORD.
    """

    host: str
    name: str
    port: int = PORT
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> Self:
        """The database that `url` means. Raises ValueError, with words for what was expected."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            # What Python would leave as it is, though it cannot be meant.
            damaged = re.search(r"%(?![0-9A-Fa-f]{2})", url)
            user, password, name = (
                None if text is None else unquote(text, errors="strict")
                for text in (parts.username, parts.password, parts.path.removeprefix("/"))
            )
        except ValueError:
            raise ValueError(URL) from None
        known = parts.scheme in ("postgresql", "postgres") and not damaged
        strange = "?" in url or "#" in url or re.search(r"\s", url) or port == 0
        # Neither the driver nor a line of a log can have them.
        control = re.search(r"[\0-\x1f\x7f]", unquote(url))
        if not known or strange or control or not host or not name or "/" in parts.path[1:]:
            raise ValueError(URL)
        return cls(host, name, port or PORT, user or None, password or None)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{host}:{self.port}/{self.name}"

    def parameters(self) -> dict[str, Any]:
        """What the driver connects by."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            **({} if self.user is None else {"user": self.user}),
            **({} if self.password is None else {"password": self.password}),
        }
