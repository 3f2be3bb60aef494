"""A report as a badge: the JSON that shields.io draws one from."""

import json
from collections.abc import Mapping
from typing import Any

from clients_register.conformance.verdicts import RAN

COLOURS = {0: "brightgreen", 1: "red", 5: "lightgrey"}


def badge(report: Mapping[str, Any]) -> str:
    """The JSON of an endpoint badge."""
    summary = report["summary"]
    ran = sum(summary[verdict] for verdict in RAN)
    message = f"{summary['pass'] + summary['observed']}/{ran} {'pass' if ran else 'run'}"
    colour = COLOURS.get(report["exit_code"], "orange")
    shown = {"schemaVersion": 1, "label": "clients/register", "message": message, "color": colour}
    return json.dumps(shown) + "\n"
