"""A registration, from decoded parameters on."""

from collections.abc import Mapping
from typing import Any

from teeth.second.envelope import (
    STATUSES,
    Answer,
    Refusal,
    faulty,
    represented,
    timestamp,
)
from teeth.second.rules import (
    APPLICATIONS,
    Given,
    given,
    require_params,
    require_storable,
    require_valid,
)
from teeth.second.state import (
    Fault,
    PlantedError,
    Session,
    State,
    User,
    key_of,
)


def register(state: State, decoded: Mapping[str, Any]) -> Answer:
    """Registers a client; raises Refusal by the contract, PlantedError if that fault is set.

    The lock of `state` is held, so that no address is taken between the check and the write.
    """
    params = given(decoded)
    with state.lock:
        bearer = _bearer(state, params)
        require_params(params)
        require_valid(params)
        user = None if params.email is None else state.user(params.email)
        if user is not None and user.client is not None:
            raise faulty("email_is_free", {"client.email": "taken"})
        require_storable(params)
        if user is not None and not _is_proven(user, params, bearer):
            raise faulty("user_is_proven", {"client.password": "mismatch"})
        if Fault.CRASH_IN_HANDLER in state.faults:
            raise PlantedError("told to crash in the handler")
        user = _stored(state, user, params)
        _welcome(state, user)
        token, session = state.open_session(user, params["application"])
        return _registered(params, user, session.whole(token))


def make_client(state: State, user: User, params: Given) -> None:
    """Makes `user` a client, with what `params` tell; the caller holds the lock."""
    company = params["client.company_id"]
    # That of the user, which spares a second count of numbers.
    number = user.id
    user.client = {
        "id": number,
        "user_id": user.id,
        "email": params.email,
        "first_name": params["client.first_name"],
        "last_name": params["client.last_name"],
        "phone": params["client.phone"],
        "company_id": company,
        "company_name": params["client.company_name"],
        "enterprise": bool(params["enterprise"]) and company is None,
        "created_at": timestamp(state.clock.now()),
    }


def _bearer(state: State, params: Given) -> Session | None:
    """The session of the token that was passed, used herewith; None for another or no token."""
    token = params["token"]
    if token is None:
        return None
    session = state.session(token) if isinstance(token, str) else None
    if session is None:
        if isinstance(token, str) and state.is_application_token(token):
            return None
        raise Refusal("token_is_known")
    now = state.clock.now()
    if not session.is_live(now):
        raise Refusal("session_is_live")
    session.last_used_at = now
    if session.user.client is None and not session.user.staff:
        whole = session.whole(token)
        raise Refusal(
            "user_has_a_role", session=represented("session", whole, params["session_view"])
        )
    return session


def _is_proven(user: User, params: Given, bearer: Session | None) -> bool:
    """Whether the request comes from `user`, who has the address already."""
    if bearer is not None and bearer.user is user:
        return True
    return user.password is not None and user.password.matches(params["client.password"])


def _stored(state: State, user: User | None, params: Given) -> User:
    """The client's user: the one there was, whose password stays as it is, or a new one."""
    if user is None:
        user = state.add_user(str(params.email), params["client.password"])
    make_client(state, user, params)
    return user


def _welcome(state: State, user: User) -> None:
    """Sends the welcome mail; raises Refusal once if mails are to fail."""
    if Fault.MAIL_FAILING in state.faults:
        state.faults.remove(Fault.MAIL_FAILING)
        raise Refusal("welcome_mail_is_sent")
    assert user.client is not None
    state.mails[key_of(user.client["email"])].append(user.client["email"])


def _registered(params: Given, user: User, session: Mapping[str, Any]) -> Answer:
    slug = params["application"]
    application = {"slug": slug, "name": APPLICATIONS[slug]}
    assert user.client is not None
    return Answer(
        STATUSES.success,
        {
            "data": represented("client", user.client, params["view"]),
            "session": represented("session", session, params["session_view"]),
            "application": represented("application", application, params["application_view"]),
        },
    )
