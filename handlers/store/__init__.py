"""Stores: users with their clients, sessions and mails, in a file or in a PostgreSQL database.

base          the interface, and what both stores have in common
tinydb        the store on a file, for one process
  contents      the records and their indexes, in memory
  group_commit  concurrent writes share one sync
  data_file     snapshot and journals, and their compaction
  snapshot      all records, as a TinyDB file
  journal       the changes since the snapshot
  recovery      opens and checks the files
  codec         records and changes as JSON
  disk          access to the file system
postgres/     the store in a database, for any number of processes
"""
