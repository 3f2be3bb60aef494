"""Faults in the welcome e-mail, and in what is kept when it fails."""

from contextlib import suppress
from typing import Any

from teeth.planting import around_register, swap

from clients_register.handlers import mail
from clients_register.handlers.answers import Answer
from clients_register.handlers.attempt import Attempt
from clients_register.handlers.mail import Mailer, MailFailed
from clients_register.handlers.refusals import Refusal


def no_mail() -> None:
    async def welcome(*_: Any) -> None:
        pass

    swap(Mailer, "welcome", lambda _: welcome)


def two_mails() -> None:
    def make(right: Any) -> Any:
        async def welcome(*args: Any) -> None:
            await right(*args)
            await right(*args)

        return welcome

    swap(Mailer, "welcome", make)


def mail_to_somebody_else() -> None:
    def make(right: Any) -> Any:
        return lambda **fields: right(**{**fields, "recipient": "somebody@else.test"})

    swap(mail, "Mail", make)


def failure_hidden() -> None:
    def make(right: Any) -> Any:
        async def welcome(*args: Any) -> None:
            with suppress(MailFailed):
                await right(*args)

        return welcome

    swap(Mailer, "welcome", make)


def failure_takes_back() -> None:
    async def around(right: Any, attempt: Attempt) -> Answer:
        try:
            answer: Answer = await right(attempt)
        except Refusal as refusal:
            owner = await attempt.owner()
            if refusal.fact == "welcome_mail_is_sent" and owner is not None:
                await attempt.services.store.remove([owner.id])
            raise
        return answer

    around_register(around)
