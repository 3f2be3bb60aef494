"""Faults in what stands in an answer."""

from typing import Any

from teeth.planting import (
    Envelope,
    Layer,
    envelope,
    header,
    on_success,
    swap,
)

from clients_register.handlers import responses
from clients_register.handlers.context import RequestContext
from clients_register.handlers.models import User
from clients_register.handlers.responses import Response


def without_data() -> None:
    envelope(lambda made, _: made.pop("data", None) and None)


def data_without_what_was_sent() -> None:
    def change(_: RequestContext, __: User, parts: Envelope) -> None:
        parts["data"] = {**parts["data"], "email": "somebody@else.test"}

    on_success(change)


def password_echoed() -> None:
    def change(context: RequestContext, _: User, parts: Envelope) -> None:
        parts["data"] = {**parts["data"], "password": context.params["client.password"]}

    on_success(change)


def hash_shown() -> None:
    def change(_: RequestContext, user: User, parts: Envelope) -> None:
        parts["data"] = {**parts["data"], "digest": user.password_hash}

    on_success(change)


def extra_key_in_the_client() -> None:
    def change(_: RequestContext, user: User, parts: Envelope) -> None:
        parts["data"] = {**parts["data"], "internal_note": user.id}

    on_success(change)


def without_code() -> None:
    envelope(lambda made, _: made.pop("code") and None)


def code_as_string() -> None:
    def change(made: Envelope, _: Response) -> None:
        made["code"] = str(made["code"])

    envelope(change)


def null_in_place_of_nothing() -> None:
    def change(made: Envelope, _: Response) -> None:
        for key in ("data", "session", "application", "errors"):
            made.setdefault(key, None)

    envelope(change)


def session_left_out() -> None:
    def change(made: Envelope, answer: Response) -> None:
        if "user_has_a_role" in answer.status.rules:
            made.pop("session", None)

    envelope(change)


def first_error_alone() -> None:
    _errors(lambda found: found[:1])


def errors_in_reverse() -> None:
    _errors(lambda found: found[::-1])


def one_message_for_all() -> None:
    _errors(lambda found: [{**each, "message": "invalid"} for each in found])


def errors_that_stay() -> None:
    kept: list[Any] = []

    def change(made: Envelope, _: Response) -> None:
        if "errors" in made:
            kept[:] = made["errors"]
        elif kept:
            made["errors"] = list(kept)

    envelope(change)


def trace_told() -> None:
    def change(made: Envelope, answer: Response) -> None:
        if "nothing_unforeseen_happens" in answer.status.rules:
            made["debug"] = 'Traceback (most recent call last):\n  File "app.py", line 1'

    envelope(change)


def one_request_id() -> Layer:
    return header("x-request-id", lambda _: "0000000000000000")


def html_by_name() -> Layer:
    return header("content-type", lambda _: "text/html")


def _errors(change: Any) -> None:
    swap(responses, "error_list", lambda right: lambda *args: change(right(*args)))
