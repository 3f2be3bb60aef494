"""TinyDB with a journal: durable, atomic writes whose cost does not grow with the data.

TinyDB's own storage rewrites the whole file for each write, in place. This package replaces its
storage and its table class; queries and operations are TinyDB's. It depends on nothing else of this
project.

database  `JournaledTinyDB`: transactions, and group commit
tables    `JournaledTable`: documents, changes that are not durable yet, indexes
storage   `JournalStorage`: documents in memory; the files: opening, checks, compaction
snapshot  the data file: all documents, with a checksum
journal   the append-only file of changes
disk      access to the file system; keeps other processes from the data file
no_disk   stands in for the disk, and keeps nothing
"""
