"""Renders the part of a report about a fuzzing campaign, for the terminal, HTML and CSV."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

Campaign = Mapping[str, Any]
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]

# Faults that a cell of the precedence matrix combines.
PAIR = 2


def render_campaign_lines(campaign: Campaign) -> Iterator[str]:
    """Renders the tables and the precedence matrix for a terminal."""
    for title, head, rows in coverage_tables(campaign):
        yield from _align([(title, *head), *rows])
        yield ""
    order = campaign["order"]
    if order["probes"]:
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


def render_campaign_html(campaign: Campaign | None) -> Iterator[str]:
    """Renders the same for the HTML page."""
    if campaign is None:
        return
    ended = " ".join(filter(None, (campaign["ended"], campaign["why"] and f"({campaign['why']})")))
    yield '<section id="campaign" aria-labelledby="h-campaign"><h2 id="h-campaign">Fuzzing</h2>'
    yield (
        f"<p>Seed <code>{campaign['seed']}</code>, {campaign['requests']:,} requests in"
        f" {campaign['seconds']:.1f} s; {escape(ended)}.</p>"
    )
    for title, head, rows in coverage_tables(campaign):
        cells = "".join(f"<tr>{''.join(map(_render_cell, row))}</tr>" for row in rows)
        heads = "".join(f"<th>{each}" for each in (title, *head))
        yield (
            f'<details><summary>By {title}</summary><div class="wide"><table><thead><tr>{heads}'
            f"</tr></thead><tbody>{cells}</tbody></table></div></details>"
        )
    yield from _render_matrix(campaign["order"])
    yield "</section>"


def render_precedence_csv(order: Campaign) -> str:
    """Renders the precedence matrix as CSV; a `!` marks a status that contradicts the spec."""
    names = order["faults"]
    by_pair = _probes_by_pair(order)
    output = io.StringIO()
    rows = csv.writer(output, lineterminator="\n")
    rows.writerow(["", *names])
    for one in names:
        probes = (by_pair.get(frozenset({one, other})) for other in names)
        cells = (
            "" if each is None else each["status"] + ("" if each["as_expected"] else "!")
            for each in probes
        )
        rows.writerow([one, *cells])
    return output.getvalue()


def _probes_by_pair(order: Campaign) -> dict[frozenset[str], Campaign]:
    return {
        frozenset(each["faults"]): each for each in order["probes"] if len(each["faults"]) <= PAIR
    }


def _render_matrix(order: Campaign) -> Iterator[str]:
    by_pair = _probes_by_pair(order)
    if not by_pair:
        return
    names = order["faults"]
    heads = "".join(f"<th>{escape(name)}" for name in names)
    yield '<details><summary>Which of two errors takes precedence</summary><div class="wide">'
    yield f'<table class="order"><thead><tr><th>{heads}</tr></thead><tbody>'
    for one in names:
        cells = (_render_probe(by_pair.get(frozenset({one, other}))) for other in names)
        yield f"<tr><th>{escape(one)}</th>{''.join(cells)}</tr>"
    yield "</tbody></table></div></details>"


def _render_probe(probe: Campaign | None) -> str:
    if probe is None:
        return "<td></td>"
    kind = "pass" if probe["as_expected"] else "fail"
    return f'<td class="{kind}"><code>{escape(probe["status"])}</code></td>'


def _render_cell(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _align(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
