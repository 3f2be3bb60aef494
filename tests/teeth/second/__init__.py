"""A second server of the contract, for trying the suite on: `python -m ... --port 0` starts it.

It was written from the contract alone and shares no code with the server of this distribution but
the spec, so that the suite cannot come to test how that server happens to do things. Wherever the
contract leaves a choice, this one takes an unusual one: the misspelt slug of a taken address, keys
in reverse, chunked answers, header names in small letters, a connection closed after each answer,
further keys in the envelope, user and client under one number, all but any text with an @ as an
e-mail address. It keeps everything in memory, listens on loopback only, and has cheap password
hashes and a hook for states: nothing to run in earnest.
"""
