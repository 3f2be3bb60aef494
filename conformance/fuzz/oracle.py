"""The oracle: predicts every correct response to a request, from the spec and a model.

    predict
      decode_request   media type, base64, JSON -> broken rules, value
      PassedParams     the parameters that count as passed
      _find_...        broken rules of identity, presence, types, values, people
      _outcome         the first row of the spec with a broken rule determines the response

The order of statuses, the rules of each, names, types, lengths and views come from the spec; what
each rule means is implemented here independently of any server.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from clients_register import spec
from clients_register.conformance.case import Grade, strongest
from clients_register.conformance.fuzz.model import (
    WHITE_SPACE,
    AddressForm,
    SessionModel,
    UserModel,
    WorldModel,
    classify_address,
    trim,
)
from clients_register.conformance.strict_json import NotJson, parse_json
from clients_register.spec.schemas import Parameter, media_type, parameters, severity, views
from clients_register.spec.statuses import Status, StatusTable, load_statuses

# Bytes of a raw body that a server accepts by default (Q-BODY-LIMIT).
BODY_LIMIT = 65_536

# Nesting that every server accepts (start) and that every server refuses (stop).
DEPTH = range(64, 1025)

# Bytes of a password that bcrypt hashes without loss (Q-PASSWORD).
MAX_PASSWORD = 72

# With more uncertain rules than this, the rest are ignored: each doubles the outcomes.
MAX_UNCERTAIN = 6

_DOCUMENT = spec.load("openapi")
_STATUSES: StatusTable = load_statuses()
_SEVERITY = severity(_DOCUMENT)

MEDIA_TYPE = media_type(_DOCUMENT)
PARAMETERS: tuple[Parameter, ...] = parameters(_DOCUMENT)

# kind of object -> name of a view -> the members it shows
VIEWS = views(_DOCUMENT)

_MAX_LENGTHS = {each.path: each.max_length for each in PARAMETERS if each.max_length is not None}
_TYPES: Mapping[str, type] = {"string": str, "boolean": bool, "integer": int, "object": dict}

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_DIGITS = {sign: value for value, sign in enumerate(_ALPHABET)}
_GROUP = 4
_BYTE = 8

Errors = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class BrokenRule:
    """A rule of `x-statuses` that a request violates.

    `attr` and `message` are its entry in `errors`, if its status lists any. `grade` is the evidence
    for the rule; correct servers may differ about one that is `uncertain`.
    """

    rule: str
    attr: str | None = None
    message: str | None = None
    grade: Grade = Grade.DECIDED
    uncertain: bool = False


@dataclass(frozen=True)
class DecodedRequest:
    """The JSON value of a request, and the rules that it violates on the way there.

    `plain`: it uses no detail that only we have decided.
    """

    broken: tuple[BrokenRule, ...]
    value: Any = None
    plain: bool = False


class PassedParams:
    """The parameters that count as passed (neither null nor blank), by dotted path."""

    def __init__(self, sent: Any) -> None:
        self.values: dict[str, Any] = {}
        self.blank: set[str] = set()
        for parameter in PARAMETERS:
            container = self.values.get(parameter.container) if parameter.container else sent
            name = parameter.path.rpartition(".")[2]
            value = container.get(name) if isinstance(container, dict) else None
            if isinstance(value, str) and not value.strip(WHITE_SPACE):
                self.blank.add(parameter.path)
            elif value is not None:
                self.values[parameter.path] = value

    def __getitem__(self, path: str) -> Any:
        """Returns the value at `path`; None if none was passed."""
        return self.values.get(path)

    def text(self, path: str) -> str | None:
        """Returns the value at `path` if it is a string."""
        value = self[path]
        return value if isinstance(value, str) else None

    @property
    def email(self) -> str | None:
        """The address as it would be stored."""
        sent = self.text("client.email")
        return None if sent is None else trim(sent)


@dataclass(frozen=True)
class Outcome:
    """One correct response: its status, and its `errors` if the status carries them."""

    status: Status
    errors: Errors | None
    grade: Grade


@dataclass(frozen=True)
class Prediction:
    """Every correct response to a request, likeliest first, and all rules that it violates.

    `bearer` is the session of its token, if it has one.
    """

    outcomes: tuple[Outcome, ...]
    broken: tuple[BrokenRule, ...]
    params: PassedParams
    bearer: SessionModel | None

    def outcomes_of(self, slug: str | None) -> tuple[Outcome, ...]:
        """Returns the outcomes whose status has this slug, in any spelling."""
        return tuple(
            each
            for each in self.outcomes
            if slug is not None and slug in _STATUSES.spellings(each.status.slug)
        )


def predict(request: DecodedRequest, model: WorldModel, *, routed: bool = True) -> Prediction:
    """Predicts the correct responses in the state of `model`, which is not changed.

    A request that is not `routed` has another path or method.
    """
    params = PassedParams(request.value if not request.broken else None)
    broken = [BrokenRule(rule) for rule in sorted(model.broken)]
    if not routed:
        broken.append(BrokenRule("route_exists", grade=Grade.DOCUMENTED))
    broken += request.broken
    bearer = None
    if all(each.uncertain for each in request.broken):
        params = PassedParams(request.value)
        token = params.text("token")
        bearer = model.sessions.get(token) if token is not None else None
        broken += _find_identity(params, model)
        broken += _find_missing(params)
        broken += _find_wrong_types(params)
        broken += _find_wrong_values(params, model)
        broken += _find_people(params, model, bearer)
        if model.mail_failures:
            broken.append(BrokenRule("welcome_mail_is_sent", grade=Grade.DOCUMENTED))
    certain = [each for each in broken if not each.uncertain]
    uncertain = [each for each in broken if each.uncertain][:MAX_UNCERTAIN]
    outcomes: dict[tuple[str, Errors | None], Outcome] = {}
    for count in range(len(uncertain) + 1):
        for chosen in combinations(uncertain, count):
            outcome = _outcome([*certain, *chosen], plain=request.plain)
            outcomes.setdefault((outcome.status.slug, outcome.errors), outcome)
    return Prediction(tuple(outcomes.values()), tuple(broken), params, bearer)


def decode_request(headers: Sequence[tuple[str, str]], body: bytes) -> DecodedRequest:
    """Decodes a request with these headers and this raw body."""
    broken = [*_find_content_type(headers)]
    if len(body) > BODY_LIMIT:
        broken.append(BrokenRule("body_is_within_the_limit"))
    packed = body.translate(None, delete=WHITE_SPACE.encode())
    if not packed:
        return DecodedRequest((*broken, BrokenRule("params_are_passed")))
    content = decode_base64(packed)
    if content is None:
        return DecodedRequest((*broken, BrokenRule("body_is_base64")))
    try:
        document = parse_json(content)
    except NotJson:
        return DecodedRequest((*broken, BrokenRule("body_is_json")))
    if document.depth >= DEPTH.stop:
        broken.append(BrokenRule("body_is_json"))
    elif document.depth > DEPTH.start:
        broken.append(BrokenRule("body_is_json", uncertain=True))
    if not isinstance(document.value, dict) or not document.value:
        broken.append(BrokenRule("params_are_passed"))
    plain = packed == body and _has_plain_type(headers)
    return DecodedRequest(tuple(broken), document.value, plain)


def decode_base64(packed: bytes) -> bytes | None:
    """Decodes base64 without white space (RFC 4648, section 4); None if it is invalid.

    Independent of the standard library, whose decoder is lenient.
    """
    digits = packed.rstrip(b"=")
    pads = len(packed) - len(digits)
    if len(packed) % _GROUP or pads > 2:  # noqa: PLR2004 - a group encodes at least one byte
        return None
    content = bytearray()
    buffered = bits = 0
    for sign in digits:
        if sign not in _DIGITS:
            return None
        buffered = (buffered << 6 | _DIGITS[sign]) & 0xFFFF
        bits += 6
        if bits >= _BYTE:
            bits -= _BYTE
            content.append(buffered >> bits & 0xFF)
    return bytes(content)


def has_type(parameter: Parameter, value: Any) -> bool:
    """Tells whether a value has the JSON type of its parameter; a boolean is no integer."""
    return type(value) is _TYPES[parameter.type]


def _find_content_type(headers: Sequence[tuple[str, str]]) -> Iterator[BrokenRule]:
    types = [value for name, value in headers if name.lower() == "content-type"]
    codings = [value for name, value in headers if name.lower() == "content-encoding"]
    if len(types) > 1 or len(codings) > 1:
        # The meaning of repeated headers is open.
        yield BrokenRule("content_type_is_accepted", uncertain=True)
        return
    declared = types[0].partition(";")[0].strip(WHITE_SPACE).lower() if types else ""
    coding = codings[0].strip(WHITE_SPACE).lower() if codings else ""
    if declared != MEDIA_TYPE or coding not in ("", "identity"):
        documented = declared and declared != MEDIA_TYPE
        grade = Grade.DOCUMENTED if documented else Grade.DECIDED
        yield BrokenRule("content_type_is_accepted", grade=grade)


def _has_plain_type(headers: Sequence[tuple[str, str]]) -> bool:
    return [value for name, value in headers if name.lower().startswith("content-")] == [MEDIA_TYPE]


def _find_identity(params: PassedParams, model: WorldModel) -> Iterator[BrokenRule]:
    token = params["token"]
    if token is None or (isinstance(token, str) and token in model.application_tokens):
        return
    session = model.sessions.get(token) if isinstance(token, str) else None
    if session is None:
        yield BrokenRule("token_is_known", grade=Grade.FAMILY)
    elif not session.is_live(model.now):
        yield BrokenRule("session_is_live", grade=Grade.FAMILY)
    elif not session.user.has_a_role:
        yield BrokenRule("user_has_a_role", grade=Grade.FAMILY)


def _find_missing(params: PassedParams) -> Iterator[BrokenRule]:
    rules = {"": "required_params_are_passed", "client": "required_client_fields_are_passed"}
    for each in PARAMETERS:
        if each.required and each.path not in params.values:
            message = "empty" if each.path in params.blank else "missing"
            grade = Grade.DECIDED if each.container else Grade.DOCUMENTED
            yield BrokenRule(rules[each.container], each.path, message, grade)


def _find_wrong_types(params: PassedParams) -> Iterator[BrokenRule]:
    for each in PARAMETERS:
        value = params[each.path]
        # A token of another type is just an unknown one.
        if value is not None and not has_type(each, value) and each.path != "token":
            yield BrokenRule("types_are_right", each.path, "wrong_type")


def _find_wrong_values(params: PassedParams, model: WorldModel) -> Iterator[BrokenRule]:
    email = params.email
    if email is not None and len(email) <= _MAX_LENGTHS["client.email"]:
        form = classify_address(email)
        if form is not AddressForm.VALID:
            grade = Grade.DOCUMENTED if form is AddressForm.MALFORMED else Grade.DECIDED
            uncertain = form is AddressForm.OPEN
            yield BrokenRule("email_is_well_formed", "client.email", "malformed", grade, uncertain)
    company = params["client.company_id"]
    if type(company) is int and company not in model.companies:
        yield BrokenRule(
            "company_is_known",
            "client.company_id",
            "unrecognized",
            Grade.DOCUMENTED,
            uncertain=model.may_know_company(company),
        )
    application = params.text("application")
    if application is not None and application not in model.applications:
        yield BrokenRule(
            "application_is_known",
            "application",
            "unrecognized",
            Grade.DECIDED,
            uncertain=application in model.possibly_known,
        )
    for each in PARAMETERS:
        name = params.text(each.path)
        if each.view_of is not None and name is not None and name not in VIEWS[each.view_of]:
            yield BrokenRule("views_are_known", each.path, "unrecognized")
    yield from _find_unstorable(params)


def _find_unstorable(params: PassedParams) -> Iterator[BrokenRule]:
    for path, limit in _MAX_LENGTHS.items():
        text = params.text(path)
        if text is None or path == "client.password":
            continue
        if len(trim(text) if path == "client.email" else text) > limit:
            yield BrokenRule("lengths_are_kept", path, "too_long", Grade.FAMILY)
        elif "\0" in text and path != "client.email" and path.startswith("client."):
            # Some stores cannot hold it.
            yield BrokenRule("lengths_are_kept", path, "malformed", uncertain=True)
    password = params.text("client.password") or ""
    if "\0" in password:
        yield BrokenRule("password_can_be_hashed", "client.password", "malformed")
    elif len(password.encode()) > MAX_PASSWORD:
        yield BrokenRule("password_can_be_hashed", "client.password", "too_long")


def _find_people(
    params: PassedParams, model: WorldModel, bearer: SessionModel | None
) -> Iterator[BrokenRule]:
    email = params.email
    if email is None or len(email) > _MAX_LENGTHS["client.email"]:
        return
    owner = model.find_user(email)
    if owner is None:
        if model.may_be_taken(email):
            yield BrokenRule("email_is_free", "client.email", "taken", uncertain=True)
    elif owner.client:
        yield BrokenRule("email_is_free", "client.email", "taken", Grade.DOCUMENTED)
    elif not _is_proven(owner, params, bearer):
        yield BrokenRule("user_is_proven", "client.password", "mismatch")


def _is_proven(owner: UserModel, params: PassedParams, bearer: SessionModel | None) -> bool:
    by_token = bearer is not None and bearer.user is owner
    return by_token or owner.password == (params.text("client.password") or object())


def _outcome(broken: Sequence[BrokenRule], *, plain: bool) -> Outcome:
    rows = [row for row in _STATUSES.rows if any(each.rule in row.rules for each in broken)]
    if not rows:
        return Outcome(_STATUSES.success, None, Grade.DOCUMENTED if plain else Grade.DECIDED)
    row = rows[0]
    own = [each for each in broken if each.rule in row.rules]
    # A missing proof is reported only if nothing else is wrong.
    reported = [each for each in own if each.rule != "user_is_proven"] or own
    # With several rows, the outcome rests on our order of them (Q-PRECEDENCE).
    grade = Grade.DECIDED if len(rows) > 1 else strongest(each.grade for each in reported)
    errors = _merge_errors(reported) if "errors" in row.carries else None
    return Outcome(row, errors, grade)


def _merge_errors(broken: Sequence[BrokenRule]) -> Errors:
    """Returns one message per attribute, the most severe."""
    messages: dict[str, str] = {}
    for each in broken:
        assert each.attr is not None, "rules of a status with errors have an attribute"
        assert each.message is not None, "and a message"
        before = messages.get(each.attr)
        if before is None or _SEVERITY[each.message] < _SEVERITY[before]:
            messages[each.attr] = each.message
    return tuple(sorted(messages.items()))
