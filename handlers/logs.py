"""What a crash leaves in the log: everything that helps, and nothing that was secret."""

import traceback

from clients_register.handlers.attempt import Attempt

HIDDEN = "[hidden]"


def crash_report(attempt: Attempt, error: BaseException) -> str:
    """The traceback of `error` under the id of the request, without what the caller sent in secret.

    Exceptions of any library may quote a value; so the report is searched for the secrets of this
    very request.
    """
    report = "".join(traceback.format_exception(error))
    for secret in sorted(_secrets(attempt), key=len, reverse=True):
        report = report.replace(secret, HIDDEN).replace(repr(secret)[1:-1], HIDDEN)
    return f"{attempt.request.id}: crash\n{report}"


def _secrets(attempt: Attempt) -> set[str]:
    sent = {attempt.params[path] for path in ("client.password", "token") if path in attempt.params}
    raw = {(attempt.request.body or b"").decode("latin-1")}
    return {secret for secret in sent | raw if isinstance(secret, str) and secret}
