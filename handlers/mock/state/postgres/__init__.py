"""State in a PostgreSQL database, for servers that share the worlds whose stores are in it."""
