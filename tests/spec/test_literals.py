"""Slugs are written in the spec only: no Python code decides by one."""

import ast
from pathlib import Path

import pytest

import clients_register
from clients_register import conformance, fixtures, handlers, spec, testing
from clients_register.spec.catalogue import catalogue

# A wheel has all of them below the first; in a checkout each is a folder of its own.
PACKAGES = (clients_register, conformance, fixtures, handlers, spec, testing)
SOURCES = sorted({file for each in PACKAGES for file in Path(each.__path__[0]).rglob("*.py")})
SLUGS = {row.slug for row in catalogue()}


def literals(source: str) -> set[str]:
    """The strings in `source` that are code: docstrings are for people."""
    tree = ast.parse(source)
    prose = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose
    }


def test_all_of_the_program_is_looked_at() -> None:
    assert len(SOURCES) > 200


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_no_string_holds_a_slug(file: Path) -> None:
    found = literals(file.read_text("utf-8"))
    assert [text for text in found if any(slug in text for slug in SLUGS)] == []


def test_a_slug_would_be_found() -> None:
    source = '"""About invalid-token."""\nif status == "invalid-token": pass'
    assert literals(source) == {"invalid-token"}
