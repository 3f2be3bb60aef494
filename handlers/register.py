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
from clients_register.handlers.store.enrolment import Enrolment
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

    before = await attempt.owner()
    registration = await registration_of(attempt, before)
    async with stored_unless_it_crashes(attempt, registration, before) as enrolment:
        await welcome(attempt, enrolment)
        user = enrolment.user
        token, session = attempt.services.sessions.draw(user, attempt.params["application"])
        await enrolment.put_session(session)
        return success(attempt, user, session, token)


async def registration_of(attempt: Attempt, before: User | None) -> Registration:
    """The client to be stored, for whom the address belongs to, or for a user made with it."""
    services, params = attempt.services, attempt.params
    assert attempt.email is not None, "the rules saw to it"
    assert attempt.email_key is not None, "the rules saw to it"
    return Registration(
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


@asynccontextmanager
async def stored_unless_it_crashes(
    attempt: Attempt, registration: Registration, before: User | None
) -> AsyncIterator[Enrolment]:
    """Stores the client, with mail and session, in one when the context ends.

    Whatever unforeseen happens in here, the client is not stored (Q-CRASH). Since the rule
    `email_is_free` another request may have taken the address.
    """
    store, enrolment = attempt.services.store, None
    try:
        async with store.enrol(registration, before) as enrolment:
            yield enrolment
    except EmailTaken:
        raise Refusal("email_is_free", [TAKEN]) from None
    except Refusal:
        raise
    except Exception:
        # It was settled for a mail that left the machine, or nobody knows what the database did.
        if enrolment is not None and enrolment.may_be_stored:
            await store.remove_client(enrolment.user, before)
        raise


async def welcome(attempt: Attempt, enrolment: Enrolment) -> None:
    """Sends the welcome e-mail. The client is stored where it fails, too (Q-MAIL-FAILURE)."""
    application = attempt.services.registry.applications[attempt.params["application"]]
    try:
        await attempt.services.mailer.welcome(enrolment, application, attempt.request.id)
    except MailFailed as failure:
        await enrolment.settle()
        raise Refusal("welcome_mail_is_sent") from failure
