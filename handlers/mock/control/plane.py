"""The control plane as one ASGI application: guarded, its pages, its operations, its complaints."""

import logging

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from clients_register.handlers.exchange import CallerGone
from clients_register.handlers.mock.control.calls import Desk
from clients_register.handlers.mock.control.guard import Guard
from clients_register.handlers.mock.control.operations import DESK, other_method
from clients_register.handlers.mock.control.pages import page
from clients_register.handlers.mock.headers import Headers, adding
from clients_register.handlers.mock.problems import Problem
from clients_register.handlers.mock.stub import WORLD
from clients_register.handlers.store import StoreError

log = logging.getLogger(__name__)


CRASH = Problem(
    "crash", "the control plane crashed; the log says where", "Please report it", code=500
)


class Plane:
    """What answers under `/_mock`."""

    def __init__(self, routed: ASGIApp, desk: Desk, guard: Guard) -> None:
        """`routed` is Connexion's routing of the control plane's document."""
        self._routed = routed
        self._desk = desk
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification; the scope has the world in it."""
        headers: Headers = []
        try:
            headers = self._guard.admit(scope)
            await self._admitted({**scope, DESK: self._desk}, receive, adding(headers, send))
        except Problem as problem:
            await problem.answer(send, headers)
        except HTTPException:
            await other_method(scope).answer(send, headers)
        except StoreError as error:
            log.error("the world %s cannot be used: %s", scope[WORLD].name, error)
            unusable = Problem("unusable-data", str(error), "See the log of the server", 500)
            await unusable.answer(send, headers)
        except CallerGone:
            return
        except Exception:
            log.exception("a crash in the control plane")
            await CRASH.answer(send, headers)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
        elif found := page(scope):
            # Nothing in a page is secret, and no browser can be told to send a token for it.
            await found(scope, receive, send)
        else:
            self._guard.check_token(scope)
            await self._routed(scope, receive, send)
