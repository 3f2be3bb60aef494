"""Slugs are written in the spec only: no Python code decides by one."""

import ast
from pathlib import Path

import clients_register
from clients_register import conformance, fixtures, handlers, spec, testing
from clients_register.spec.statuses import load_statuses

# In a wheel all of them are below the first; in a checkout each is a folder of its own.
PACKAGES = (clients_register, conformance, fixtures, handlers, spec, testing)
SECOND_SERVER = Path(__file__).parents[1] / "teeth" / "second"
FOLDERS = [*(Path(package.__path__[0]) for package in PACKAGES), SECOND_SERVER]
SOURCES = sorted({file for folder in FOLDERS for file in folder.rglob("*.py")})
SLUGS = {row.slug for row in load_statuses()}


def literals(source: str) -> set[str]:
    """The strings in `source` that are code; docstrings are not."""
    tree = ast.parse(source)
    docstrings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings
    }


def test_every_package_is_searched() -> None:
    for folder in FOLDERS:
        assert any(file.is_relative_to(folder) for file in SOURCES), folder


def test_no_string_holds_a_slug() -> None:
    found = {
        (file.name, text)
        for file in SOURCES
        for text in literals(file.read_text("utf-8"))
        if any(slug in text for slug in SLUGS)
    }
    assert found == set()


def test_a_slug_would_be_found() -> None:
    source = '"""About invalid-token."""\nif status == "invalid-token": pass'
    assert literals(source) == {"invalid-token"}
