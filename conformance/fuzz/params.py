"""The parameters of a request, by the spec, and the open questions that they raise.

A correct response to an ordinary request rests on the owner's page alone. An extra parameter, a
blank one or an unusual value is accepted because we answer an open question that way, so the grade
of the response is that of the answer, whatever rules the request violates. The questions of a
violated rule belong to the rule.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from clients_register import spec
from clients_register.conformance.fuzz.world_model import (
    MAX_AGE,
    MAX_IDLE,
    WHITE_SPACE,
    AddressForm,
    SessionModel,
    WorldModel,
    classify_address,
    trim,
)
from clients_register.spec.schemas import Parameter, parameters, views

# Bytes of a password that bcrypt hashes without loss (Q-PASSWORD).
MAX_PASSWORD = 72

_DOCUMENT = spec.load("openapi")

PARAMETERS: tuple[Parameter, ...] = parameters(_DOCUMENT)

MAX_LENGTHS = {each.path: each.max_length for each in PARAMETERS if each.max_length is not None}

# kind of object -> name of a view -> the members it shows
VIEWS = views(_DOCUMENT)

_TYPES: Mapping[str, type] = {"string": str, "boolean": bool, "integer": int, "object": dict}

# Values that any server accepts, whatever its own limits may be.
ORDINARY_LENGTH = 100
_ORDINARY_PASSWORD = re.compile(r"[!-~][ -~]{6,62}[!-~]")
_ORDINARY_PHONE = re.compile(r"\+?[0-9 ()./ext-]{1,40}")
_LABEL = r"(?:[a-z][a-z0-9-]*|[0-9]+[a-z]+)"
_ORDINARY_ADDRESS = re.compile(rf"[a-z0-9.-]{{1,40}}@{_LABEL}(?:\.{_LABEL}){{1,4}}")

# How near a limit of a session correct servers may disagree whether it is exceeded.
MARGIN = timedelta(minutes=1)

_NAMES = ("client.first_name", "client.last_name", "client.company_name")
_TOP = {each.path for each in PARAMETERS if not each.container}
_IN_CLIENT = {each.path.rpartition(".")[2] for each in PARAMETERS if each.container}


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


def has_type(parameter: Parameter, value: Any) -> bool:
    """Tells whether a value has the JSON type of its parameter; a boolean is no integer."""
    return type(value) is _TYPES[parameter.type]


def find_questions(
    sent: Any, params: PassedParams, model: WorldModel, bearer: SessionModel | None
) -> Iterator[str]:
    """Yields the questions that parameters raise; `sent` still has nulls and blanks."""
    yield from _find_presence(sent, params)
    yield from _find_views(params)
    yield from _find_texts(params)
    yield from _find_address(params, model)
    if params["enterprise"] is True and params["client.company_id"] is not None:
        yield "Q-ENTERPRISE-COMPANY"
    if params.text("application") in model.unstated_applications:
        yield "Q-APPLICATION-VALUES"
    if params["token"] is not None:
        of_application = params.text("token") in model.application_tokens
        yield "Q-APPLICATION-TOKEN" if of_application else "Q-TOKEN"
    if bearer is not None and bearer.is_live(model.now) and not bearer.remembered:
        yield from _find_session(bearer, model.now)


def _find_presence(sent: Any, params: PassedParams) -> Iterator[str]:
    client = sent.get("client") if isinstance(sent, dict) else None
    for container, names in ((sent, _TOP), (client, _IN_CLIENT)):
        if not isinstance(container, dict):
            continue
        known = [value for name, value in container.items() if name in names]
        if len(known) < len(container):
            yield "Q-EXTRA-PARAMS"
        if any(each is None for each in known):
            yield "Q-NULLS"
    if params.blank:
        yield "Q-NULLS"
    if not params.values:
        yield "Q-NO-PARAMS"


def _find_views(params: PassedParams) -> Iterator[str]:
    for each in PARAMETERS:
        if each.view_of is not None and params.text(each.path) in VIEWS[each.view_of]:
            yield "Q-VIEW-VALUES" if each.view_of == "client" else "Q-OTHER-VIEW-VALUES"


def _find_texts(params: PassedParams) -> Iterator[str]:
    for path, value in params.values.items():
        if isinstance(value, str) and path not in ("client.email", "client.password"):
            if value != value.strip():
                yield "Q-NULLS"
            if "\0" in value:
                yield "Q-NUL"
    for path in _NAMES:
        name = params.text(path) or ""
        if len(name.encode()) > MAX_LENGTHS[path] and not name.isascii():
            yield "Q-LENGTH-UNIT"
        if ORDINARY_LENGTH < len(name) <= MAX_LENGTHS[path]:
            yield "Q-LENGTHS"
    phone = params.text("client.phone")
    if phone is not None and _ORDINARY_PHONE.fullmatch(phone) is None:
        yield "Q-PHONE"
    password = params.text("client.password")
    if password is not None and _ORDINARY_PASSWORD.fullmatch(password) is None:
        yield "Q-PASSWORD"


def _find_address(params: PassedParams, model: WorldModel) -> Iterator[str]:
    sent = params.text("client.email")
    if sent is None:
        return
    email = trim(sent)
    if len(email) > MAX_LENGTHS["client.email"]:
        # Servers may call it too long, or malformed.
        yield "Q-EMAIL-SYNTAX"
        return
    if email != sent or email != email.lower():
        yield "Q-EMAIL-CASE"
    form = classify_address(email)
    ordinary = _ORDINARY_ADDRESS.fullmatch(email.lower()) is not None
    if form is AddressForm.OPEN or (form is AddressForm.VALID and not ordinary):
        yield "Q-EMAIL-SYNTAX"
    if form is AddressForm.VALID and len(email) > ORDINARY_LENGTH:
        yield "Q-LENGTHS"
    owner = model.find_user(email)
    if owner is not None and not owner.client:
        yield "Q-EXISTING-USER"
    if owner is not None and owner.mail_failed:
        yield "Q-REPEAT-AFTER-MAIL-FAILURE"


def _find_session(bearer: SessionModel, now: timedelta) -> Iterator[str]:
    if min(MAX_AGE - (now - bearer.created), MAX_IDLE - (now - bearer.used)) < MARGIN:
        yield "Q-SESSION-LIMITS"
    if now - bearer.used_by_success > MAX_IDLE:
        # It lives because a refused request counted as a use.
        yield "Q-SESSION-USE"
