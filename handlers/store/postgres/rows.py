"""Records as the rows of the tables, and back. What does not fit a record raises StoreError."""

import json
from collections.abc import Sequence
from typing import Any, LiteralString

from clients_register.handlers.encoding import encoded
from clients_register.handlers.records import Mail, Session, User
from clients_register.handlers.store import StoreError
from clients_register.handlers.store.documents import (
    Record,
    record_of,
    record_or_members,
)
from clients_register.handlers.store.postgres.connections import Connection

Row = dict[str, Any]


def user_row(user: User) -> Row:
    """`user` as a row, by the names of its columns."""
    return {
        "id": user.id,
        "email_key": user.email_key,
        "client_id": user.client and user.client.id,
        "record": encoded(user).decode(),
    }


def session_row(session: Session) -> Row:
    """`session` as a row, by the names of its columns."""
    return {
        "digest": session.digest,
        "user_id": session.user_id,
        "record": encoded(session).decode(),
    }


def mail_row(mail: Mail) -> Row:
    """`mail` as a row, by the names of its columns but the number, which the database gives."""
    return {"record": encoded(mail).decode()}


async def records(
    connection: Connection, kind: type[Record], query: LiteralString, params: Sequence[object] = ()
) -> tuple[Record, ...]:
    """The records of type `kind` whose text `query` selects, by its one column."""
    found = await connection.execute(query, params)
    return tuple([_record(kind, text) async for (text,) in found])


def _record(kind: type[Record], text: str) -> Record:
    try:
        document = json.loads(text, object_pairs_hook=record_or_members)
        return record_of(kind, document, kind.__name__.lower())
    except ValueError as error:
        raise StoreError(
            f"a record in the database is damaged: {error}; restore a copy of the database"
        ) from None
