"""The facts that must hold, one sentence each, and the loop that asks for them in the spec's order.

`x-statuses` names these functions: which row a fact belongs to, and so which status answers when it
does not hold, is written there and nowhere here. A fact looks only at its own matter; where another
fact is to blame (a wrong type, say) it holds.
"""

from collections.abc import Awaitable, Callable, Container

from clients_register.handlers import passwords
from clients_register.handlers.attempt import Attempt
from clients_register.handlers.refusals import Fault, Refusal
from clients_register.handlers.transport import UNREADABLE, media_type
from clients_register.spec.catalogue import Catalogue, SpecError, Stage

Faults = list[Fault]
Rule = Callable[[Attempt], Awaitable[Faults]]

HOLDS: Faults = []
BROKEN: Faults = [Fault()]
TAKEN = Fault("client.email", "taken")

TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict}

# Stages whose facts the spec names and this module tells. Those of the others hold or break by
# themselves, where Connexion routes and where the effects happen.
JUDGED = (Stage.DEPLOYMENT, Stage.TRANSPORT, Stage.IDENTITY, Stage.PARAMS)


async def hold(stage: Stage, attempt: Attempt) -> None:
    """Asks for the facts of `stage`, row by row; the first row with a fault raises Refusal."""
    passed = attempt.passed
    for status in attempt.services.catalogue.at(stage):
        attempt.faults = []
        broken = None
        for fact in status.facts:
            if found := await RULES[fact](attempt):
                attempt.faults += found
                broken = broken or fact
            else:
                passed.append(fact)
        if broken is not None:
            raise Refusal(broken, attempt.faults)


def check(catalogue: Catalogue) -> None:
    """Raises SpecError where the spec names a fact that is not told here, or leaves one out."""
    named = {fact for stage in JUDGED for row in catalogue.at(stage) for fact in row.facts}
    if unknown := sorted(named - set(RULES)):
        raise SpecError(f"x-statuses names facts that no rule tells: {', '.join(unknown)}")
    if unused := sorted(set(RULES) - named):
        raise SpecError(f"x-statuses names no row for these rules: {', '.join(unused)}")


async def service_is_deployed(attempt: Attempt) -> Faults:
    """The service of the route has a record."""
    service, _ = attempt.route
    return HOLDS if service in attempt.services.registry.services else BROKEN


async def route_is_deployed(attempt: Attempt) -> Faults:
    """The route has a record in its service."""
    service, action = attempt.route
    actions = attempt.services.registry.services.get(service, frozenset())
    return HOLDS if action in actions else BROKEN


async def content_type_is_accepted(attempt: Attempt) -> Faults:
    """The body is declared as the spec's media type, and is not compressed."""
    declared = media_type(attempt.request.content_type)
    encoding = attempt.request.content_encoding.strip().lower()
    accepted = declared == attempt.services.media_type and encoding in ("", "identity")
    return HOLDS if accepted else BROKEN


async def body_is_within_the_limit(attempt: Attempt) -> Faults:
    """The raw body is not over the server's limit."""
    return BROKEN if attempt.request.body is None else HOLDS


async def body_is_base64(attempt: Attempt) -> Faults:
    """The body is base64 of something, or nothing at all."""
    return BROKEN if attempt.body.decoded is None else HOLDS


async def body_is_json(attempt: Attempt) -> Faults:
    """What the base64 holds is JSON in UTF-8."""
    unreadable = attempt.body.stripped and attempt.body.value is UNREADABLE
    return BROKEN if unreadable else HOLDS


async def params_are_passed(attempt: Attempt) -> Faults:
    """The JSON is an object with at least one member, whatever its value."""
    value = attempt.body.value
    return HOLDS if isinstance(value, dict) and value else BROKEN


async def token_is_known(attempt: Attempt) -> Faults:
    """A token that is passed belongs to a session or an application."""
    return HOLDS if attempt.bearer is None or attempt.bearer.is_known else BROKEN


async def session_is_live(attempt: Attempt) -> Faults:
    """The session of the token is within its limits, or remembered."""
    bearer = attempt.bearer
    lapsed = bearer is not None and bearer.session is not None and not bearer.live
    return BROKEN if lapsed else HOLDS


async def user_has_a_role(attempt: Attempt) -> Faults:
    """The user of the token has a client, employee or liaison record."""
    bearer = attempt.bearer
    if bearer is None or bearer.session is None:
        return HOLDS
    return HOLDS if bearer.user is not None and bearer.user.has_a_role else BROKEN


