"""Profiles: files that describe a target, and what is wrong with them, before anything is sent."""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from clients_register import spec
from clients_register.conformance import library
from clients_register.conformance.fuzzing import AREA
from clients_register.conformance.target import (
    KnownFailure,
    Limits,
    ProfileError,
    Target,
    check_domain,
    check_url,
    documented_route,
)

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

# RFC 9110, sections 5.1 and 5.5.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def read(path: Path, environment: Mapping[str, str] = os.environ) -> Target:
    """The target that the profile at `path` describes. Raises ProfileError."""
    try:
        written = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProfileError(f"{path}: cannot be read as YAML: {error}") from None
    # Before it is filled, so that no message shows a secret.
    schema = spec.parse((files(__package__) / "profile.schema.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    fault = jsonschema.exceptions.best_match(validator.iter_errors(written))
    if fault is not None:
        raise ProfileError(f"{path}, {fault.json_path}: {fault.message}")
    filled = _filled(written, environment, str(path))
    if faults := [f"{path}, {each}" for each in _faults(filled)]:
        raise ProfileError("\n".join(faults))
    check_domain(filled["base_url"], filled.get("email_domain"))
    filled.pop("profile")
    return Target(
        **{
            "route": documented_route(),
            **filled,
            "claims": tuple(filled.get("claims", ("core",))),
            "limits": Limits(**filled.get("limits", {})),
            "known_failures": tuple(KnownFailure(**e) for e in filled.get("known_failures", ())),
            "control": "control" in filled.get("arrange", {}).values(),
        }
    )


def _filled(written: Any, environment: Mapping[str, str], where: str) -> Any:
    """`written` with every `${NAME}` filled from the environment."""
    if isinstance(written, Mapping):
        return {key: _filled(each, environment, f"{where}, {key}") for key, each in written.items()}
    if isinstance(written, list):
        return [_filled(each, environment, where) for each in written]
    if not isinstance(written, str):
        return written

    def value(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise ProfileError(f"{where}: the environment has no {found[1]}; set it")
        return environment[found[1]]

    return _REFERENCE.sub(value, written)


def _faults(filled: Mapping[str, Any]) -> Iterator[str]:
    """Faults that a schema cannot express, one line each."""
    for name in ("base_url", "hook", "proxy"):
        try:
            check_url(filled.get(name, "http://localhost"))
        except ProfileError as error:
            yield f"$.{name}: {error}"
    if not filled.get("proxy", "http:").startswith("http:"):
        yield "$.proxy: expected one that is spoken to in plain HTTP, http://HOST:PORT"
    if not re.fullmatch("[A-Za-z0-9.-]+", filled.get("email_domain", "localhost")):
        yield f"$.email_domain: expected a domain, found {filled['email_domain']!r}"
    for name, value in filled.get("headers", {}).items():
        if not _NAME.fullmatch(name):
            yield f"$.headers: expected names of headers, found {name!r}"
        if _CONTROL.search(value):
            yield f"$.headers.{name}: expected one line, found a control character or a line's end"
    cases = library.shipped()
    known = {state for case in cases for state in case.arrange} | {"client"}
    yield from _unknown("arrange", "states", filled.get("arrange", ()), known)
    questions = spec.load("questions")["questions"]
    yield from _unknown("answers", "questions", filled.get("answers", ()), questions)
    if "hook" not in filled:
        for name in ("arrange", "observe"):
            hooked = [key for key, way in filled.get(name, {}).items() if way == "hook"]
            if hooked:
                yield f"$.{name}: expected a hook beside it, found none, for {', '.join(hooked)}"
    for each in filled.get("known_failures", ()):
        glob = each["cases"]
        # Which cases fuzzing has kept, only their corpus knows.
        if not glob.startswith(f"{AREA}/") and not any(
            fnmatchcase(case.id, glob) for case in cases
        ):
            yield f"$.known_failures: no case fits {glob!r}; `clients-register list` names them all"


def _unknown(place: str, what: str, used: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    for name in used:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield f"$.{place}: no {what} of the contract: {name}{hint}"
