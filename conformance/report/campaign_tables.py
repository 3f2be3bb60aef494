"""The part of a report about a fuzzing campaign: tables, and its text for terminals and CSV."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clients_register.conformance.escaping import escape_all

Campaign = Mapping[str, Any]
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]

# Faults that a cell of the precedence matrix combines.
PAIR = 2

# Spreadsheets take a cell that begins with one of these for a formula; the last are full-width.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def render_campaign_lines(campaign: Campaign, *, verbose: bool) -> Iterator[str]:
    """Renders how far a campaign got; with its tables and the precedence matrix if `verbose`."""
    for title, head, rows in coverage_tables(campaign) if verbose else ():
        yield from _align([(title, *head), *rows])
        yield ""
    order = campaign["order"]
    if order["probes"]:
        if verbose:
            yield from _render_precedence(campaign)
        wrong = sum(not each["as_expected"] for each in order["probes"])
        yield (
            f"order of errors: {len(order['probes'])} combinations of {len(order['faults'])}"
            f" faults, {wrong} not in the order of the spec, {order['not_arranged']} not arranged"
        )
    if campaign["unparseable"]:
        yield f"malformed HTTP: {campaign['unparseable']} requests, all handled or listed above"
    requests = campaign["requests"]
    pace = campaign["seconds"] / requests * 1000 if requests else 0.0
    yield f"{requests:,} requests, {pace:.1f} s per 1,000; seed {campaign['seed']}"


def _render_precedence(campaign: Campaign) -> Iterator[str]:
    """Renders which status takes precedence for each pair of faults, by its number.

    A `!` marks a status that contradicts the spec.
    """
    numbers = {each["slug"]: number for number, each in enumerate(campaign["statuses"], 1)}
    by_pair = _probes_by_pair(campaign["order"])
    names = campaign["order"]["faults"]
    width = max(map(len, names))
    yield "status for each pair of faults, by its number in the list above:"
    for number, one in enumerate(names, 1):
        cells = []
        for other in names[:number]:
            probe = by_pair.get(frozenset({one, other}))
            shown = "" if probe is None else str(numbers.get(probe["status"], "?"))
            cells.append(f"{shown:>2}{'' if probe is None or probe['as_expected'] else '!'}")
        yield f"{number:>2} {one:<{width}}  {' '.join(cells)}".rstrip()
    heads = " ".join(f"{number:>2}" for number in range(1, len(names) + 1))
    yield f"   {'':<{width}}  {heads}"
    yield ""


def coverage_tables(campaign: Campaign) -> Iterator[Table]:
    """Yields the title, the heads and the rows of each coverage table."""
    statuses = [(each["slug"], str(each["met"])) for each in campaign["statuses"]]
    yield "status", ("met",), statuses
    rules = [(each["fact"], each["status"], str(each["broken"])) for each in campaign["rules"]]
    yield "rule", ("status", "broken"), rules
    keywords = [
        (each["parameter"], each["keyword"], str(each["kept"]), str(each["broken"]))
        for each in campaign["keywords"]
    ]
    yield "parameter", ("keyword", "kept", "broken"), keywords


def render_precedence_csv(order: Campaign) -> str:
    """Renders the precedence matrix as CSV; a `!` marks a status that contradicts the spec."""
    order = escape_all(order)
    output = io.StringIO()
    rows = csv.writer(output, lineterminator="\n")
    rows.writerow(["", *order["faults"]])
    for fault, probes in precedence_rows(order).items():
        rows.writerow([fault, *("" if each is None else _render_cell(each) for each in probes)])
    return output.getvalue()


def _render_cell(probe: Campaign) -> str:
    """Renders a status as text for a spreadsheet, whatever the target sent."""
    text = probe["status"] + ("" if probe["as_expected"] else "!")
    return f"'{text}" if text.startswith(_FORMULA) else text


def precedence_rows(order: Campaign) -> Mapping[str, Sequence[Campaign | None]]:
    """Returns the probes of each fault with every fault, None where there is none."""
    by_pair, names = _probes_by_pair(order), order["faults"]
    return {one: [by_pair.get(frozenset({one, other})) for other in names] for one in names}


def _probes_by_pair(order: Campaign) -> dict[frozenset[str], Campaign]:
    return {
        frozenset(each["faults"]): each for each in order["probes"] if len(each["faults"]) <= PAIR
    }


def _align(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
