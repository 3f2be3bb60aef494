"""What a server has kept, in a file or in a database, while it still runs."""

from typing import Any

import psycopg
from support.stored import stored, stored_text

from clients_register.handlers.settings import Settings

# Table -> its records by a name of theirs, as a data file has them.
TABLES = {
    "users": "SELECT id::text, record FROM clients_register.users ORDER BY 1",
    "sessions": "SELECT digest, record FROM clients_register.sessions ORDER BY 1",
    "outbox": "SELECT number::text, record FROM clients_register.mails ORDER BY number",
}

# Every row of every table, as text that a database gives to whoever may read it.
ROWS = """
    SELECT to_json(users)::text FROM clients_register.users
    UNION ALL SELECT to_json(sessions)::text FROM clients_register.sessions
    UNION ALL SELECT to_json(mails)::text FROM clients_register.mails ORDER BY 1
"""


def text_of(settings: Settings) -> str:
    """All that is written there. What did not change is the same text."""
    if settings.store is None:
        return stored_text(settings.data_file)
    with psycopg.connect(**settings.store.parameters()) as connection:
        return "\n".join(row for (row,) in connection.execute(ROWS))


def tables_of(settings: Settings) -> dict[str, Any]:
    """Users, sessions and mails that would be found if the server was killed now."""
    if settings.store is None:
        return stored(settings.data_file)
    with psycopg.connect(**settings.store.parameters()) as connection:
        return {name: dict(connection.execute(query)) for name, query in TABLES.items()}
