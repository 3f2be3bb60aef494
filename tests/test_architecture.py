"""The architecture: no import cycles, between modules or between the packages at the top level.

Imports inside functions count, too. Each name means one thing, and the overviews in docstrings of
packages name existing modules.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import clients_register
from clients_register import conformance, fixtures, handlers, spec, testing

NAME = "clients_register"

# Where the code of each top-level package is; `cli` is installed as `clients_register` itself.
PACKAGES = {
    NAME: Path(clients_register.__file__).parent,
    **{
        package.__name__: Path(str(package.__file__)).parent
        for package in (conformance, fixtures, handlers, spec, testing)
    },
}

Graph = Mapping[str, set[str]]


def find_modules() -> dict[str, Path]:
    """The files of all modules, by name."""
    found: dict[str, Path] = {}
    for package, folder in PACKAGES.items():
        for file in folder.rglob("*.py") if package != NAME else folder.glob("*.py"):
            steps = file.relative_to(folder).with_suffix("").parts
            found[".".join([package, *steps]).removesuffix(".__init__")] = file
    return found


def imported_names(file: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each import of ours."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(NAME):
            for alias in node.names:
                yield str(node.module), alias.name


def module_graph() -> Graph:
    modules = find_modules()
    return {
        module: {
            name if (name := f"{source}.{member}") in modules else source
            for source, member in imported_names(file)
        }
        - {module}
        for module, file in modules.items()
    }


def package_graph() -> Graph:
    """The same for the packages at the top level. The command itself may import them all."""

    def package_of(module: str) -> str:
        return ".".join(module.split(".")[:2]) if module.count(".") else NAME

    graph: dict[str, set[str]] = {}
    for module, imports in module_graph().items():
        package = package_of(module)
        if package in PACKAGES and package != NAME:
            others = {package_of(each) for each in imports} & PACKAGES.keys()
            graph.setdefault(package, set()).update(others - {package, NAME})
    return graph


def find_cycle(graph: Graph) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("graph", [module_graph, package_graph])
def test_there_are_no_import_cycles(graph: Callable[[], Graph]) -> None:
    found = graph()
    assert len(found) > 3
    assert find_cycle(found) == []


def test_a_cycle_would_be_found() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []


def test_the_graph_contains_imports_inside_functions() -> None:
    assert f"{NAME}.handlers.stub.builder" in module_graph()[f"{NAME}.handlers.server"]


# A line of an overview: modules or folders, and what they do.
OVERVIEW = re.compile(r"^ *([a-z_0-9]+(?:, [a-z_0-9]+)*)(?:  +\S.*|\n {12,}\S.*)$", re.MULTILINE)


def packages_with_overview() -> dict[str, list[str]]:
    """The names in the overview of each package that has one."""
    found = {
        module: OVERVIEW.findall(ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "")
        for module, file in find_modules().items()
        if file.name == "__init__.py"
    }
    return {
        module: [name for line in lines for name in line.split(", ")]
        for module, lines in found.items()
        if lines
    }


def test_overviews_of_packages_name_existing_modules() -> None:
    modules = find_modules()
    overviews = packages_with_overview()
    assert len(overviews) > 5
    missing = [
        f"{package}.{name}"
        for package, names in overviews.items()
        for name in names
        if f"{package}.{name}" not in modules
    ]
    assert missing == []


# Names that several modules have, because they mean the same: each command and application has one,
# pytest asks for one, server and suite share no code, and tests see the stub through handles.
SHARED = {
    *("app", "main", "pytest_addoption"),
    *("build_case", "is_loopback", "parse_duration", "parse_required"),
    *("Clock", "ControlError", "Stub", "World"),
}


def names_in(file: Path) -> Iterator[tuple[str, str]]:
    """Kind and name of a module, and of its classes and functions."""
    if file.name != "__init__.py":
        yield "module", file.stem
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield "definition", node.name


def test_each_name_means_one_thing() -> None:
    places: dict[tuple[str, str], list[str]] = {}
    for module, file in find_modules().items():
        for kind, name in names_in(file):
            if not name.startswith("_"):
                places.setdefault((kind, name), []).append(module)
    several = {name: found for (_, name), found in places.items() if len(found) > 1}
    assert {name: found for name, found in several.items() if name not in SHARED} == {}
    assert several.keys() == SHARED
