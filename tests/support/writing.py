"""What a request, or a start, writes to a store, whichever keeps it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from support.people import about_to_register, mail, register_client, registered, session, user

from clients_register.handlers.models import User
from clients_register.handlers.store.base import Store

ROLES = frozenset({"liaison"})

Act = Callable[[Store, User], Awaitable[Any]]

# The user is one without a client.
ACTS: dict[str, Act] = {
    "add a new client": lambda store, _: register_client(
        store, about_to_register("new@x.test"), None
    ),
    "register": lambda store, _: registered(store, "new@x.test"),
    "make a client": lambda store, there: register_client(
        store, about_to_register(there.email), there
    ),
    "put a session": lambda store, there: store.put_session(session("new", there.id)),
    "add a mail": lambda store, there: store.add_mail(mail(there.email)),
    "remove a user": lambda store, there: store.remove_client(there, None),
    "remove everything": lambda store, there: store.remove([there.id], mails=True),
    "restore a user": lambda store, there: store.remove_client(there, replace(there, roles=ROLES)),
    "seed": lambda store, _: store.seed(
        [user(8, "s@x.test"), user(9, "t@x.test")], [session("s", 8), session("t", 7)], public=True
    ),
}
