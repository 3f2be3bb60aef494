"""Cases that cover each pair of properties of a registration, derived from a table.

  table.yaml  the properties with their values, and the combinations that are impossible, and why
  table       loads it; tells which combinations are possible
  covering    chooses combinations so that each possible pair of values is in one of them
  case_builder
              the steps of a case, with the responses that the oracle of fuzzing predicts
  scenario    turns a combination into such steps, and a race for one address
  document    the combinations as a case file

`python -m clients_register.conformance.pairs`, in an editable install, writes the case file; a test
compares it with the table.
"""
