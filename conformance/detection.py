"""Finds out what is at a URL: our stub, another server of the route, or something else."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlsplit

from clients_register import spec
from clients_register.conformance.case import Expectation
from clients_register.conformance.checks import check_expectation
from clients_register.conformance.control import ControlClient, ControlDenied, ControlError
from clients_register.conformance.grades import Grade, grade_of_status, load_grades
from clients_register.conformance.http_client import (
    REFUSED,
    TIME_OUT,
    HttpRequest,
    HttpResponse,
    NoResponse,
)
from clients_register.conformance.redaction import redactor_for
from clients_register.conformance.request import encode_base64
from clients_register.conformance.response import ParsedResponse, cut_text, parse_body
from clients_register.conformance.results import Verdict
from clients_register.conformance.target import ProfileError, Target, target_for_url
from clients_register.spec.statuses import Status, StatusTable

# The most requests of the smoke test, including the one about the application. They precede every
# run, and are not limited.
SMOKE_REQUESTS = 6

# The pause between two requests to a server that has not started yet, in seconds.
PAUSE = 0.2

# The codes of a gateway whose server has not started yet.
STARTING = frozenset(
    {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)

# Steps of a path that are searched for the route, with two requests for each step and for the root.
MAX_STEPS = 5

# Characters of a response, and of a content coding, that a message shows.
MAX_FOUND = 200
MAX_CODING = 40


class Unreachable(Exception):
    """The URL does not lead to this API; the message says what was found and what to do."""


@dataclass(frozen=True)
class SmokeCheck:
    """One request of the smoke test, to `path`. `ok`: the response has a documented status.

    `missed` is the verdict and the description of the worst finding, unless it is as expected.
    `codings` are its content codings, if the request did not ask for any, and `unsupported` is one
    that the suite does not decode.
    """

    name: str
    ok: bool
    found: str
    path: str | None = None
    slug: str | None = None
    codings: tuple[str, ...] = ()
    unsupported: str | None = None
    responded: bool = True
    missed: tuple[Verdict, str] | None = None


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
    """Sends five requests that create nothing; `require_this_api` sends the sixth.

    Raises Unreachable if nothing responds, ProfileError if certificates cannot be read.
    """
    own = tuple(target.headers.items())
    text = (("Content-Type", "text/plain"), *own)
    form = (("Content-Type", "application/x-www-form-urlencoded"), *own)
    no_params = load_grades().of_causes(["Q-NO-PARAMS"])
    elsewhere = f"{target.path}/elsewhere"
    # Name, rule that is broken, grade of what the request raises, request.
    requests = (
        ("an empty body", "params_are_passed", no_params, (target.path, text, b"")),
        ("no base64", "body_is_base64", Grade.DOCUMENTED, (target.path, text, b"%%%")),
        ("no parameters", "params_are_passed", no_params, (target.path, text, b"e30=")),
        ("a form", "content_type_is_accepted", Grade.DOCUMENTED, (target.path, form, b"e30=")),
        ("another path", "route_exists", Grade.DOCUMENTED, (elsewhere, text, b"e30=")),
    )
    checks: list[SmokeCheck] = []
    async with target.client() as client:
        for name, rule, cause, (path, headers, body) in requests:
            request, expected = HttpRequest("POST", path, headers, body), statuses.for_rule(rule)
            try:
                response = await client.send(request)
            except NoResponse as failure:
                responded = any(each.responded for each in checks)
                if failure.kind == REFUSED or (failure.kind == TIME_OUT and not responded):
                    raise _not_running(target, str(failure)) from None
                missed = Verdict.FAIL, f"expected {expected.slug}"
                checks.append(
                    SmokeCheck(name, ok=False, found=str(failure), responded=False, missed=missed)
                )
                continue
            parsed = _parse(response, target, statuses)
            check = _check(name, request, parsed, target)
            checks.append(replace(check, missed=_compare(parsed, expected, cause)))
    if not any(each.responded for each in checks):
        raise _not_running(target, checks[0].found)
    return checks


async def require_this_api(
    checks: Sequence[SmokeCheck], target: Target, statuses: StatusTable
) -> None:
    """Checks that the route is where the target says, and that its application is known.

    Raises Unreachable, ProfileError.
    """
    nowhere = statuses.for_rule("route_exists").slug
    at_route = [each for each in checks if each.path == target.path]
    unreadable = sorted({each.unsupported for each in checks if each.unsupported is not None})
    problem = None
    if at_route and all(each.slug == nowhere for each in at_route):
        problem = f"{target.url} is not the route: a POST to it gets {nowhere}"
    elif not any(each.ok for each in checks):
        found = "; ".join(f"{each.name}: {each.found}" for each in checks)
        if len(alike := {each.found for each in checks}) == 1:
            found = f"all have: {alike.pop()}"
        problem = (
            f"{target.url} is not this API: no response has a status of the contract ({found})"
        )
    if problem is None:
        await _require_application(target, statuses)
        return
    if unreadable:
        advice = (
            f"have the server, or the proxy in front of it, send no body in the coding"
            f" {' or '.join(unreadable)} to callers without Accept-Encoding"
        )
    elif (found_at := await _find_base_url(target, statuses)) is not None:
        advice = f"the route responds at {found_at}{target.route}; give {found_at} as the base URL"
    else:
        advice = (
            f"check the base URL, to which {target.route} is appended, or say in a profile where"
            " the envelope has its status"
        )
    raise Unreachable(f"{problem}; {advice}")


async def wait_for_response(target: Target, seconds: float) -> None:
    """Waits until a server responds at the address of the target, whatever it responds.

    Raises Unreachable after `seconds`, ProfileError if certificates cannot be read.
    """
    request = HttpRequest("GET", target.path, tuple(target.headers.items()), b"")
    found = "no response yet"
    try:
        async with asyncio.timeout(seconds), target.client() as client:
            while True:
                try:
                    response = await client.send(request)
                except NoResponse as failure:
                    found = str(failure)
                else:
                    if response.code not in STARTING:
                        return
                    found = f"HTTP {response.code}"
                await asyncio.sleep(PAUSE)
    except TimeoutError:
        raise _not_running(target, f"{found}, after {seconds:g} seconds") from None


def describe_codings(checks: Sequence[SmokeCheck]) -> str | None:
    """Returns a notice about content codings that no request has asked for, if there are any."""
    codings = sorted({cut_text(each, MAX_CODING) for check in checks for each in check.codings})
    if not codings:
        return None
    return (
        f"responses have the Content-Encoding {', '.join(codings)} although the requests have no"
        " Accept-Encoding; RFC 9110, section 12.5.3, permits that, and they are decoded"
    )


def _compare(parsed: ParsedResponse, expected: Status, cause: Grade) -> tuple[Verdict, str] | None:
    """Returns the verdict and the description of what was missed, if anything was."""
    grade = grade_of_status(expected, cause)
    expectation = Expectation("status", grade, {"status": expected.slug}, cause)
    for each in check_expectation(expectation, parsed):
        if each.missed:
            what = "" if each.what == "status" else f"{each.what} "
            known = parsed.statuses.find(parsed.slug) is not None
            return each.verdict if known else Verdict.FAIL, f"expected {what}{each.expected}"
    return None


def _not_running(target: Target, found: str) -> Unreachable:
    return Unreachable(f"{target.origin}: {found}; is the server running, and is this its address?")


def _parse(response: HttpResponse, target: Target, statuses: StatusTable) -> ParsedResponse:
    return ParsedResponse(response, parse_body(response), target.layout, statuses)


def _check(name: str, request: HttpRequest, parsed: ParsedResponse, target: Target) -> SmokeCheck:
    response, body, slug = parsed.response, parsed.body, parsed.slug
    ok = parsed.statuses.find(slug) is not None
    if ok:
        found = f"{response.code} {slug}"
    elif slug is not None:
        found = f"HTTP {response.code} {slug}, which is no status of the contract"
    else:
        reasons = [f"{each.what}: {each.received}" for each in body.deviations]
        reasons += [body.unreadable] if body.unreadable is not None else []
        found = ", ".join([f"HTTP {response.code} without a status", *reasons])
    asked = "accept-encoding" in {key.lower() for key, _ in request.headers}
    codings = () if asked else tuple(response.members("Content-Encoding"))
    found = cut_text(redactor_for(target).redact_received(found), MAX_FOUND)
    return SmokeCheck(name, ok, found, request.target, slug, codings, body.unsupported)


async def _find_base_url(target: Target, statuses: StatusTable) -> str | None:
    """Returns the base URL below which the route responds, near the one of the target."""
    given = urlsplit(target.base_url).path.rstrip("/")
    documented = urlsplit(str(spec.load("openapi")["servers"][0]["url"])).path
    steps = given.split("/")[: MAX_STEPS + 1]
    parents = ["/".join(steps[:count]) for count in range(len(steps), 0, -1)]
    candidates = [*(parent + documented for parent in parents), *parents]
    headers = (("Content-Type", "text/plain"), *target.headers.items())
    nowhere = statuses.for_rule("route_exists").slug
    async with target.client() as client:
        for base in dict.fromkeys(candidates):
            request = HttpRequest("POST", base + target.route, headers, b"")
            try:
                response = await client.send(request)
            except NoResponse:
                continue
            check = _check("", request, _parse(response, target, statuses), target)
            if check.ok and check.slug != nowhere:
                return target.origin + base
    return None


async def _require_application(target: Target, statuses: StatusTable) -> None:
    """Raises ProfileError if the target says that it does not know the application.

    The request creates nothing, because its address is malformed.
    """
    if target.control:
        return
    client = {"email": "no address", "password": "not-a-secret"}
    content = json.dumps({"application": target.application, "client": client}).encode()
    headers = (("Content-Type", "text/plain"), *target.headers.items())
    body = encode_base64(content).encode()
    async with target.client() as http:
        try:
            response = await http.send(HttpRequest("POST", target.path, headers, body))
        except NoResponse:
            return
    parsed = _parse(response, target, statuses)
    row, errors = statuses.find(parsed.slug), parsed.find("/errors")
    if row is None or "application_is_known" not in row.rules or not isinstance(errors, list):
        return
    if any(isinstance(each, dict) and each.get("attr") == "application" for each in errors):
        raise ProfileError(
            f"{target.url} does not know the application {target.application}, so no registration"
            " can succeed; write a profile (--profile FILE) whose `application` names one"
        )
