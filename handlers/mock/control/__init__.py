"""The control plane, under `/_mock`: one module a noun of spec/control.yaml.

The functions that its `operationId`s name take a `Call` and return what is to be shown.
"""
