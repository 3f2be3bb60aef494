"""The route, as a story. Every sentence either goes on or ends in a status."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clients_register.handlers.answers import Answer, success
from clients_register.handlers.attempt import Attempt
from clients_register.handlers.mail import MailFailed
from clients_register.handlers.records import Registration, User
from clients_register.handlers.refusals import Refusal
from clients_register.handlers.rules import TAKEN, hold
from clients_register.handlers.store import EmailTaken
from clients_register.spec.catalogue import Stage


async def register(attempt: Attempt) -> Answer:
    """Registers the client that `attempt` describes.

    Raises Refusal for each status but success; any other exception is a crash, and leaves nothing
    stored.
    """
    await hold(Stage.DEPLOYMENT, attempt)
    await hold(Stage.TRANSPORT, attempt)
    if "token" in attempt.params:
        attempt.bearer = await attempt.services.sessions.present(attempt.params["token"])
    await hold(Stage.IDENTITY, attempt)
    await hold(Stage.PARAMS, attempt)

    before, user = await store(attempt)
    async with taken_back_on_crash(attempt, before, user):
        await welcome(attempt, user)
        token, session = attempt.services.sessions.draw(user, attempt.params["application"])
        answer = success(attempt, user, session, token)
        await attempt.services.sessions.keep(session)
    return answer


async def store(attempt: Attempt) -> tuple[User | None, User]:
    """Stores the client; returns its user as they were before, if they were, and as they are now.

    Between the rule `email_is_free` and here another request may have taken the address.
    """
    services, params = attempt.services, attempt.params
    assert attempt.email is not None, "the rules saw to it"
    assert attempt.email_key is not None, "the rules saw to it"
    before = await attempt.owner()
    registration = Registration(
        email=attempt.email,
        email_key=attempt.email_key,
        # The password of a user who is there already is never set or changed (Q-EXISTING-USER).
        password_hash=None if before else await services.passwords.hash(params["client.password"]),
        first_name=params["client.first_name"],
        last_name=params["client.last_name"],
        phone=params["client.phone"],
        company_id=params["client.company_id"],
        company_name=params["client.company_name"],
        enterprise=params["enterprise"] is True and params["client.company_id"] is None,
        created_at=services.clock.now(),
    )
    try:
        return before, await services.store.add_client(registration, before)
    except EmailTaken:
        raise Refusal("email_is_free", [TAKEN]) from None


@asynccontextmanager
async def taken_back_on_crash(
    attempt: Attempt, before: User | None, user: User
) -> AsyncIterator[None]:
    """Whatever unforeseen happens in here, the client is not stored (Q-CRASH)."""
    try:
        yield
    except Refusal:
        raise
    except Exception:
        await attempt.services.store.remove_client(user, before)
        raise


async def welcome(attempt: Attempt, user: User) -> None:
    """Sends the welcome e-mail. The client stays where it fails (Q-MAIL-FAILURE)."""
    application = attempt.services.registry.applications[attempt.params["application"]]
    try:
        await attempt.services.mailer.welcome(user, application, attempt.request.id)
    except MailFailed as failure:
        raise Refusal("welcome_mail_is_sent") from failure
