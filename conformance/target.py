"""The server under test: where it is, which features it claims, and what a run may do to it."""

import asyncio
import ipaddress
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clients_register import spec
from clients_register.conformance import http_client
from clients_register.conformance.case import CORE
from clients_register.conformance.http_client import HttpClient
from clients_register.conformance.response import EnvelopeLayout

FEATURES = (CORE, "tokens", "mail", "views", "uncommon")

# The base URL of our stub, as an example; the path of the route is appended to it.
EXAMPLE_URL = "http://127.0.0.1:4018/api/v1"

# Values that the fixtures of our stub contain.
STUB_VALUES: Mapping[str, Any] = {"company": 42, "other_application": "planox2"}

# RFC 3986, section 2.
_PRINTABLE_ASCII = re.compile(r"[!-~]+")

_DOMAIN = re.compile("[A-Za-z0-9.-]+")

# Reserved for testing (RFC 6761): mail to it is never delivered.
TEST_DOMAIN = "conformance.test"


class ProfileError(ValueError):
    """A profile, or the URL given instead, is invalid; the message says what to change."""


class LimitReached(Exception):
    """A limit of the profile is reached; the message says which one."""


class BudgetReached(LimitReached):
    """The budget of a campaign is spent."""

    def __init__(self) -> None:
        super().__init__("the budget of the campaign is spent")


@dataclass(frozen=True)
class Limits:
    """Limits on what a run may do to its target. Rates are per second, timeouts in seconds.

    `requests` are those of cases and campaigns, which a `Limiter` counts; `clients` are those of
    them that may register one.
    """

    writes: bool = True
    requests: int = 5000
    clients: int = 1000
    requests_per_second: float = 0.0
    parallel: int = 8
    timeout: float = field(default_factory=lambda: http_client.DEFAULT_TIMEOUT)

    def share(self, number: int, processes: int) -> "Limits":
        """Returns the part of one of several processes, by its number from 0."""
        requests, clients = (
            whole // processes + (number < whole % processes)
            for whole in (self.requests, self.clients)
        )
        pace = self.requests_per_second / processes
        return replace(self, requests=requests, clients=clients, requests_per_second=pace)


class Limiter:
    """Applies the limits of a profile to a run, and counts its requests.

    All requests of a run pass it, those of its cases and of its campaign. `clients` are the
    requests that may have registered one, whatever the target responded.
    """

    def __init__(self, limits: Limits) -> None:
        self.requests = 0
        self.clients = 0
        self._limits = limits
        self._interval = 1 / limits.requests_per_second if limits.requests_per_second else 0.0
        self._next = 0.0
        self._is_spent: Callable[[], bool] = lambda: False

    @contextmanager
    def within(self, is_spent: Callable[[], bool]) -> Iterator[None]:
        """Lets no request pass once a budget `is_spent`, in this context."""
        before, self._is_spent = self._is_spent, is_spent
        try:
            yield
        finally:
            self._is_spent = before

    async def acquire(self, *, registers: bool) -> None:
        """Waits until the next request may be sent. Raises LimitReached.

        `registers`: the request may register a client; see `RequestTemplate.may_register`.
        """
        if self._is_spent():
            raise BudgetReached
        if self.requests >= self._limits.requests:
            raise LimitReached(f"the limit of {self._limits.requests} requests is reached")
        if registers:
            if not self._limits.writes:
                raise LimitReached("the profile allows no writes")
            if self.clients >= self._limits.clients:
                raise LimitReached(
                    f"the limit of {self._limits.clients} clients is reached (every request that"
                    " may register one counts)"
                )
            self.clients += 1
        self.requests += 1
        if self._interval:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._interval
            await asyncio.sleep(start - now)

    def slow_down(self) -> None:
        """Halves the request rate, because the target is overloaded."""
        self._interval = self._interval * 2 or 0.1


@dataclass(frozen=True)
class KnownFailure:
    """Cases that are known to fail, by a glob over their ids."""

    cases: str
    reason: str
    since: str


