"""Reports: JSON is canonical (report.schema.json), and all other formats are rendered from it."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from clients_register.conformance.report.html import render_html
from clients_register.conformance.report.junit import render_junit
from clients_register.conformance.report.markdown import render_badge, render_markdown
from clients_register.conformance.report.model import (
    Report,
    ReportError,
    load_report,
    render_json,
)
from clients_register.conformance.report.terminal import render_terminal

__all__ = [
    "FORMATS",
    "Report",
    "ReportError",
    "load_report",
    "render_json",
    "render_requested",
    "render_terminal",
]

# The formats besides JSON, by the names of their options.
FORMATS: Mapping[str, Callable[[Report], str]] = {
    "html": render_html,
    "junit": render_junit,
    "markdown": render_markdown,
    "badge": render_badge,
}


def render_requested(report: Report, options: Namespace) -> dict[Path, str]:
    """Renders the formats for which `options` name a file, by file."""
    requested = {name: getattr(options, name) for name in FORMATS}
    return {file: FORMATS[name](report) for name, file in requested.items() if file is not None}
