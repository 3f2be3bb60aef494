"""Finds out what is at a URL: our stub, another server of the route, or something else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clients_register.conformance.control import ControlClient, ControlDenied, ControlError
from clients_register.conformance.envelope import ParsedResponse
from clients_register.conformance.http_client import HttpRequest, HttpResponse, NoResponse
from clients_register.conformance.response_body import parse_body
from clients_register.conformance.target import Target, target_for_url
from clients_register.spec.statuses import StatusTable


class Unreachable(Exception):
    """The URL does not lead to this API; the message says what was found and what to do."""


@dataclass(frozen=True)
class SmokeCheck:
    """One request of the smoke test. `ok`: the response has a documented status."""

    name: str
    ok: bool
    found: str


async def detect_target(url: str, token: str | None) -> Target:
    """Returns the target at a URL, which may be a base URL or that of the route.

    Raises ProfileError; ControlDenied if it is our stub with an inaccessible control plane.
    """
    plain = target_for_url(url, control=False)
    async with plain.client() as client:
        try:
            health = await ControlClient(client, None, token).call("GET", "/health")
        except ControlDenied:
            raise
        except ControlError:
            health = None
    match health:
        case {"route": str(route), "contract": dict()}:
            stub = target_for_url(plain.origin + route.removesuffix(plain.route), control=True)
            return replace(stub, name=f"the stub at {plain.origin}")
    return target_without_control(url)


def target_without_control(url: str) -> Target:
    """Returns the target at a URL, treated like any other server. Raises ProfileError."""
    plain = target_for_url(url, control=False)
    base = url.rstrip("/").removesuffix(plain.route)
    return replace(plain, name=base, base_url=base)


async def run_smoke_test(target: Target, statuses: StatusTable) -> list[SmokeCheck]:
    """Sends five requests that create nothing.

    Raises Unreachable if one gets no response, ProfileError if certificates cannot be read.
    """
    own = tuple(target.headers.items())
    text = (("Content-Type", "text/plain"), *own)
    requests = (
        ("an empty body", HttpRequest("POST", target.path, text, b"")),
        ("no base64", HttpRequest("POST", target.path, text, b"%%%")),
        ("no parameters", HttpRequest("POST", target.path, text, b"e30=")),
        ("another content type", HttpRequest("POST", target.path, own, b"e30=")),
        ("another path", HttpRequest("POST", f"{target.path}/elsewhere", text, b"e30=")),
    )
    checks = []
    async with target.client() as client:
        for name, request in requests:
            try:
                response = await client.send(request)
            except NoResponse as failure:
                raise Unreachable(
                    f"{target.origin}: {failure}; is the server running, and is this its address?"
                ) from None
            checks.append(_check(name, response, target, statuses))
    return checks


def require_this_api(checks: Sequence[SmokeCheck], target: Target) -> None:
    """Raises Unreachable unless at least one response was of this API."""
    if not any(each.ok for each in checks):
        found = "; ".join(f"{each.name}: {each.found}" for each in checks)
        raise Unreachable(
            f"{target.url} is not this API: no response has a status of the contract ({found});"
            " check the URL, or say in a profile where the envelope has its status"
        )


def _check(name: str, response: HttpResponse, target: Target, statuses: StatusTable) -> SmokeCheck:
    slug = ParsedResponse(response, parse_body(response), target.layout, statuses).slug
    if slug in statuses.slugs:
        return SmokeCheck(name, ok=True, found=f"{response.code} {slug}")
    status = f" {slug}, which is no status of the contract" if slug else " without a status"
    return SmokeCheck(name, ok=False, found=f"HTTP {response.code}{status}")
