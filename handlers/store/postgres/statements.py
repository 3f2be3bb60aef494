"""What the store of a world says to the database."""

USER = "SELECT record::text FROM clients_register.users WHERE world = %s AND id = %s"
OWNER = "SELECT record::text FROM clients_register.users WHERE world = %s AND email_key = %s"
SESSION = "SELECT record::text FROM clients_register.sessions WHERE world = %s AND digest = %s"
ALL_USERS = "SELECT record::text FROM clients_register.users WHERE world = %s ORDER BY id"
ALL_SESSIONS = "SELECT record::text FROM clients_register.sessions WHERE world = %s"
ALL_MAILS = "SELECT record::text FROM clients_register.mails WHERE world = %s ORDER BY number"

INSERT_USER = """
    INSERT INTO clients_register.users (world, id, email_key, client_id, record)
    VALUES (%(world)s, %(id)s, %(email_key)s, %(client_id)s, %(record)s)
"""
UPDATE_USER = """
    UPDATE clients_register.users
    SET email_key = %(email_key)s, client_id = %(client_id)s, record = %(record)s
    WHERE world = %(world)s AND id = %(id)s
"""
PUT_SESSION = """
    INSERT INTO clients_register.sessions (world, digest, user_id, record)
    VALUES (%(world)s, %(digest)s, %(user_id)s, %(record)s)
    ON CONFLICT (world, digest) DO UPDATE SET user_id = excluded.user_id, record = excluded.record
"""
ADD_MAIL = "INSERT INTO clients_register.mails (world, record) VALUES (%(world)s, %(record)s)"

# Whom a seed may meet: who has one of its ids, as a user or as a client, or of its addresses.
MET = """
    SELECT record::text FROM clients_register.users
    WHERE world = %s
    AND (id = ANY(%s::bigint[]) OR client_id = ANY(%s::bigint[]) OR email_key = ANY(%s::text[]))
"""

# The file store, too, gives out the ids of those who were removed once more.
FORGET_IDS = """
    UPDATE clients_register.worlds SET last_id = greatest(%s,
        (SELECT max(greatest(id, client_id)) FROM clients_register.users WHERE world = name))
    WHERE name = %s
"""

SEEDED = """
    UPDATE clients_register.worlds
    SET public = public OR %s, last_id = greatest(last_id, %s)
    WHERE name = %s
"""
