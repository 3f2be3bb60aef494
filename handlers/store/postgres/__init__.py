"""The store in a PostgreSQL database, which several reference servers can share.

The driver, psycopg, is an optional dependency. `address` does not import it, so that settings can
be parsed without it.
"""
