"""A server under test, as its profile describes it."""

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import yaml

from clients_register import spec
from clients_register.conformance.envelope import Layout
from clients_register.conformance.wire import Wire

FEATURES = ("core", "tokens", "mail", "views", "uncommon")

# How a state is reached where a profile does not say.
BY_API = ("client", "session-live")

# Reserved for tests (RFC 6761): mail to it leads nowhere.
LOCAL_DOMAIN = "conformance.test"

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


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
    timeout: float = 10.0


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
    _check_url(url)
    _check_domain(url, None)
    claims = FEATURES if control else ("core",)
    return Target(url, url, _route(), claims=claims, control=control, bare=True)


def read(path: Path, environment: Mapping[str, str] = os.environ) -> Target:
    """The target that the profile at `path` describes. Raises ProfileError."""
    try:
        written = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProfileError(f"{path}: cannot be read as YAML: {error}") from None
    schema = spec.parsed((files(__package__) / "profile.schema.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    fault = jsonschema.exceptions.best_match(validator.iter_errors(written))
    if fault is not None:
        raise ProfileError(f"{path}, {fault.json_path}: {fault.message}")
    filled = _filled(written, environment, str(path))
    _check_url(filled["base_url"])
    _check_domain(filled["base_url"], filled.get("email_domain"))
    filled.pop("profile")
    if unknown := sorted(set(filled.get("answers", ())) - set(spec.load("questions")["questions"])):
        raise ProfileError(f"{path}, $.answers: no questions of the spec: {', '.join(unknown)}")
    return Target(
        **{
            "route": _route(),
            **filled,
            "claims": tuple(filled.get("claims", ("core",))),
            "limits": Limits(**filled.get("limits", {})),
            "known_failures": tuple(KnownFailure(**e) for e in filled.get("known_failures", ())),
            "control": "control" in filled.get("arrange", {}).values(),
        }
    )


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


def _route() -> str:
    (path,) = spec.load("openapi")["paths"]
    return str(path)


def _filled(written: Any, environment: Mapping[str, str], where: str) -> Any:
    """`written` with every `${NAME}` filled from the environment."""
    if isinstance(written, Mapping):
        return {key: _filled(each, environment, f"{where}, {key}") for key, each in written.items()}
    if isinstance(written, list):
        return [_filled(each, environment, where) for each in written]
    if not isinstance(written, str):
        return written

    def value(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise ProfileError(f"{where}: the environment has no {found[1]}; set it")
        return environment[found[1]]

    return _REFERENCE.sub(value, written)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProfileError(
            f"expected a URL such as http://127.0.0.1:4018/api/v1, found {url!r};"
            " the path of the route is added to it"
        )
    if parts.query or parts.fragment or parts.username:
        raise ProfileError(f"expected a URL of host and path alone, found {url!r}")


def _check_domain(url: str, domain: str | None) -> None:
    if domain is None and not is_loopback(url):
        raise ProfileError(
            f"{url} is not on this machine, and registrations cause mail: write a profile"
            " (--profile FILE) whose email_domain is one of yours"
        )
