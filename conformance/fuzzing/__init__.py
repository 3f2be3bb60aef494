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

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One part of a campaign; by its end `share` of the budget may be spent."""

    share: float
    about: str


# Prefix of the ids of everything that fuzzing finds.
AREA = "fuzz"

# In the order in which they run. What a layer leaves of its share, the later ones have.
LAYERS: Mapping[str, Layer] = {
    "order": Layer(0.15, "which error wins where several apply"),
    "schema": Layer(0.3, "Schemathesis on the decoded parameters"),
    "parameters": Layer(0.55, "parameters at the edges of their rules"),
    "envelopes": Layer(0.8, "bytes that are nearly a request"),
    "sequences": Layer(1.0, "many requests, time, tokens, faults, beside a model"),
}