async def required_params_are_passed(attempt: Attempt) -> Faults:
    """What the spec requires at the top level is there."""
    return _absent(attempt, container="")


async def types_are_right(attempt: Attempt) -> Faults:
    """Every parameter that is passed has the JSON type of the spec; nothing is coerced."""
    known = attempt.services.parameters.by_path
    return [
        Fault(path, "wrong_type")
        for path, value in attempt.params.passed()
        if (parameter := known.get(path)) is not None
        # To Python's `isinstance` a boolean is an integer; to JSON it is not.
        if type(value) is not TYPES[parameter.type]
    ]


async def email_is_well_formed(attempt: Attempt) -> Faults:
    """The address is one; whether it is too long is another matter."""
    if attempt.email is None or attempt.email_is_too_long or attempt.email_key is not None:
        return HOLDS
    return [Fault("client.email", "malformed")]


async def company_is_known(attempt: Attempt) -> Faults:
    """The company exists."""
    return _unrecognized(attempt, "client.company_id", attempt.services.registry.companies)


async def application_is_known(attempt: Attempt) -> Faults:
    """The application to log in to exists."""
    return _unrecognized(attempt, "application", attempt.services.registry.applications)


async def views_are_known(attempt: Attempt) -> Faults:
    """The views that are asked for exist."""
    faults: Faults = []
    for path, kind in attempt.services.parameters.views.items():
        faults += _unrecognized(attempt, path, attempt.services.views[kind])
    return faults


async def email_is_free(attempt: Attempt) -> Faults:
    """The address belongs to no client."""
    owner = await attempt.owner()
    return HOLDS if owner is None or owner.client is None else [TAKEN]


async def required_client_fields_are_passed(attempt: Attempt) -> Faults:
    """What the spec requires of a client is there."""
    return _absent(attempt, container="client")


async def lengths_are_kept(attempt: Attempt) -> Faults:
    """No value has more code points than the spec allows."""
    return [
        Fault(path, "too_long")
        for path, limit in attempt.services.parameters.max_lengths.items()
        if len(_measured(attempt, path)) > limit
    ]


async def password_can_be_hashed(attempt: Attempt) -> Faults:
    """The password is one that bcrypt hashes without loss."""
    password = attempt.params["client.password"]
    fault = passwords.fault_of(password) if isinstance(password, str) else None
    return HOLDS if fault is None else [Fault("client.password", fault)]


async def user_is_proven(attempt: Attempt) -> Faults:
    """Who makes a user that is there a client is that user, by password or by token."""
    if attempt.faults:
        return HOLDS
    owner = await attempt.owner()
    if owner is None or owner.client is not None or attempt.proves_by_token(owner):
        return HOLDS
    password = attempt.params["client.password"]
    if owner.password_hash is not None and await attempt.services.passwords.match(
        password, owner.password_hash
    ):
        return HOLDS
    return [Fault("client.password", "mismatch")]


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        service_is_deployed,
        route_is_deployed,
        content_type_is_accepted,
        body_is_within_the_limit,
        body_is_base64,
        body_is_json,
        params_are_passed,
        token_is_known,
        session_is_live,
        user_has_a_role,
        required_params_are_passed,
        types_are_right,
        email_is_well_formed,
        company_is_known,
        application_is_known,
        views_are_known,
        email_is_free,
        required_client_fields_are_passed,
        lengths_are_kept,
        password_can_be_hashed,
        user_is_proven,
    )
}


def _absent(attempt: Attempt, container: str) -> Faults:
    return [
        Fault(path, reason)
        for path in attempt.services.parameters.required.get(container, ())
        if (reason := attempt.params.absence(path)) is not None
    ]


def _unrecognized(attempt: Attempt, path: str, known: Container[object]) -> Faults:
    value = attempt.params[path]
    if value is None:
        return HOLDS
    hashable = isinstance(value, str | int) and not isinstance(value, bool)
    return [Fault(path, "unrecognized")] if hashable and value not in known else HOLDS


def _measured(attempt: Attempt, path: str) -> str:
    """What counts for the length of a parameter: an address after trimming, all else as sent."""
    value = attempt.email if path == "client.email" else attempt.params[path]
    return value if isinstance(value, str) else ""
