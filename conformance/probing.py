"""What stands at a URL: our stub with its control plane, a server of the contract, or neither."""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from clients_register.conformance.control import Control, ControlFailed, NotAdmitted
from clients_register.conformance.envelope import parsed
from clients_register.conformance.matching import Seen
from clients_register.conformance.target import Target, of_url
from clients_register.conformance.wire import Answer, NoAnswer, Request
from clients_register.spec.statuses import StatusTable


class Unreachable(Exception):
    """Nothing there answers, or not this API; the message says what was found and what to do."""


@dataclass(frozen=True)
class Check:
    """One request that tells a wrong profile from a wrong server."""

    what: str
    right: bool
    found: str


async def found_out(url: str, token: str | None) -> Target:
    """The target at a bare URL: its base, or the route itself.

    Raises ProfileError; NotAdmitted where it is our stub and its control plane is closed.
    """
    plain = of_url(url, control=False)
    async with plain.wire() as wire:
        try:
            health = await Control(wire, None, token).call("GET", "/health")
        except NotAdmitted:
            raise
        except ControlFailed:
            health = None
    match health:
        case {"route": str(route), "contract": dict()}:
            stub = of_url(plain.origin + route.removesuffix(plain.route), control=True)
            return replace(stub, name=f"the stub at {plain.origin}")
    return without_control(url)


def without_control(url: str) -> Target:
    """The target at a bare URL, taken for any server of the route. Raises ProfileError."""
    plain = of_url(url, control=False)
    base = url.rstrip("/").removesuffix(plain.route)
    return replace(plain, name=base, base_url=base)


async def smoke(target: Target, statuses: StatusTable) -> list[Check]:
    """Five requests that write nothing. Raises Unreachable where none is answered.

    Raises ProfileError where certificates cannot be read.
    """
    path = target.base_path + target.route
    told = target.headers.items()
    text = (("Content-Type", "text/plain"), *told)
    requests = (
        ("an empty body", Request("POST", path, text, b"")),
        ("no base64", Request("POST", path, text, b"%%%")),
        ("no parameters", Request("POST", path, text, b"e30=")),
        ("another content type", Request("POST", path, (*told,), b"e30=")),
        ("another path", Request("POST", f"{path}/elsewhere", text, b"e30=")),
    )
    checks = []
    async with target.wire() as wire:
        for what, request in requests:
            try:
                answer = await wire.send(request)
            except NoAnswer as failure:
                raise Unreachable(
                    f"{target.origin}: {failure}; is the server running, and is this its address?"
                ) from None
            checks.append(_check(what, answer, target, statuses))
    return checks


def is_this_api(checks: list[Check], target: Target) -> None:
    """Raises Unreachable where nothing that was answered is of this API."""
    if not any(each.right for each in checks):
        found = "; ".join(f"{each.what}: {each.found}" for each in checks)
        route = target.base_url.rstrip("/") + target.route
        raise Unreachable(
            f"{route} is not this API: no answer names a status of the contract ({found});"
            " check the URL, or say in a profile where the envelope keeps its status"
        )


def _check(what: str, answer: Answer, target: Target, statuses: StatusTable) -> Check:
    seen = Seen(answer, parsed(answer), target.layout, statuses)
    if seen.slug in statuses.slugs:
        return Check(what, right=True, found=f"{answer.code} {seen.slug}")
    said = f" {seen.slug}, which is no status of the contract" if seen.slug else " without a status"
    return Check(what, right=False, found=f"HTTP {answer.code}{said}")


def hosts(target: Target) -> list[str]:
    """Every host that a run contacts."""
    named = [target.origin, *([target.hook] if target.hook else [])]
    return sorted({urlsplit(each).netloc for each in named})
