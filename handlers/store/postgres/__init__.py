"""An engine that keeps the stores of all worlds in one PostgreSQL database.

The driver is an extra of the package. Whoever imports `engine` has it; `database` needs none, so
that settings can be read without it.
"""
