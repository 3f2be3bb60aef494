"""The SQL of the store."""

USER = "SELECT record::text FROM clients_register.users WHERE id = %s"
OWNER = "SELECT record::text FROM clients_register.users WHERE email_key = %s"
SESSION = "SELECT record::text FROM clients_register.sessions WHERE digest = %s"
ALL_USERS = "SELECT record::text FROM clients_register.users ORDER BY id"
ALL_SESSIONS = "SELECT record::text FROM clients_register.sessions"
ALL_MAILS = "SELECT record::text FROM clients_register.mails ORDER BY number"
COUNT_CLIENTS = "SELECT count(client_id) FROM clients_register.users"

INSERT_USER = """
    INSERT INTO clients_register.users (id, email_key, client_id, record)
    VALUES (%(id)s, %(email_key)s, %(client_id)s, %(record)s)
"""
UPDATE_USER = """
    UPDATE clients_register.users
    SET email_key = %(email_key)s, client_id = %(client_id)s, record = %(record)s
    WHERE id = %(id)s
"""
PUT_SESSION = """
    INSERT INTO clients_register.sessions (digest, user_id, record)
    VALUES (%(digest)s, %(user_id)s, %(record)s)
    ON CONFLICT (digest) DO UPDATE SET user_id = excluded.user_id, record = excluded.record
"""
ADD_MAIL = "INSERT INTO clients_register.mails (record) VALUES (%(record)s)"

DELETE_USERS = "DELETE FROM clients_register.users WHERE id = ANY(%s::bigint[])"
DELETE_SESSIONS = "DELETE FROM clients_register.sessions WHERE digest = ANY(%s::text[])"
DELETE_MAILS = "DELETE FROM clients_register.mails"

# Users who have one of a seed's ids, as a user or as a client, or one of its addresses.
MET = """
    SELECT record::text FROM clients_register.users
    WHERE id = ANY(%s::bigint[]) OR client_id = ANY(%s::bigint[]) OR email_key = ANY(%s::text[])
"""

# Also locks the row.
RESERVE_IDS = "UPDATE clients_register.meta SET last_id = last_id + %s RETURNING last_id"

# Ids of removed users are given out again, as by the file store.
FORGET_IDS = """
    UPDATE clients_register.meta SET last_id = greatest(%s,
        (SELECT max(greatest(id, client_id)) FROM clients_register.users))
"""

SKIP_IDS = "UPDATE clients_register.meta SET last_id = greatest(last_id, %s)"
