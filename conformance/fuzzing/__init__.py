"""Looks for what no case foresaw: requests by the thousand, judged by an oracle.

    oracle      what the contract demands of a request, from rfc8259, reading, addresses and world
    order       every pair and triple of faults that can come together: which one answers
    parameters  Schemathesis on what stands inside the base64
    envelopes   bytes that are nearly base64 of JSON, and heads that are nearly HTTP
    sequences   many requests in a row, with time, tokens and faults in between, beside a model
    campaign    runs them, within a budget, from a seed

The oracle reads the spec and shares nothing with any server. What the contract leaves open, it
leaves open: see `Fault.doubtful`.
"""
