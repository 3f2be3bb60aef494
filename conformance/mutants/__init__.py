"""The teeth of the suite: correct servers, each with one planted fault.

A suite that passes good servers has shown little; it also has to refuse bad ones. Each mutant is
our own stub with one fault that people really make, and it must be refused by a case that claims a
requirement (or a question) which the fault violates.

  mutants.yaml   the table: name, the fault in a sentence, the keys that it violates
  statuses, answers, transport, params, people, sessions, mails
                 a function a mutant, of its name; modules by what is changed
  planting       how a part of the server is put out of its place
  __main__       serves one mutant: python -m clients_register.conformance.mutants NAME
  command        `clients-register mutants`: runs the suite on all of them, prints who was caught

Of the whole suite this package alone imports `clients_register.handlers`. Nothing imports it but
its own command, and what imports handlers runs in processes of its own: faults are planted in a
process by putting functions in the place of others, which is meant to be for good.
"""