@dataclass(frozen=True)
class Target:
    """A server under test. See targets/template.yaml for the meaning of the fields.

    `control` says that our control plane is there; `bare` that there is a local URL and no profile.
    A `company` or `other_application` of None is unknown, and the cases that need one are not run.
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
    other_application: str | None = None
    company: int | None = None
    email_domain: str = TEST_DOMAIN
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
    def path(self) -> str:
        """The full path of the route."""
        return urlsplit(self.base_url).path.rstrip("/") + self.route

    @property
    def url(self) -> str:
        """The full URL of the route."""
        return self.base_url.rstrip("/") + self.route

    @property
    def hosts(self) -> list[str]:
        """The hosts that a run contacts."""
        urls = (self.base_url, self.hook, self.proxy)
        return sorted({urlsplit(each).netloc for each in urls if each is not None})

    @property
    def placeholders(self) -> dict[str, Any]:
        """The values that every case may refer to, by name."""
        return {
            "application": self.application,
            "domain": self.email_domain,
            "route": self.path,
            **{name: value for name, value in self._optional_values.items() if value is not None},
        }

    @property
    def unknown_values(self) -> tuple[str, ...]:
        """The names of the values that some cases need, and that are not known."""
        return tuple(name for name, value in self._optional_values.items() if value is None)

    @property
    def _optional_values(self) -> dict[str, Any]:
        return {"company": self.company, "other_application": self.other_application}

    @property
    def layout(self) -> EnvelopeLayout:
        """The layout of its envelope."""
        return EnvelopeLayout(self.envelope)

    def limiter(self, campaign: int = 0) -> Limiter:
        """Returns the limiter of a run.

        A bare URL, which is local, has no limits of its own: a `campaign` of that many requests is
        not limited by the defaults, which are meant for cases.
        """
        limits = self.limits
        if self.bare:
            requests, clients = limits.requests + campaign, limits.clients + campaign
            limits = replace(limits, requests=requests, clients=clients)
        return Limiter(limits)

    def client(self) -> HttpClient:
        """Opens an HTTP client for the target. Raises ProfileError."""
        return self._open_client(self.base_url)

    def hook_client(self) -> HttpClient | None:
        """Opens an HTTP client for the hook, if the profile has one. Raises ProfileError."""
        return None if self.hook is None else self._open_client(self.hook)

    def _open_client(self, url: str) -> HttpClient:
        return HttpClient(
            origin_of(url),
            timeout=self.limits.timeout,
            ssl_context=self._ssl_context() if urlsplit(url).scheme == "https" else None,
            connections=self.limits.parallel,
            proxy=self.proxy,
        )

    def _ssl_context(self) -> ssl.SSLContext:
        """Returns the TLS settings. Raises ProfileError."""
        for name, file in self.tls.items():
            _check_readable(name, file)
        ca, certificate, key = (self.tls.get(name) for name in ("ca", "certificate", "key"))
        try:
            context = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise ProfileError(
                f"tls.ca: expected CA certificates in PEM in {ca}, found none: {error}"
            ) from None
        if certificate is not None:
            try:
                # Without a passphrase here, OpenSSL would ask for one at the terminal.
                context.load_cert_chain(certificate, key, password="")
            except OSError as error:
                raise ProfileError(
                    f"tls.certificate: expected a certificate in PEM in {certificate}, and its key"
                    f" without a passphrase in {key or certificate}: {error}"
                ) from None
        return context


def _check_readable(name: str, file: str) -> None:
    try:
        Path(file).read_bytes()
    except OSError as error:
        raise ProfileError(f"tls.{name}: {file} cannot be read: {error.strerror}") from None


def target_for_url(url: str, *, control: bool) -> Target:
    """Returns the target for a bare URL: our stub if `control`, else a server that claims core.

    Raises ProfileError.
    """
    check_url(url)
    check_domain(url, None)
    target = Target(url, url, documented_route(), claims=(CORE,), control=control, bare=True)
    return replace(target, claims=FEATURES, **STUB_VALUES) if control else target


def origin_of(url: str) -> str:
    """Returns scheme, host and port of `url`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(url: str) -> bool:
    """Tells whether the host of `url` is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def documented_route() -> str:
    """Returns the path of the route in the spec."""
    (path,) = spec.load("openapi")["paths"]
    return str(path)


def check_url(url: str, *, show_value: bool = True) -> None:
    """Raises ProfileError unless `url` is usable; the message shows no credentials.

    Without `show_value`, it does not show what is no URL either, which may be a secret.
    """
    # Wherever they are in the URL: a password may contain characters that end a host.
    unexpected = {"@": "a user or password", "?": "a query", "#": "a fragment"}
    if names := [name for sign, name in unexpected.items() if sign in url]:
        raise ProfileError(
            f"expected a URL with only a host and a path, such as {EXAMPLE_URL},"
            f" found one with {' and '.join(names)}"
        )
    found = repr(url) if show_value else "another text"
    if url and not _PRINTABLE_ASCII.fullmatch(url):
        raise ProfileError(
            f"expected a URL whose characters other than printable ASCII are percent-encoded, found"
            f" {found}"
        )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ProfileError(f"expected a URL such as {EXAMPLE_URL}, found {found}")


def check_domain(url: str, domain: str | None) -> None:
    """Raises ProfileError if mail from the server at `url` might reach a stranger."""
    if domain is None and not is_loopback(url):
        raise ProfileError(
            f"{url} is not on this machine, and registrations cause mail: write a profile"
            " (--profile FILE) whose email_domain is one of yours"
        )


def check_email_domain(text: str, *, show_value: bool = True) -> None:
    """Raises ProfileError unless `text` is a domain; the message shows it only if `show_value`."""
    if not _DOMAIN.fullmatch(text):
        found = repr(text) if show_value else "another text"
        raise ProfileError(f"expected a domain such as test.example.com, found {found}")
