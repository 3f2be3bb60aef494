"""The control plane of the stub, under `/_mock`; its contract is spec/control.yaml.

plane        admits requests; serves the console, the documents and the operations
guard        who may use it
call         arguments and results of an operation
validation   parameters and bodies, against the document
api          the operations
records      users, sessions and mails as the operations show them
"""
