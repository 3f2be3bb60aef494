"""Compares a response and its effects with the prediction of the oracle."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from typing import Any

from clients_register.conformance.fuzz.oracle import Outcome, Prediction
from clients_register.conformance.fuzz.params import VIEWS, PassedParams
from clients_register.conformance.fuzz.world_model import (
    AddressForm,
    SessionModel,
    WorldModel,
    address_key,
    classify_address,
)
from clients_register.conformance.grades import (
    Grade,
    Part,
    grade_of,
    grade_of_reading,
    load_grades,
    weakest,
)
from clients_register.conformance.response import ABSENT, ParsedResponse, same_json, show_value
from clients_register.conformance.results import Finding
from clients_register.conformance.states import StateArranger
from clients_register.spec.statuses import Stage

# Members of the client that are returned as they were sent, or null.
ECHOED = ("first_name", "last_name", "phone", "company_id", "company_name")

# The objects of a success, by their kind, and where they are.
OBJECTS = {"client": "/data", "session": "/session", "application": "/application"}

# Stages before the token is examined.
BEFORE_IDENTITY = (Stage.ROUTING, Stage.DEPLOYMENT, Stage.TRANSPORT)

# Stages in which a server may have stored the client, and in which it may have sent the mail.
STORING = (Stage.PARAMS, Stage.EFFECTS)
MAILING = (Stage.EFFECTS, Stage.SUCCESS)

# The feature of targets whose mails are counted.
MAIL = "mail"


def match_outcome(
    prediction: Prediction, parsed: ParsedResponse
) -> tuple[Outcome | None, list[Finding]]:
    """Returns which predicted outcome a response is, if any, with findings if it differs."""
    candidates = prediction.outcomes_of(parsed.slug)
    if not candidates:
        expected = list(dict.fromkeys(each.status.slug for each in prediction.outcomes))
        reading = grade_of_reading(expected, parsed.statuses.find(parsed.slug))
        grade = weakest((reading, *(each.grade for each in prediction.outcomes)))
        found = parsed.slug or f"HTTP {parsed.response.code} without a status"
        return None, [Finding.of("status", grade, " or ".join(expected), found, met=False)]
    errors = parsed.find("/errors")
    for each in candidates:
        if each.errors is None or same_json(errors, _error_entries(each)):
            return each, []
    listed = " or ".join(show_value(_error_entries(each)) for each in candidates)
    grade = weakest(
        load_grades().of_errors(each.errors or (), errors, each.cause) for each in candidates
    )
    return candidates[0], [Finding.of("errors", grade, listed, show_value(errors), met=False)]


def check_success(
    outcome: Outcome, prediction: Prediction, model: WorldModel, parsed: ParsedResponse
) -> Iterator[Finding]:
    """Checks the content of a success; yields only findings that are not met."""
    if outcome.status.stage is not Stage.SUCCESS:
        return
    yield from check_as_sent(prediction.params, model.applications, outcome.cause, parsed)


def check_as_sent(
    params: PassedParams,
    applications: Mapping[str, str | None],
    cause: Grade,
    parsed: ParsedResponse,
) -> Iterator[Finding]:
    """Checks that a success returns what was sent, and null for what was not; yields only misses.

    `applications` are known slugs with their names, if those are known. `cause` is the grade of
    what the request raises.
    """
    for what, pointer in OBJECTS.items():
        yield from _check_members(what, pointer, _view(params, what), cause, parsed)
    slug = params["application"]
    expected: dict[str, Any] = {
        "/session/application": slug,
        "/session/remember_me": False,
        "/application/slug": slug,
    }
    if (name := applications.get(slug)) is not None:
        expected["/application/name"] = name
    if isinstance(parsed.find("/data"), Mapping):
        expected |= _expected_client(params)
        yield from _check_id(cause, parsed)
    for pointer, value in expected.items():
        found = parsed.find(pointer)
        if not same_json(found, value):
            grade = _grade({"at": pointer, "is": value}, cause, parsed)
            yield Finding.of(pointer, grade, show_value(value), show_value(found), met=False)


def apply_outcome(
    model: WorldModel, prediction: Prediction, outcome: Outcome, session_token: Any
) -> None:
    """Applies the effects of an outcome to the model."""
    bearer, params, stage = prediction.bearer, prediction.params, outcome.status.stage
    if bearer is not None and stage not in BEFORE_IDENTITY and bearer.is_live(model.now):
        # The session counts as used whatever follows, unless it has expired (Q-SESSION-LIMITS).
        bearer.used = model.now
        if stage is Stage.SUCCESS:
            bearer.used_by_success = model.now
    password = params.text("client.password")
    if "welcome_mail_is_sent" in outcome.status.rules and model.mail_failures:
        model.mail_failures -= 1
        model.make_client(str(params.email), password).mail_failed = True
    if stage is Stage.SUCCESS:
        user = model.make_client(str(params.email), password)
        model.mails[address_key(user.email)].append(str(params.email))
        if isinstance(session_token, str):
            session = SessionModel(user, params["application"], model.now, model.now)
            model.sessions[session_token] = session


async def check_effects(
    arranger: StateArranger,
    model: WorldModel,
    prediction: Prediction,
    outcome: Outcome,
    claims: Collection[str],
) -> AsyncIterator[Finding]:
    """Checks what a request left behind, as far as it is observable; yields only misses.

    `model` has the outcome applied.
    """
    email, stage = prediction.params.email, outcome.status.stage
    if email is None or classify_address(email) is not AddressForm.VALID:
        return
    owner = model.find_user(email)
    client = owner is not None and owner.client
    # A refused registration stores no client, unless only the welcome mail failed.
    if stage in STORING and (client or not model.may_be_taken(email)):
        found = await arranger.find_clients(email)
        if found is not None and (found.count > 0) != client:
            grade = load_grades().of_stored(outcome.status, outcome.cause)
            yield Finding.of("stored", grade, str(client), str(not client), met=False)
    # Every new client gets one mail.
    if stage in MAILING and MAIL in claims:
        expected = model.mails[address_key(email)]
        found = await arranger.find_mails(email)
        grade = grade_of(Part.MAILED)
        if found is not None and found.count != len(expected):
            yield Finding.of("mailed", grade, str(len(expected)), str(found.count), met=False)
        elif found is not None and found.addresses not in (None, tuple(expected)):
            shown = show_value(expected), show_value(list(found.addresses or ()))
            yield Finding.of("recipients", grade, *shown, met=False)


def _expected_client(params: PassedParams) -> dict[str, Any]:
    """Returns the values of the members that the view of the client has, by pointer."""
    expected: dict[str, Any] = {name: params[f"client.{name}"] for name in ECHOED}
    expected["email"] = params.email
    expected["enterprise"] = params["enterprise"] is True and params["client.company_id"] is None
    members = _view(params, "client")
    return {f"/data/{name}": value for name, value in expected.items() if name in members}


def _check_id(cause: Grade, parsed: ParsedResponse) -> Iterator[Finding]:
    found = parsed.find("/data/id")
    if type(found) is not int:
        grade = _grade({"at": "/data/id", "type": "integer"}, cause, parsed)
        yield Finding.of("/data/id", grade, "an integer", show_value(found), met=False)


def _view(params: PassedParams, kind: str) -> tuple[str, ...]:
    requested = params["view" if kind == "client" else f"{kind}_view"]
    return VIEWS[kind][requested or "default"]


def _check_members(
    what: str, pointer: str, members: tuple[str, ...], cause: Grade, parsed: ParsedResponse
) -> Iterator[Finding]:
    found = parsed.find(pointer)
    if not isinstance(found, Mapping) or set(found) != set(members):
        grade = _grade({"at": pointer, "keys": members}, cause, parsed)
        expected = f"an object with {', '.join(sorted(members))}"
        yield Finding.of(what, grade, expected, show_value(found), met=False)


def _grade(terms: Mapping[str, Any], cause: Grade, parsed: ParsedResponse) -> Grade:
    """Returns the grade of an expectation at a pointer, as a case would write it."""
    found = parsed.find(terms["at"])
    basis = load_grades().basis_of_value(
        terms,
        parsed.statuses.success,
        cause,
        present=found is not ABSENT,
        is_object=isinstance(found, Mapping),
    )
    return basis.grade


def _error_entries(outcome: Outcome) -> list[dict[str, str]]:
    return [{"attr": attr, "message": message} for attr, message in outcome.errors or ()]
