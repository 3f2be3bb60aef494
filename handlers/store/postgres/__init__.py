"""A store in a PostgreSQL database, which several reference servers may share.

The driver is an extra of the package. `store` imports it; `database` does not, so that settings can
be read without it.
"""
