"""The teeth of the suite: correct servers, each with one planted fault.

A suite that passes good servers has shown little; it also has to refuse bad ones. Each mutant is
our own stub with one fault that people really make, and it must be refused by a case that claims a
requirement (or a question) which the fault violates.

  mutants.yaml   the table: name, the fault in a sentence, the keys that it violates
  statuses, answers, transport, params, people, sessions, mails
                 a function a mutant, of its name; modules by what is changed
  planting       replaces a part of the server, and restores it
  serving        serves a mutant in this process
  judging        runs the suite on mutants, one after another in this process
  command        `clients-register mutants`: shares the mutants among processes, prints the table
  fuzzed         `mutants --fuzz`: what fuzzing alone finds
  __main__       serves one mutant: python -m clients_register.conformance.mutants NAME

Of the whole suite this package alone imports `clients_register.handlers`. Nothing imports it but
its own command. One mutant at a time is planted in a process.
"""
