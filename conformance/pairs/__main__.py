"""Writes the case files: see the package."""

from importlib.resources import files
from pathlib import Path

from clients_register.conformance import cases
from clients_register.conformance.pairs.document import render_files

if __name__ == "__main__":
    for name, text in render_files().items():
        Path(str(files(cases) / name)).write_text(text, "utf-8")
