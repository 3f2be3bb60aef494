"""Stores: users with their clients, sessions and mails, in a file or in a PostgreSQL database.

base        the interface, and what both stores have in common
tinydb      the store on a TinyDB file, for one process
write_locks which of its writes may run concurrently
journaled/  TinyDB with a journal; depends on nothing else of this project
postgres/   the store in a database, for any number of processes
"""
