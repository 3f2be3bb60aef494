"""What is said to the database about the state of a world."""

READ = "SELECT version, arranged::text FROM clients_register_stub.worlds WHERE name = %s"
BEGIN = """
    WITH begun AS (
        INSERT INTO clients_register_stub.worlds (name, arranged) VALUES (%s, %s) RETURNING name
    )
    INSERT INTO clients_register_stub.uses (world) SELECT name FROM begun
"""
CHANGE = """
    WITH used AS (
        UPDATE clients_register_stub.uses SET used_at = clock_timestamp() WHERE world = %(world)s
    )
    UPDATE clients_register_stub.worlds
    SET arranged = %(arranged)s, version = nextval('clients_register_stub.versions')
    WHERE name = %(world)s RETURNING version
"""

# What is counted already and what comes to it.
ADDED = """
    ON CONFLICT (world, status) DO UPDATE SET
        by_the_rules = before.by_the_rules + excluded.by_the_rules,
        forced = before.forced + excluded.forced
"""

# One statement, and so one way to the database and back: it is made for every answer. Entries are
# forgotten by the hundred, which is quicker than one at a time.
FORGOTTEN_AT_ONCE = 100
KEEP = """
    WITH counted AS (
        UPDATE clients_register_stub.uses SET asked = asked + 1, used_at = clock_timestamp()
        WHERE world = %(world)s AND set_config('synchronous_commit', 'off', true) = 'off'
        RETURNING asked
    ), kept AS (
        INSERT INTO clients_register_stub.requests (world, number, id, status, shown)
        SELECT %(world)s, asked, %(id)s, %(status)s, %(shown)s FROM counted
    ), forgotten AS (
        DELETE FROM clients_register_stub.requests
        USING counted
        WHERE asked %% %(at_once)s = 0 AND world = %(world)s AND number <= asked - %(kept)s
    )
    INSERT INTO clients_register_stub.met AS before (world, status, by_the_rules, forced)
    SELECT %(world)s, %(status)s::text, %(by_the_rules)s, %(forced)s FROM counted
    WHERE %(status)s::text IS NOT NULL
"""

REQUESTS = """
    SELECT number, shown::text
    FROM clients_register_stub.requests JOIN clients_register_stub.uses USING (world)
    WHERE world = %s AND number > asked - %s
"""
FITTING = " AND number > %s AND (%s::text IS NULL OR status = %s) ORDER BY number"
ONE = " AND id = %s"
FORGET_REQUESTS = "DELETE FROM clients_register_stub.requests WHERE world = %s"

MET = """
    SELECT status, by_the_rules, forced FROM clients_register_stub.met WHERE world = %s
"""
FORGET_MET = "DELETE FROM clients_register_stub.met WHERE world = %s"

# In the order of the statuses, so that nobody waits in a circle.
SUM_UP_MET = """
    WITH gone AS (
        DELETE FROM clients_register_stub.met WHERE world = %s
        RETURNING status, by_the_rules, forced
    )
    INSERT INTO clients_register_stub.met AS before (world, status, by_the_rules, forced)
    SELECT '', status, by_the_rules, forced FROM gone ORDER BY status
"""
