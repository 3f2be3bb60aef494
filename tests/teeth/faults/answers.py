"""Faults in the content of responses."""

import gzip
import hashlib
from typing import Any

from starlette.types import Scope
from teeth.planting import (
    Envelope,
    Layer,
    content,
    envelope,
    head,
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


def trace_in_a_string() -> None:
    def change(made: Envelope, answer: Response) -> None:
        if "nothing_unforeseen_happens" in answer.status.rules:
            made["debug"] = "Error: undefined\n    at register (/srv/app.js:12:3)"

    envelope(change)


def digest_shown() -> None:
    def change(context: RequestContext, _: User, parts: Envelope) -> None:
        password = str(context.params["client.password"])
        digest = hashlib.sha256(password.encode()).hexdigest()
        parts["data"] = {**parts["data"], "digest": digest}

    on_success(change)


def hash_of_another_kind_shown() -> None:
    def change(_: RequestContext, __: User, parts: Envelope) -> None:
        argon2 = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzYWx0$U29tZURpZ2VzdE9mQVBhc3N3b3Jk"
        parts["data"] = {**parts["data"], "digest": argon2}

    on_success(change)


def code_with_a_fraction() -> None:
    def change(made: Envelope, _: Response) -> None:
        made["code"] = float(made["code"])

    envelope(change)


def errors_of_no_known_message() -> None:
    _errors(lambda found: [{**each, "message": each["message"].upper()} for each in found])


def utf_16() -> Layer:
    return _encoded("utf-16-le")


def utf_16_marked() -> Layer:
    return _encoded("utf-16")


def utf_32() -> Layer:
    return _encoded("utf-32-be")


def utf_32_marked() -> Layer:
    return _encoded("utf-32")


def byte_order_mark() -> Layer:
    return _encoded("utf-8-sig")


def latin_1_written() -> Layer:
    return content(lambda body, _: body[:-1] + ',"note":"café"}'.encode("latin-1"))


def nan_written() -> Layer:
    return content(lambda body, _: body[:-1] + b',"load":NaN}')


def name_twice() -> Layer:
    return content(lambda body, _: b'{"code":0,' + body[1:])


def lone_surrogate() -> Layer:
    return content(lambda body, _: body[:-1] + b',"note":"\\ud83d"}')


def text_after_the_json() -> Layer:
    return content(lambda body, _: body + b"0")


def broken_gzip() -> Layer:
    return content(lambda body, _: gzip.compress(body)[:-8], content_encoding="gzip")


def charset_as_content_coding() -> Layer:
    return header("content-encoding", lambda _: "utf-8")


def gzip_though_refused() -> Layer:
    def change(body: bytes, scope: Scope) -> bytes:
        refused = any(name == b"accept-encoding" for name, _ in scope["headers"])
        return gzip.compress(body) if refused else body

    return content(change, content_encoding="gzip")


def two_content_types() -> Layer:
    return head(lambda start, _: start["headers"].append((b"content-type", b"text/html")))


def two_request_ids() -> Layer:
    return head(lambda start, _: start["headers"].append((b"x-request-id", b"0000000000000000")))


def _encoded(codec: str) -> Layer:
    return content(lambda body, _: body.decode().encode(codec))


def _errors(change: Any) -> None:
    swap(responses, "error_list", lambda right: lambda *args: change(right(*args)))
