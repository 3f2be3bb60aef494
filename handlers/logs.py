"""What a crash leaves in the log: everything that helps, and nothing that was secret.

Where it struck is always told. What the exception says is told unless it quotes the request: any
library may put a value into its words, whole or in part, as it is or escaped.
"""

import json
import textwrap
import traceback
from collections.abc import Iterator
from typing import Protocol

from clients_register.handlers.attempt import Request
from clients_register.handlers.params import Params
from clients_register.handlers.store import StoreUnavailable
from clients_register.handlers.transport import Body

SECRETS = ("client.password", "token")
HIDDEN = "[hidden, because it quotes the request]"

# So many characters in a row are a quotation, and hardly a coincidence.
RUN = 8


class Requested(Protocol):
    """Whatever a request came with: an exchange, an attempt."""

    @property
    def request(self) -> Request:
        """The request as it was read."""
        ...


def crash_report(crashed: Requested, error: BaseException, where: str = "crash") -> str:
    """What became of `error`, in several lines: the first begins with the id of the request.

    The others are indented, so that no words of an exception can be taken for an entry of the log.
    `where` says how far the request came. Data that cannot be reached is told in the first line,
    which then is the only one.
    """
    if isinstance(error, StoreUnavailable):
        # Nothing here is at fault, and while it lasts every request comes to this.
        return f"{crashed.request.id}: {where}: {error}"
    sent = _sent(crashed.request)
    told = "\n".join(_told(each, sent) for each in _chain(error))
    return f"{crashed.request.id}: {where}\n" + textwrap.indent(told, "  ")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` with its parts if it is a group, then what it came from, and so on."""
    met: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in met:
        yield at
        for part in at.exceptions if isinstance(at, BaseExceptionGroup) else ():
            yield from _chain(part)
        met.add(id(at))
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)


def _told(error: BaseException, sent: frozenset[str]) -> str:
    """Where `error` struck, its type and its words."""
    try:
        words = "\n".join([str(error), *getattr(error, "__notes__", ())])
    except Exception:  # noqa: BLE001 - whatever the words of a foreign exception are made by
        words = "[without words]"
    words = HIDDEN if _quotes(words, sent) else words
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{type(error).__module__}.{type(error).__qualname__}: {words}"


def _quotes(words: str, sent: frozenset[str]) -> bool:
    return any(text in words for text in sent if len(text) < RUN) or any(
        words[at : at + RUN] in sent for at in range(len(words) - RUN + 1)
    )


def _sent(request: Request) -> frozenset[str]:
    """The secrets of `request` and its body, each in all its spellings, cut into runs."""
    raw = request.body or b""
    texts = [raw.decode("latin-1"), "".join(raw.decode("latin-1").split())]
    for secret in _secrets(raw):
        texts += [secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], ascii(secret)[1:-1]]
        texts.append(repr(secret.encode(errors="replace"))[2:-1])
    return frozenset(run for text in texts for run in _runs(text))


def _runs(text: str) -> Iterator[str]:
    yield from (text[at : at + RUN] for at in range(max(1, len(text) - RUN + 1)) if text)


def _secrets(raw: bytes) -> list[str]:
    try:
        value = Body(raw).value
        params = Params(value if isinstance(value, dict) else {})
        passed = [params[path] for path in SECRETS if path in params]
    except Exception:  # noqa: BLE001 - the crash may have been in just this
        return []
    return [each if isinstance(each, str) else str(each) for each in passed]
