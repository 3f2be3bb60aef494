"""Compares a response and its effects with the prediction of the oracle."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from typing import Any

from clients_register.conformance.case import Grade, weakest
from clients_register.conformance.envelope import ParsedResponse, same_json, show_value
from clients_register.conformance.fuzz.model import (
    AddressForm,
    SessionModel,
    WorldModel,
    address_key,
    classify_address,
)
from clients_register.conformance.fuzz.oracle import VIEWS, Outcome, PassedParams, Prediction
from clients_register.conformance.response_body import ABSENT
from clients_register.conformance.results import Finding
from clients_register.conformance.states import StateArranger
from clients_register.spec.statuses import Stage

# Members of the client that are returned as they were sent, or null.
ECHOED = ("first_name", "last_name", "phone", "company_id", "company_name")

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
        expected = dict.fromkeys(each.status.slug for each in prediction.outcomes)
        grade = weakest(each.grade for each in prediction.outcomes)
        found = parsed.slug or f"HTTP {parsed.response.code} without a status"
        return None, [Finding.of("status", grade, " or ".join(expected), found, met=False)]
    errors = parsed.find("/errors")
    for each in candidates:
        if each.errors is None or same_json(errors, _error_entries(each)):
            return each, []
    listed = " or ".join(show_value(_error_entries(each)) for each in candidates)
    grade = weakest((Grade.FAMILY, candidates[0].grade))
    return candidates[0], [Finding.of("errors", grade, listed, show_value(errors), met=False)]


def check_success(
    outcome: Outcome, prediction: Prediction, model: WorldModel, parsed: ParsedResponse
) -> Iterator[Finding]:
    """Checks the content of a success; yields only findings that are not met."""
    if outcome.status.stage is not Stage.SUCCESS:
        return
    params = prediction.params
    yield from _check_client(params, parsed.find("/data"))
    yield from _check_members("session", _view(params, "session"), parsed.find("/session"))
    application = parsed.find("/application")
    yield from _check_members("application", _view(params, "application"), application)
    slug = params["application"]
    expected = {
        "/session/application": slug,
        "/session/remember_me": False,
        "/application/slug": slug,
    }
    if (name := model.applications.get(slug)) is not None:
        expected["/application/name"] = name
    for pointer, value in expected.items():
        yield from _compare(pointer, Grade.DECIDED, value, parsed.find(pointer))


def apply_outcome(
    model: WorldModel, prediction: Prediction, outcome: Outcome, session_token: Any
) -> None:
    """Applies the effects of an outcome to the model."""
    bearer, params, stage = prediction.bearer, prediction.params, outcome.status.stage
    if bearer is not None and stage not in BEFORE_IDENTITY and bearer.is_live(model.now):
        # The session counts as used whatever follows, unless it has expired (Q-SESSION-LIMITS).
        bearer.used = model.now
    password = params.text("client.password")
    if "welcome_mail_is_sent" in outcome.status.rules and model.mail_failures:
        model.mail_failures -= 1
        model.make_client(str(params.email), password)
    if stage is Stage.SUCCESS:
        user = model.make_client(str(params.email), password)
        model.mails[address_key(user.email)] += 1
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
        stored = await arranger.is_stored(email)
        if stored is not None and stored != client:
            yield Finding.of("stored", Grade.DECIDED, str(client), str(stored), met=False)
    # Every new client gets one mail.
    if stage in MAILING and MAIL in claims:
        expected = model.mails[address_key(email)]
        mails = await arranger.count_mails(email)
        if mails is not None and mails != expected:
            yield Finding.of("mailed", Grade.DECIDED, str(expected), str(mails), met=False)


def _check_client(params: PassedParams, data: Any) -> Iterator[Finding]:
    members = _view(params, "client")
    yield from _check_members("client", members, data)
    if not isinstance(data, Mapping):
        return
    expected: dict[str, Any] = {name: params[f"client.{name}"] for name in ECHOED}
    expected["email"] = params.email
    expected["enterprise"] = params["enterprise"] is True and params["client.company_id"] is None
    for name in set(members).intersection(expected):
        found = data.get(name, ABSENT)
        yield from _compare(f"/data/{name}", Grade.DOCUMENTED, expected[name], found)
    number = data.get("id", ABSENT)
    if type(number) is not int:
        shown = show_value(number)
        yield Finding.of("/data/id", Grade.DECIDED, "an integer", shown, met=False)


def _view(params: PassedParams, kind: str) -> tuple[str, ...]:
    requested = params["view" if kind == "client" else f"{kind}_view"]
    return VIEWS[kind][requested or "default"]


def _check_members(what: str, members: tuple[str, ...], found: Any) -> Iterator[Finding]:
    if not isinstance(found, Mapping) or set(found) != set(members):
        expected = f"an object with {', '.join(sorted(members))}"
        yield Finding.of(what, Grade.DECIDED, expected, show_value(found), met=False)


def _compare(pointer: str, grade: Grade, expected: Any, found: Any) -> Iterator[Finding]:
    if not same_json(found, expected):
        yield Finding.of(pointer, grade, show_value(expected), show_value(found), met=False)


def _error_entries(outcome: Outcome) -> list[dict[str, str]]:
    return [{"attr": attr, "message": message} for attr, message in outcome.errors or ()]
