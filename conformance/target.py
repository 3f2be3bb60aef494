"""A server under test, as its profile describes it."""

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from clients_register import spec
from clients_register.conformance import wire
from clients_register.conformance.envelope import Layout
from clients_register.conformance.wire import Wire

FEATURES = ("core", "tokens", "mail", "views", "uncommon")

# How a state is reached where a profile does not say.
BY_API = ("client", "session-live")

# The path of the route is added to it.
EXAMPLE = "http://127.0.0.1:4018/api/v1"

# Reserved for tests (RFC 6761): mail to it leads nowhere.
LOCAL_DOMAIN = "conformance.test"


class ProfileError(ValueError):
    """A profile, or the URL in its place, cannot be used; the message says what to change."""


@dataclass(frozen=True)
class Limits:
    """What a run may do to its target. Rates are per second, time-outs in seconds."""

    writes: bool = True
    requests: int = 5000
    clients: int = 1000
    requests_per_second: float = 0.0
    parallel: int = 8
    timeout: float = field(default_factory=lambda: wire.TIMEOUT)


@dataclass(frozen=True)
class KnownFailure:
    """Cases that are known to fail, by a glob over their ids."""

    cases: str
    reason: str
    since: str


@dataclass(frozen=True)
class Target:
    """See profile.schema.json for the fields, and targets/template.yaml for their meaning.

    `bare`: there is no profile, but a URL on this machine.
    """

    name: str
    base_url: str
    route: str
    claims: tuple[str, ...] = FEATURES
    headers: Mapping[str, str] = field(default_factory=dict)
    envelope: Mapping[str, str] = field(default_factory=dict)
    tls: Mapping[str, str] = field(default_factory=dict)
    proxy: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    application: str = "planoauth"
    company: int = 42
    email_domain: str = LOCAL_DOMAIN
    hook: str | None = None
    arrange: Mapping[str, Any] = field(default_factory=dict)
    observe: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    known_failures: tuple[KnownFailure, ...] = ()
    minimum_evidence: float = 0.8
    control: bool = False
    bare: bool = False

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return origin_of(self.base_url)

    @property
    def base_path(self) -> str:
        """The path of the base URL, without a slash at its end."""
        return urlsplit(self.base_url).path.rstrip("/")

    @property
    def placeholders(self) -> dict[str, Any]:
        """What every case may refer to: name -> value."""
        return {
            "application": self.application,
            "company": self.company,
            "domain": self.email_domain,
            "route": self.base_path + self.route,
        }

    @property
    def layout(self) -> Layout:
        """Where the parts of its envelope stand."""
        return Layout(self.envelope)

    def wire(self) -> Wire:
        """What its requests are sent by. Raises ProfileError."""
        return Wire(
            self.origin,
            timeout=self.limits.timeout,
            ssl_context=self.ssl_context(),
            connections=self.limits.parallel,
            proxy=self.proxy,
        )

    def ssl_context(self) -> ssl.SSLContext | None:
        """What its certificates are verified by; None for plain HTTP. Raises ProfileError."""
        if not self.base_url.startswith("https:"):
            return None
        try:
            context = ssl.create_default_context(cafile=self.tls.get("ca"))
            if "certificate" in self.tls:
                context.load_cert_chain(self.tls["certificate"], self.tls.get("key"))
        except OSError as error:
            raise ProfileError(f"tls: a file cannot be used: {error}") from None
        return context


def of_url(url: str, *, control: bool) -> Target:
    """The target of a bare URL: our stub where `control` is there, else one that claims core.

    Raises ProfileError.
    """
    check_url(url)
    check_domain(url, None)
    claims = FEATURES if control else ("core",)
    return Target(url, url, documented_route(), claims=claims, control=control, bare=True)


def origin_of(url: str) -> str:
    """Scheme, host and port of `url`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(url: str) -> bool:
    """Whether `url` leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def documented_route() -> str:
    """The path of the route in the spec."""
    (path,) = spec.load("openapi")["paths"]
    return str(path)


def check_url(url: str) -> None:
    """Raises ProfileError where nothing can be sent to `url`; what may be a secret is not shown."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        found = "one with a user" if "@" in url else repr(url)
        raise ProfileError(f"expected a URL such as {EXAMPLE}, found {found}")
    beside = {"a user": parts.username, "a query": parts.query, "a fragment": parts.fragment}
    if more := [name for name, there in beside.items() if there]:
        raise ProfileError(
            f"expected a URL of host and path alone, such as {EXAMPLE},"
            f" found one with {' and '.join(more)}"
        )


def check_domain(url: str, domain: str | None) -> None:
    """Raises ProfileError where mail from `url` might go to somebody."""
    if domain is None and not is_loopback(url):
        raise ProfileError(
            f"{url} is not on this machine, and registrations cause mail: write a profile"
            " (--profile FILE) whose email_domain is one of yours"
        )
