"""The report of a run: written and read as JSON, and drawn from it for people and machines."""

import json
from argparse import Namespace
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema

from clients_register.conformance.reporting.badge import badge
from clients_register.conformance.reporting.html import html
from clients_register.conformance.reporting.junit import junit
from clients_register.conformance.reporting.markdown import markdown
from clients_register.conformance.reporting.terminal import terminal

__all__ = ["RENDERERS", "ReportError", "drawn", "read", "terminal", "text"]

Report = Mapping[str, Any]

# name -> the text of a report in that form
RENDERERS: dict[str, Callable[[Report], str]] = {
    "html": html,
    "junit": junit,
    "markdown": markdown,
    "badge": badge,
}


class ReportError(ValueError):
    """A file is no report of this suite; the message says where it is wrong."""


def text(report: Report) -> str:
    """The report as JSON, which is canonical: all other forms are drawn from it."""
    return json.dumps(report, ensure_ascii=False, indent=1) + "\n"


def drawn(report: Report, options: Namespace) -> dict[Path, str]:
    """The report in the forms for which `options` name a file, by these files."""
    asked = {name: getattr(options, name) for name in RENDERERS}
    return {file: RENDERERS[name](report) for name, file in asked.items() if file is not None}


def read(path: Path) -> Report:
    """The report in the file at `path`. Raises ReportError."""
    try:
        report: Report = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: cannot be read as a report: {error}") from None
    schema = json.loads((files(__package__) / "report.schema.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    fault = jsonschema.exceptions.best_match(validator.iter_errors(report))
    if fault is not None:
        raise ReportError(
            f"{path}: expected a report of `clients-register verify`; {fault.json_path}:"
            f" {fault.message}"
        )
    return report
