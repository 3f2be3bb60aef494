"""Faults in the welcome e-mail, and in what is kept when it fails."""

from contextlib import suppress
from typing import Any

from teeth.planting import around_register, swap

from clients_register.handlers import mail
from clients_register.handlers.context import RequestContext
from clients_register.handlers.mail import Mailer, MailFailed
from clients_register.handlers.responses import Response
from clients_register.handlers.rules import RuleViolation


def no_mail() -> None:
    async def send_welcome(*_: Any) -> None:
        pass

    swap(Mailer, "send_welcome", lambda _: send_welcome)


def two_mails() -> None:
    def make(right: Any) -> Any:
        async def send_welcome(*args: Any) -> None:
            await right(*args)
            await right(*args)

        return send_welcome

    swap(Mailer, "send_welcome", make)


def mail_to_somebody_else() -> None:
    def make(right: Any) -> Any:
        return lambda **fields: right(**{**fields, "recipient": "somebody@else.test"})

    swap(mail, "Mail", make)


def failure_hidden() -> None:
    def make(right: Any) -> Any:
        async def send_welcome(*args: Any) -> None:
            with suppress(MailFailed):
                await right(*args)

        return send_welcome

    swap(Mailer, "send_welcome", make)


def failure_takes_back() -> None:
    async def around(right: Any, context: RequestContext) -> Response:
        try:
            answer: Response = await right(context)
        except RuleViolation as refusal:
            owner = await context.find_user()
            if refusal.rule == "welcome_mail_is_sent" and owner is not None:
                await context.services.store.remove([owner.id])
            raise
        return answer

    around_register(around)
