"""The rules, and the loop that checks them in the order of the spec.

`x-statuses` names these functions. It alone decides which status a violated rule leads to, and in
which order rules are checked. A rule looks only at its own concern; a parameter that violates
another rule, for example by its type, passes this one.
"""

from collections.abc import Awaitable, Callable, Container, Sequence

from clients_register.handlers.context import FieldError, RequestContext, Route
from clients_register.handlers.decoding import UNREADABLE, parse_media_type
from clients_register.handlers.passwords import password_problem
from clients_register.spec.statuses import SpecError, Stage, StatusTable

Errors = list[FieldError]
# A rule that has to wait for something, such as the store, is a coroutine function.
Rule = Callable[[RequestContext], Errors | Awaitable[Errors]]

PASSED: Errors = []
VIOLATED: Errors = [FieldError()]
EMAIL_TAKEN = FieldError("client.email", "taken")

TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict}

# The stages whose rules are functions of this module. The rules of the others are violated by
# events: Connexion finds no route, a handler crashes, a mail fails.
CHECKED_STAGES = (Stage.DEPLOYMENT, Stage.TRANSPORT, Stage.IDENTITY, Stage.PARAMS)


class RuleViolation(Exception):
    """Ends processing of a request; the spec determines the status from the violated rule."""

    def __init__(self, rule: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(rule)
        self.rule = rule
        self.errors = errors


async def check_rules(context: RequestContext, *stages: Stage) -> None:
    """Checks the rules of `stages` row by row.

    Raises RuleViolation at the first row with errors.
    """
    statuses, passed = context.services.statuses, context.passed_rules
    for stage in stages:
        for status in statuses.in_stage(stage):
            violated = None
            for rule in status.rules:
                errors = RULES[rule](context)
                # Most rules have nothing to wait for, and awaiting takes half as long as a rule.
                if not isinstance(errors, list):
                    errors = await errors
                if errors:
                    context.errors += errors
                    violated = violated or rule
                else:
                    passed.append(rule)
            if violated is not None:
                raise RuleViolation(violated, context.errors)


async def check_rule(rule: str, context: RequestContext) -> Errors:
    """Checks a single rule, as `check_rules` does, which would be slower if it called this."""
    errors = RULES[rule](context)
    return errors if isinstance(errors, list) else await errors


def check_statuses(statuses: StatusTable) -> None:
    """Raises SpecError unless the spec names exactly the rules of this module."""
    named = {
        rule for stage in CHECKED_STAGES for row in statuses.in_stage(stage) for rule in row.rules
    }
    if unknown := sorted(named - set(RULES)):
        raise SpecError(f"x-statuses names rules that do not exist: {', '.join(unknown)}")
    if unused := sorted(set(RULES) - named):
        raise SpecError(f"x-statuses has no row for these rules: {', '.join(unused)}")


def service_is_deployed(context: RequestContext) -> Errors:
    """The service of the route has a record."""
    service = _route(context).service
    return PASSED if service in context.services.registry.services else VIOLATED


def route_is_deployed(context: RequestContext) -> Errors:
    """The route has a record in its service."""
    service, action = _route(context)
    actions = context.services.registry.services.get(service, frozenset())
    return PASSED if action in actions else VIOLATED


def content_type_is_accepted(context: RequestContext) -> Errors:
    """The body has the media type of the spec and is not compressed."""
    declared = parse_media_type(context.request.content_type)
    encoding = context.request.content_encoding.strip().lower()
    accepted = declared == context.services.media_type and encoding in ("", "identity")
    return PASSED if accepted else VIOLATED


def body_is_within_the_limit(context: RequestContext) -> Errors:
    """The raw body does not exceed the limit of the server."""
    return VIOLATED if context.request.body is None else PASSED


def body_is_base64(context: RequestContext) -> Errors:
    """The body is base64, or empty."""
    return VIOLATED if context.body.decoded is None else PASSED


def body_is_json(context: RequestContext) -> Errors:
    """The decoded body is JSON in UTF-8."""
    unreadable = context.body.stripped and context.body.value is UNREADABLE
    return VIOLATED if unreadable else PASSED


def params_are_passed(context: RequestContext) -> Errors:
    """The JSON is an object with at least one member, which may be null."""
    value = context.body.value
    return PASSED if isinstance(value, dict) and value else VIOLATED


def token_is_known(context: RequestContext) -> Errors:
    """The token, if any, belongs to a session or an application."""
    return PASSED if context.bearer is None or context.bearer.is_known else VIOLATED


def session_is_live(context: RequestContext) -> Errors:
    """The session of the token has not expired, or is a remembered one."""
    bearer = context.bearer
    expired = bearer is not None and bearer.session is not None and not bearer.is_live
    return VIOLATED if expired else PASSED


def user_has_a_role(context: RequestContext) -> Errors:
    """The user of the token has a client, employee or liaison record."""
    bearer = context.bearer
    if bearer is None or bearer.session is None:
        return PASSED
    return PASSED if bearer.user is not None and bearer.user.has_a_role else VIOLATED


def required_params_are_passed(context: RequestContext) -> Errors:
    """The parameters that the spec requires at the top level are present."""
    return _absent(context, container="")


def types_are_right(context: RequestContext) -> Errors:
    """Each parameter has the JSON type of the spec; no value is coerced."""
    known = context.services.parameters.by_path
    return [
        FieldError(path, "wrong_type")
        for path, value in context.params.items()
        # `isinstance` would accept a boolean as an integer.
        if path in known and type(value) is not TYPES[known[path].type]
    ]


def email_is_well_formed(context: RequestContext) -> Errors:
    """The e-mail address is valid, apart from its length."""
    if context.email is None or context.email_is_too_long or context.email_key is not None:
        return PASSED
    return [FieldError("client.email", "malformed")]


def company_is_known(context: RequestContext) -> Errors:
    """The company exists."""
    return _unrecognized(context, "client.company_id", context.services.registry.companies)


def application_is_known(context: RequestContext) -> Errors:
    """The application exists."""
    return _unrecognized(context, "application", context.services.registry.applications)


def views_are_known(context: RequestContext) -> Errors:
    """The requested views exist."""
    params, views = context.params, context.services.views
    errors: Errors = []
    for path, kind in context.services.parameters.views.items():
        if path in params:
            errors += _unrecognized(context, path, views[kind])
    return errors


async def email_is_free(context: RequestContext) -> Errors:
    """No client has the e-mail address."""
    user = await context.find_user()
    return PASSED if user is None or user.client is None else [EMAIL_TAKEN]


def required_client_fields_are_passed(context: RequestContext) -> Errors:
    """The parameters that the spec requires of a client are present."""
    return _absent(context, container="client")


def lengths_are_kept(context: RequestContext) -> Errors:
    """No value is longer than the spec allows, in code points."""
    limits = context.services.parameters.max_lengths
    return [
        FieldError(path, "too_long")
        for path, value in context.params.items()
        if path in limits and isinstance(value, str) and len(value) > limits[path]
        # An address is measured without the white space around it.
        if path != "client.email" or context.email_is_too_long
    ]


def password_can_be_hashed(context: RequestContext) -> Errors:
    """bcrypt can hash the password without truncating it."""
    password = context.params["client.password"]
    problem = password_problem(password) if isinstance(password, str) else None
    return PASSED if problem is None else [FieldError("client.password", problem)]


async def user_is_proven(context: RequestContext) -> Errors:
    """An existing user is authenticated, by password or by session token."""
    if context.errors:
        return PASSED
    user = await context.find_user()
    if user is None or user.client is not None or context.is_authenticated_as(user):
        return PASSED
    password = context.params["client.password"]
    if user.password_hash is not None and await context.services.passwords.verify(
        password, user.password_hash
    ):
        return PASSED
    return [FieldError("client.password", "mismatch")]


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


def _route(context: RequestContext) -> Route:
    assert context.route is not None, "rules are checked once the request is routed"
    return context.route


def _absent(context: RequestContext, container: str) -> Errors:
    params = context.params
    return [
        FieldError(path, params.absence(path))
        for path in context.services.parameters.required.get(container, ())
        if path not in params
    ]


def _unrecognized(context: RequestContext, path: str, known: Container[object]) -> Errors:
    value = context.params[path]
    if value is None:
        return PASSED
    hashable = isinstance(value, str | int) and not isinstance(value, bool)
    return [FieldError(path, "unrecognized")] if hashable and value not in known else PASSED
