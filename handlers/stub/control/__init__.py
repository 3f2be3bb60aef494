"""The control plane of the stub, under `/_mock`; its contract is spec/control.yaml.

plane        admits requests, and serves pages and operations
guard        who may use it
pages        the console and the documents
validation   parameters and bodies, against the document
api          the operations
"""
