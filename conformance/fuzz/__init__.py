"""Fuzzing: thousands of generated requests, judged by an oracle that reads the spec.

    command          the command `fuzz`
      exploration    replays the corpus, runs a campaign, adds its faults to the corpus
        campaign     a seed, a budget, the violations so far; its layers (layers) in order:
          precedence           all pairs, and many triples, of faults in one request
          schemathesis_layer   Schemathesis on the decoded parameters
          registrations        parameters at the edges of their rules
          raw_requests         malformed base64, JSON and HTTP
          sequences            many requests, with time, tokens and faults in between
        search       one run of Hypothesis, which shrinks a violation
        checker      sends one request, and compares the response with the oracle
    oracle           request + model -> every correct response
      request_decoding
                     route, media type, base64, JSON
      params         the parameters that count as passed, and the open questions that they raise
    world_model      what is known about the state of a target

The oracle shares nothing with any server. What the contract leaves open, it accepts either way: see
`BrokenRule.uncertain`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One part of a campaign, which ends when that part of the whole budget is spent."""

    ends_at: float
    about: str


# The prefix of the ids of all cases that fuzzing finds.
AREA = "fuzz"

# In order. The later layers get what an earlier one leaves.
LAYERS: Mapping[str, Layer] = {
    # The default budget has room for all pairs of faults.
    "order": Layer(0.25, "which error takes precedence where several apply"),
    "schema": Layer(0.4, "Schemathesis on the decoded parameters"),
    "parameters": Layer(0.6, "parameters at the edges of their rules"),
    "envelopes": Layer(0.8, "malformed requests"),
    "sequences": Layer(1.0, "many requests, with time, tokens and faults, against a model"),
}
