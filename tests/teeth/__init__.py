"""Mutation testing of the conformance suite: does it detect faults?

A suite that passes correct servers has proven little; it also has to fail faulty ones. Each mutant
is our own stub with one fault of a kind that people really introduce. A mutant is killed if a case
fails that claims a requirement (or a question) which the fault violates.

  mutants.yaml  the mutants: name, the fault in a sentence, the keys that it violates
  faults/       one function per mutant, of the same name; modules by what they change
  planting      replaces a part of the server, and restores it
  serving       serves a mutant
  judging       runs the suite on mutants, one after another
  __main__      the command: spreads the mutants over processes, prints the table
  fuzzing       `--fuzz`: what fuzzing alone finds
  second/       a correct server written from the contract alone, which every case has to pass

The faults are planted in `clients_register.handlers`, one at a time per process. Run it with
`tox -e teeth`, or `PYTHONPATH=tests python -m teeth --help`.
"""
