"""The route: each step either continues or ends in a status."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clients_register.handlers.context import RequestContext
from clients_register.handlers.mail import MailFailed
from clients_register.handlers.models import Registration, User
from clients_register.handlers.responses import Response, success_response
from clients_register.handlers.rules import EMAIL_TAKEN, RuleViolation, check_rules
from clients_register.handlers.store.base import EmailTaken, PendingRegistration
from clients_register.spec.statuses import Stage


async def register(context: RequestContext) -> Response:
    """Registers the client that the request describes, and logs them in.

    Raises RuleViolation for every status but success. After any other exception, a crash, the
    client is not stored (Q-CRASH).
    """
    await check_rules(context, Stage.DEPLOYMENT, Stage.TRANSPORT)
    if "token" in context.params:
        token = context.params["token"]
        context.bearer = await context.services.sessions.authenticate(token)
    await check_rules(context, Stage.IDENTITY, Stage.PARAMS)

    existing_user = await context.find_user()
    registration = await build_registration(context, existing_user)
    async with begin_registration(context, registration, existing_user) as pending:
        await send_welcome_mail(context, pending)
        application = context.params["application"]
        token, session = context.services.sessions.issue(pending.user, application)
        await pending.put_session(session)
        response = success_response(context, pending.user, session, token)
        await pending.commit()
        return response


async def build_registration(context: RequestContext, existing_user: User | None) -> Registration:
    """Builds the client to store, for `existing_user` or for a new user."""
    services, params = context.services, context.params
    assert context.email is not None, "checked by the rules"
    assert context.email_key is not None, "checked by the rules"
    password_hash = None
    if existing_user is None:
        # The password of an existing user is never changed (Q-EXISTING-USER).
        password_hash = await services.passwords.hash(params["client.password"])
    return Registration(
        email=context.email,
        email_key=context.email_key,
        password_hash=password_hash,
        first_name=params["client.first_name"],
        last_name=params["client.last_name"],
        phone=params["client.phone"],
        company_id=params["client.company_id"],
        company_name=params["client.company_name"],
        enterprise=params["enterprise"] is True and params["client.company_id"] is None,
        created_at=services.clock.now(),
    )


@asynccontextmanager
async def begin_registration(
    context: RequestContext, registration: Registration, existing_user: User | None
) -> AsyncIterator[PendingRegistration]:
    """Begins to store the client; `commit` of the yielded object stores them.

    Turns a lost race for the address into a violation of `email_is_free`, and removes a client who
    was committed before a crash.
    """
    store, pending = context.services.store, None
    try:
        async with store.begin_registration(registration, existing_user) as pending:
            yield pending
    except EmailTaken:
        raise RuleViolation("email_is_free", [EMAIL_TAKEN]) from None
    except RuleViolation:
        raise
    except Exception:
        if pending is not None and pending.commit_was_called:
            await store.remove_client(pending.user, existing_user)
        raise


async def send_welcome_mail(context: RequestContext, pending: PendingRegistration) -> None:
    """Sends the welcome e-mail. The client is stored even if that fails (Q-MAIL-FAILURE)."""
    application = context.services.registry.applications[context.params["application"]]
    try:
        await context.services.mailer.send_welcome(pending, application, context.request.id)
    except MailFailed as failure:
        await pending.commit()
        raise RuleViolation("welcome_mail_is_sent") from failure
