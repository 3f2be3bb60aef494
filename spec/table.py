"""The table of statuses in README.md, drawn from `x-statuses`.

`python -m clients_register.spec.table README.md` draws it anew between the two marks.
"""

import sys
from pathlib import Path

from clients_register.spec.catalogue import Status, catalogue

BEGIN = "<!-- statuses: drawn from spec/openapi.yaml by python -m clients_register.spec.table -->"
END = "<!-- end of statuses -->"

HEAD = """\
| # | status | HTTP | when | evidence |
| --- | --- | --- | --- | --- |
"""


def table() -> str:
    """Markdown: one row a status, in order of precedence; another spelling has no place in it."""
    numbered = [(str(number), row) for number, row in enumerate(catalogue().rows, start=1)]
    aliases = [("", row) for row in catalogue().aliases]
    return HEAD + "".join(_line(number, row) for number, row in numbered + aliases)


def drawn(page: str) -> str:
    """`page` with the table of today. Raises ValueError where a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the marks {BEGIN} and {END}, each on a line of its own")
    return f"{before}{BEGIN}\n{table()}{END}{after}"


def _line(number: str, row: Status) -> str:
    code = row.evidence["code"]["grade"]
    evidence = "documented" if code == "documented" else f"slug documented, code {code}"
    return f"| {number} | `{row.slug}` | {row.code} | {row.meaning} | {evidence} |\n"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(drawn(file.read_text("utf-8")), "utf-8")
