"""What the server is told and never changes: applications, companies, tokens, deployed routes."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Registry:
    """The records that requests are looked up in.

    `applications`: slug -> name. `application_tokens`: SHA-256 of each, hex. `services`: name of a
    deployed service -> its deployed actions.
    """

    applications: Mapping[str, str]
    companies: frozenset[int]
    application_tokens: frozenset[str]
    services: Mapping[str, frozenset[str]]
