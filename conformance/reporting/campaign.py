"""How far a campaign looked, drawn for a terminal and for a page."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

Told = Mapping[str, Any]

# Most faults that a row of the matrix combines.
PAIR = 2


def lines(told: Told) -> Iterator[str]:
    """For a terminal: the tables of what was reached, one after the other."""
    for title, head, rows in tables(told):
        yield from _columns([(title, *head), *rows])
        yield ""
    order = told["order"]
    if order["probes"]:
        yield from _numbers(told)
        wrong = sum(not each["as_expected"] for each in order["probes"])
        yield (
            f"order of errors: {len(order['probes'])} combinations of {len(order['faults'])}"
            f" faults, {wrong} not in the order of the spec, {order['not_arranged']} not arranged"
        )
    if told["unparseable"]:
        yield f"hardly HTTP: {told['unparseable']} requests, all borne or told above"
    pace = told["seconds"] / told["requests"] * 1000 if told["requests"] else 0.0
    yield f"{told['requests']:,} requests, {pace:.1f} s per 1,000; seed {told['seed']}"


def _numbers(told: Told) -> Iterator[str]:
    """Which error wins of two, each status by its number; what the spec has not is marked."""
    rows = {each["slug"]: number for number, each in enumerate(told["statuses"], 1)}
    won = _pairs(told["order"])
    names = told["order"]["faults"]
    width = max(map(len, names))
    yield "which status wins of two faults, by its number in the list above:"
    for number, one in enumerate(names, 1):
        cells = []
        for other in names[:number]:
            probe = won.get(frozenset({one, other}))
            shown = "" if probe is None else str(rows.get(probe["status"], "?"))
            cells.append(f"{shown:>2}{'' if probe is None or probe['as_expected'] else '!'}")
        yield f"{number:>2} {one:<{width}}  {' '.join(cells)}".rstrip()
    heads = " ".join(f"{number:>2}" for number in range(1, len(names) + 1))
    yield f"   {'':<{width}}  {heads}"
    yield ""


def tables(told: Told) -> Iterator[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """Title, heads and rows of each table."""
    statuses = [(each["slug"], str(each["met"])) for each in told["statuses"]]
    yield "status", ("met",), statuses
    rules = [(each["fact"], each["status"], str(each["broken"])) for each in told["rules"]]
    yield "rule", ("status", "broken"), rules
    keywords = [
        (each["parameter"], each["keyword"], str(each["kept"]), str(each["broken"]))
        for each in told["keywords"]
    ]
    yield "parameter", ("keyword", "kept", "broken"), keywords


def html(told: Told | None) -> Iterator[str]:
    """For a page: the same, and which error won of every two."""
    if told is None:
        return
    ended = " ".join(filter(None, (told["ended"], told["why"] and f"({told['why']})")))
    yield '<section id="campaign" aria-labelledby="h-campaign"><h2 id="h-campaign">Fuzzing</h2>'
    yield (
        f"<p>Seed <code>{told['seed']}</code>, {told['requests']:,} requests in"
        f" {told['seconds']:.1f} s; {escape(ended)}.</p>"
    )
    for title, head, rows in tables(told):
        cells = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        heads = "".join(f"<th>{each}" for each in (title, *head))
        yield (
            f'<details><summary>By {title}</summary><div class="wide"><table><thead><tr>{heads}'
            f"</tr></thead><tbody>{cells}</tbody></table></div></details>"
        )
    yield from _matrix(told["order"])
    yield "</section>"


def matrix(order: Told) -> str:
    """The pairs as CSV, a row and a column each fault; a status that the spec has not ends in !."""
    names = order["faults"]
    won = _pairs(order)
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(["", *names])
    for one in names:
        probes = (won.get(frozenset({one, other})) for other in names)
        cells = (
            "" if each is None else each["status"] + ("" if each["as_expected"] else "!")
            for each in probes
        )
        rows.writerow([one, *cells])
    return written.getvalue()


def _pairs(order: Told) -> dict[frozenset[str], Told]:
    return {
        frozenset(each["faults"]): each for each in order["probes"] if len(each["faults"]) <= PAIR
    }


def _matrix(order: Told) -> Iterator[str]:
    won = _pairs(order)
    if not won:
        return
    names = order["faults"]
    heads = "".join(f"<th>{escape(name)}" for name in names)
    yield '<details><summary>Which error wins of two</summary><div class="wide">'
    yield f'<table class="order"><thead><tr><th>{heads}</tr></thead><tbody>'
    for one in names:
        cells = (_won(won.get(frozenset({one, other}))) for other in names)
        yield f"<tr><th>{escape(one)}</th>{''.join(cells)}</tr>"
    yield "</tbody></table></div></details>"


def _won(probe: Told | None) -> str:
    if probe is None:
        return "<td></td>"
    kind = "pass" if probe["as_expected"] else "fail"
    return f'<td class="{kind}"><code>{escape(probe["status"])}</code></td>'


def _cell(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
