"""Generates the table of statuses in README.md from `x-statuses`.

`python -m clients_register.spec.readme README.md` replaces it between the two marks.
"""

import sys
from pathlib import Path

from clients_register.spec.statuses import Status, load_statuses

BEGIN = "<!-- statuses: drawn from spec/openapi.yaml by python -m clients_register.spec.readme -->"
END = "<!-- end of statuses -->"

HEAD = """\
| # | status | HTTP | when | evidence |
| --- | --- | --- | --- | --- |
"""


def render_table() -> str:
    """Renders the table as Markdown: rows in order of precedence, then aliases."""
    numbered = [(str(number), row) for number, row in enumerate(load_statuses().rows, start=1)]
    aliases = [("", row) for row in load_statuses().aliases]
    return HEAD + "".join(_render_row(number, row) for number, row in numbered + aliases)


def update_page(page: str) -> str:
    """Replaces the table in `page`. Raises ValueError if a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the marks {BEGIN} and {END}, each on a line of its own")
    return f"{before}{BEGIN}\n{render_table()}{END}{after}"


def _render_row(number: str, row: Status) -> str:
    code = row.evidence["code"]["grade"]
    evidence = "documented" if code == "documented" else f"slug documented, code {code}"
    return f"| {number} | `{row.slug}` | {row.code} | {row.meaning} | {evidence} |\n"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(update_page(file.read_text("utf-8")), "utf-8")
