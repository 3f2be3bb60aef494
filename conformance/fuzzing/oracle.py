"""What the contract demands of one request: which statuses are right, with which errors and data.

The order of statuses, which fact belongs to which, names, types, lengths and views are read from
the spec; what each fact means is told here once more, apart from every server.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from clients_register import spec
from clients_register.conformance.fuzzing.addresses import Form, form, trimmed
from clients_register.conformance.fuzzing.params import PARAMETERS, VIEWS, Params, has_type
from clients_register.conformance.fuzzing.reading import Reading
from clients_register.conformance.fuzzing.world import Fault, Person, Session, World
from clients_register.conformance.verdicts import Grade, strongest
from clients_register.spec.schemas import severity
from clients_register.spec.statuses import Status, StatusTable, load_statuses

# Bytes of a password that every bcrypt hashes without loss (Q-PASSWORD).
MAX_PASSWORD = 72

# More doubts than these are not followed one by one.
MAX_DOUBTS = 6

Errors = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Outcome:
    """One right answer: its status, and the entries of `errors` where the status carries them."""

    status: Status
    errors: Errors | None
    grade: Grade


@dataclass(frozen=True)
class Allowed:
    """Every right answer to a request, the likeliest first, and all faults that were found.

    `bearer` is the session of its token, if it has one. `params` count as passed.
    """

    outcomes: tuple[Outcome, ...]
    faults: tuple[Fault, ...]
    params: Params
    bearer: Session | None

    def of(self, slug: str | None) -> tuple[Outcome, ...]:
        """Those whose status is spelt so, or otherwise."""
        return tuple(
            each for each in self.outcomes if slug in (each.status.slug, *_aliases(each.status))
        )


_DOCUMENT = spec.load("openapi")
_STATUSES: StatusTable = load_statuses()
_SEVERITY = severity(_DOCUMENT)
_LIMITS = {each.path: each.max_length for each in PARAMETERS if each.max_length is not None}


def expected(reading: Reading, world: World, *, routed: bool = True) -> Allowed:
    """What is right in `world`, which is left as it is.

    Not `routed` is what goes to another path, or by another method.
    """
    params = Params(reading.value if not reading.faults else None)
    faults = [Fault(fact) for fact in sorted(world.broken)]
    if not routed:
        faults.append(Fault("route_exists", grade=Grade.DOCUMENTED))
    faults += reading.faults
    bearer = None
    if all(each.doubtful for each in reading.faults):
        params = Params(reading.value)
        token = params.text("token")
        bearer = world.sessions.get(token) if token is not None else None
        faults += _identity(params, world)
        faults += _presence(params)
        faults += _types(params)
        faults += _values(params, world)
        faults += _people(params, world, bearer)
        if world.mail_failures:
            faults.append(Fault("welcome_mail_is_sent", grade=Grade.DOCUMENTED))
    certain = [each for each in faults if not each.doubtful]
    doubts = [each for each in faults if each.doubtful][:MAX_DOUBTS]
    outcomes: dict[tuple[str, Errors | None], Outcome] = {}
    for count in range(len(doubts) + 1):
        for held in combinations(doubts, count):
            outcome = _answer([*certain, *held], plain=reading.plain)
            outcomes.setdefault((outcome.status.slug, outcome.errors), outcome)
    return Allowed(tuple(outcomes.values()), tuple(faults), params, bearer)


def _aliases(status: Status) -> tuple[str, ...]:
    return tuple(each.slug for each in _STATUSES.aliases if each.alias_of == status.slug)


def _answer(faults: Sequence[Fault], *, plain: bool) -> Outcome:
    """The answer of the first row that has a fault."""
    rows = [row for row in _STATUSES.rows if any(each.fact in row.rules for each in faults)]
    if not rows:
        return Outcome(_STATUSES.success, None, Grade.DOCUMENTED if plain else Grade.DECIDED)
    row = rows[0]
    own = [each for each in faults if each.fact in row.rules]
    # Who is not proven is told so only if nothing else is wrong.
    told = [each for each in own if each.fact != "user_is_proven"] or own
    # What rests on the order of rows, rests on our choice of it (Q-PRECEDENCE).
    grade = Grade.DECIDED if len(rows) > 1 else strongest(each.grade for each in told)
    listed = _listed(told) if "errors" in row.carries else None
    return Outcome(row, listed, grade)


def _listed(faults: Sequence[Fault]) -> Errors:
    worst: dict[str, str] = {}
    for each in faults:
        assert each.attr is not None, "rows that carry errors have faults that name something"
        assert each.message is not None, "and say what is wrong with it"
        before = worst.get(each.attr)
        if before is None or _SEVERITY[each.message] < _SEVERITY[before]:
            worst[each.attr] = each.message
    return tuple(sorted(worst.items()))


def _identity(params: Params, world: World) -> Iterator[Fault]:
    token = params["token"]
    if token is None or (isinstance(token, str) and token in world.application_tokens):
        return
    session = world.sessions.get(token) if isinstance(token, str) else None
    if session is None:
        yield Fault("token_is_known", grade=Grade.FAMILY)
    elif not session.live(world.now):
        yield Fault("session_is_live", grade=Grade.FAMILY)
    elif not session.person.has_a_role:
        yield Fault("user_has_a_role", grade=Grade.FAMILY)


def _presence(params: Params) -> Iterator[Fault]:
    facts = {"": "required_params_are_passed", "client": "required_client_fields_are_passed"}
    for each in PARAMETERS:
        if each.required and each.path not in params.values:
            message = "empty" if each.path in params.blank else "missing"
            grade = Grade.DECIDED if each.container else Grade.DOCUMENTED
            yield Fault(facts[each.container], each.path, message, grade)


def _types(params: Params) -> Iterator[Fault]:
    for each in PARAMETERS:
        value = params[each.path]
        # A token of another type is no known one, and no more than that.
        if value is not None and not has_type(each, value) and each.path != "token":
            yield Fault("types_are_right", each.path, "wrong_type")


def _values(params: Params, world: World) -> Iterator[Fault]:
    email = params.email
    if email is not None and len(email) <= _LIMITS["client.email"]:
        formed = form(email)
        if formed is not Form.GOOD:
            grade = Grade.DOCUMENTED if formed is Form.MALFORMED else Grade.DECIDED
            open_ = formed is Form.OPEN
            yield Fault("email_is_well_formed", "client.email", "malformed", grade, open_)
    company = params["client.company_id"]
    if type(company) is int and company not in world.companies:
        yield Fault(
            "company_is_known",
            *("client.company_id", "unrecognized", Grade.DOCUMENTED, company in world.maybe),
        )
    application = params.text("application")
    if application is not None and application not in world.applications:
        yield Fault(
            "application_is_known",
            *("application", "unrecognized", Grade.DECIDED, application in world.maybe),
        )
    for each in PARAMETERS:
        name = params.text(each.path)
        if each.view_of is not None and name is not None and name not in VIEWS[each.view_of]:
            yield Fault("views_are_known", each.path, "unrecognized")
    yield from _storable(params)


def _storable(params: Params) -> Iterator[Fault]:
    for path, limit in _LIMITS.items():
        text = params.text(path)
        if text is None or path == "client.password":
            continue
        if len(trimmed(text) if path == "client.email" else text) > limit:
            yield Fault("lengths_are_kept", path, "too_long", Grade.FAMILY)
        elif "\0" in text and path != "client.email" and path.startswith("client."):
            # Not every store can keep it.
            yield Fault("lengths_are_kept", path, "malformed", doubtful=True)
    password = params.text("client.password") or ""
    if "\0" in password:
        yield Fault("password_can_be_hashed", "client.password", "malformed")
    elif len(password.encode()) > MAX_PASSWORD:
        yield Fault("password_can_be_hashed", "client.password", "too_long")


def _people(params: Params, world: World, bearer: Session | None) -> Iterator[Fault]:
    email = params.email
    if email is None or len(email) > _LIMITS["client.email"]:
        return
    owner = world.owner(email)
    if owner is None:
        if world.maybe_owned(email):
            yield Fault("email_is_free", "client.email", "taken", doubtful=True)
    elif owner.client:
        yield Fault("email_is_free", "client.email", "taken", Grade.DOCUMENTED)
    elif not _proven(owner, params, bearer):
        yield Fault("user_is_proven", "client.password", "mismatch")


def _proven(owner: Person, params: Params, bearer: Session | None) -> bool:
    by_token = bearer is not None and bearer.person is owner
    return by_token or owner.password == (params.text("client.password") or object())
