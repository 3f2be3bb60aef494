"""The oracle: predicts every correct response to a request, from the spec and a model.

    predict
      decode_request   media type, base64, JSON -> broken rules, value
      PassedParams     the parameters that count as passed
      _find_...        broken rules of identity, presence, types, values, people
      find_questions   the open questions that the parameters raise
      _outcome         the first row of the spec with a broken rule determines the response

The order of statuses, the rules of each, names, types, lengths and views come from the spec; what
each rule means is implemented here independently of any server.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from clients_register import spec
from clients_register.conformance.fuzz.params import (
    MAX_LENGTHS,
    MAX_PASSWORD,
    PARAMETERS,
    VIEWS,
    PassedParams,
    find_questions,
    has_type,
)
from clients_register.conformance.fuzz.request_decoding import BrokenRule, DecodedRequest
from clients_register.conformance.fuzz.world_model import (
    AddressForm,
    SessionModel,
    UserModel,
    WorldModel,
    classify_address,
    trim,
)
from clients_register.conformance.grades import (
    ErrorEntry,
    Grade,
    grade_of_status,
    load_grades,
    strongest,
    weakest,
)
from clients_register.spec.schemas import severity
from clients_register.spec.statuses import Status, StatusTable, load_statuses

# With more uncertain rules than this, the rest are ignored: each doubles the outcomes.
MAX_UNCERTAIN = 6

_STATUSES: StatusTable = load_statuses()
_SEVERITY = severity(spec.load("openapi"))

Errors = tuple[ErrorEntry, ...]


@dataclass(frozen=True)
class Outcome:
    """One correct response: its status, and its `errors` if the status carries them.

    `grade` is the evidence for the status. `questions` are the open ones on which the response
    rests, apart from those of the entries of `errors`.
    """

    status: Status
    errors: Errors | None
    grade: Grade
    questions: frozenset[str] = frozenset()

    @property
    def cause(self) -> Grade:
        """The evidence for what the response rests on."""
        return load_grades().of_causes(self.questions)


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


def predict(
    request: DecodedRequest,
    model: WorldModel,
    misrouted: Sequence[BrokenRule] = (),
    questions: Iterable[str] = (),
) -> Prediction:
    """Predicts the correct responses in the state of `model`, which is not changed.

    `misrouted` are rules of routing that the request violates, `questions` those that it raises
    apart from the others.
    """
    params = PassedParams(request.value if not request.broken else None)
    broken = [BrokenRule(rule) for rule in sorted(model.broken)]
    broken += [*misrouted, *request.broken]
    raised = {*questions, *request.questions}
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
            broken.append(BrokenRule("welcome_mail_is_sent"))
        raised.update(find_questions(request.value, params, model, bearer))
    certain = [each for each in broken if not each.uncertain]
    uncertain = [each for each in broken if each.uncertain][:MAX_UNCERTAIN]
    outcomes: dict[tuple[str, Errors | None], Outcome] = {}
    for count in range(len(uncertain) + 1):
        for chosen in combinations(uncertain, count):
            outcome = _outcome([*certain, *chosen], raised)
            outcomes.setdefault((outcome.status.slug, outcome.errors), outcome)
    return Prediction(tuple(outcomes.values()), tuple(broken), params, bearer)


def _find_identity(params: PassedParams, model: WorldModel) -> Iterator[BrokenRule]:
    token = params["token"]
    if token is None or (isinstance(token, str) and token in model.application_tokens):
        return
    session = model.sessions.get(token) if isinstance(token, str) else None
    if session is None:
        yield BrokenRule("token_is_known", question="Q-TOKEN")
        return
    if not session.is_live(model.now):
        yield BrokenRule("session_is_live", question="Q-TOKEN")
    if not session.user.has_a_role:
        yield BrokenRule("user_has_a_role", question="Q-TOKEN")


def _find_missing(params: PassedParams) -> Iterator[BrokenRule]:
    rules = {"": "required_params_are_passed", "client": "required_client_fields_are_passed"}
    for each in PARAMETERS:
        if each.container and not isinstance(params[each.container], dict):
            continue
        if each.required and each.path not in params.values:
            message = "empty" if each.path in params.blank else "missing"
            yield BrokenRule(rules[each.container], each.path, message)


def _find_wrong_types(params: PassedParams) -> Iterator[BrokenRule]:
    for each in PARAMETERS:
        value = params[each.path]
        # A token of another type is just an unknown one.
        if value is not None and not has_type(each, value) and each.path != "token":
            yield BrokenRule("types_are_right", each.path, "wrong_type")


def _find_wrong_values(params: PassedParams, model: WorldModel) -> Iterator[BrokenRule]:
    email = params.email
    if email is not None and len(email) <= MAX_LENGTHS["client.email"]:
        form = classify_address(email)
        if form is not AddressForm.VALID:
            uncertain = form is AddressForm.OPEN
            yield BrokenRule(
                "email_is_well_formed", "client.email", "malformed", uncertain=uncertain
            )
    company = params["client.company_id"]
    if type(company) is int and company not in model.companies:
        yield BrokenRule(
            "company_is_known",
            "client.company_id",
            "unrecognized",
            uncertain=model.may_know_company(company),
        )
    application = params.text("application")
    if application is not None and application not in model.applications:
        yield BrokenRule(
            "application_is_known",
            "application",
            "unrecognized",
            uncertain=application in model.possibly_known,
        )
    for each in PARAMETERS:
        name = params.text(each.path)
        if each.view_of is not None and name is not None and name not in VIEWS[each.view_of]:
            yield BrokenRule("views_are_known", each.path, "unrecognized")
    yield from _find_unstorable(params)


def _find_unstorable(params: PassedParams) -> Iterator[BrokenRule]:
    for path, limit in MAX_LENGTHS.items():
        text = params.text(path)
        if text is None or path == "client.password":
            continue
        if len(trim(text) if path == "client.email" else text) > limit:
            yield BrokenRule("lengths_are_kept", path, "too_long")
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
    if email is None or len(email) > MAX_LENGTHS["client.email"]:
        return
    owner = model.find_user(email)
    if owner is None:
        if model.may_be_taken(email):
            yield BrokenRule("email_is_free", "client.email", "taken", uncertain=True)
    elif owner.client:
        yield BrokenRule("email_is_free", "client.email", "taken")
    elif not _is_proven(owner, params, bearer):
        yield BrokenRule("user_is_proven", "client.password", "mismatch")


def _is_proven(owner: UserModel, params: PassedParams, bearer: SessionModel | None) -> bool:
    by_token = bearer is not None and bearer.user is owner
    return by_token or owner.password == (params.text("client.password") or object())


def _outcome(broken: Sequence[BrokenRule], raised: set[str]) -> Outcome:
    """Returns the correct response to a request that raises some questions."""
    rows = [row for row in _STATUSES.rows if any(each.rule in row.rules for each in broken)]
    row = rows[0] if rows else _STATUSES.success
    own = [each for each in broken if each.rule in row.rules]
    # A missing proof is reported only if nothing else is wrong.
    reported = [each for each in own if each.rule != "user_is_proven"] or own
    errors = _merge_errors(reported) if "errors" in row.carries else None
    questions = {*raised}
    if len(rows) > 1:
        # The outcome rests on our order of the rows.
        questions.add("Q-PRECEDENCE")
    rule = Grade.DOCUMENTED
    if reported:
        # Any one of the rules supports the status.
        rule = strongest(each.grade for each in reported)
        supporting = next(each for each in reported if each.grade is rule)
        if supporting.question is not None:
            questions.add(supporting.question)
    if errors is not None:
        questions.difference_update(load_grades().key_of_error(*each) for each in errors)
    cause = load_grades().of_causes(questions)
    return Outcome(row, errors, grade_of_status(row, weakest((rule, cause))), frozenset(questions))


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
