"""Profiles: YAML files that describe a target, checked before anything is sent."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from clients_register import spec
from clients_register.conformance.case import load_cases
from clients_register.conformance.fuzz import AREA
from clients_register.conformance.target import (
    KnownFailure,
    Limits,
    ProfileError,
    Target,
    check_domain,
    check_email_domain,
    check_url,
    documented_route,
)
from clients_register.spec.schema_errors import did_you_mean, explain
from clients_register.spec.yaml_core import CoreLoader, strict_validator

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)

_SURROGATE = re.compile("[\ud800-\udfff]")

# RFC 9110, sections 5.1 and 5.5.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# Headers of the requests themselves; another value would break all cases.
_OWN_HEADERS = frozenset({"content-length", "content-type", "transfer-encoding"})

# A path without query and fragment, which has printable ASCII only (RFC 3986, section 3.3).
_PATH = re.compile(r"/[!\"$->@-~]*")


def load_profile(path: Path, environment: Mapping[str, str] = os.environ) -> Target:
    """Loads the profile at `path`, and fills `${NAME}` from the environment.

    Relative paths in it are relative to its directory. Raises ProfileError, whose message shows no
    secret.
    """
    try:
        return _load_profile(path, environment)
    except RecursionError:
        raise ProfileError(
            f"{path}: expected a profile, found a value that is nested too deeply, or in itself"
        ) from None


def _load_profile(path: Path, environment: Mapping[str, str]) -> Target:
    try:
        document = yaml.load(path.read_text("utf-8"), Loader=CoreLoader)  # noqa: S506 - safe
    except OSError as unreadable:
        raise ProfileError(f"{path}: cannot be read: {unreadable.strerror}") from None
    except UnicodeDecodeError as unreadable:
        raise ProfileError(
            f"{path}: expected UTF-8, found another encoding at byte {unreadable.start}"
        ) from None
    except (ValueError, yaml.YAMLError) as unreadable:
        raise ProfileError(f"{path}{_explain_yaml(unreadable)}") from None
    from jsonschema.exceptions import best_match

    # Validated before it is filled, since a message may show a value.
    schema = spec.parse((files(__package__) / "profile.schema.json").read_text("utf-8"))
    error = best_match(strict_validator(schema).iter_errors(document))
    if error is not None:
        raise ProfileError(f"{path}, {explain(error, show_values=False)}")
    filled = _fill(document, environment, str(path))
    if problems := [f"{path}, {each}" for each in _find_problems(filled)]:
        raise ProfileError("\n".join(problems))
    check_domain(filled["base_url"], filled.get("email_domain"))
    filled.pop("profile")
    files_of_tls = filled.get("tls", {})
    return Target(
        **{
            "route": documented_route(),
            **filled,
            "tls": {name: str(path.parent / file) for name, file in files_of_tls.items()},
            "claims": tuple(filled.get("claims", ("core",))),
            "limits": Limits(**filled.get("limits", {})),
            "known_failures": tuple(KnownFailure(**e) for e in filled.get("known_failures", ())),
            "control": "control" in filled.get("arrange", {}).values(),
        }
    )


def _explain_yaml(unreadable: Exception) -> str:
    """Explains why a file is not YAML, without what it contains, which may be a secret."""
    place, problem = "", str(unreadable)
    if isinstance(unreadable, yaml.MarkedYAMLError):
        mark = unreadable.problem_mark or unreadable.context_mark
        place = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        problem = ", ".join(filter(None, (unreadable.context, unreadable.problem)))
    return f"{place}: cannot be read as YAML: {_QUOTED.sub('text', problem)}"


def _fill(value: Any, environment: Mapping[str, str], place: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _fill(each, environment, f"{place}, {key}") for key, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, environment, place) for each in value]
    if not isinstance(value, str):
        return value

    def look_up(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise ProfileError(f"{place}: the environment has no {found[1]}; set it")
        return environment[found[1]]

    filled = _VARIABLE.sub(look_up, value)
    # Bytes of the environment that are not UTF-8 are lone surrogates.
    if _SURROGATE.search(filled):
        raise ProfileError(f"{place}: expected text in UTF-8, found bytes or escapes that are none")
    return filled


def _find_problems(profile: Mapping[str, Any]) -> Iterator[str]:
    """Yields the problems that a schema cannot express, one line each."""
    for name, check in (
        *((name, check_url) for name in ("base_url", "hook", "proxy")),
        ("email_domain", check_email_domain),
    ):
        try:
            if name in profile:
                check(profile[name], show_value=False)
        except ProfileError as error:
            yield f"{name}: {error}"
    if not profile.get("proxy", "http:").startswith("http:"):
        yield "proxy: expected a proxy that accepts plain HTTP, http://HOST:PORT"
    if not _PATH.fullmatch(profile.get("route", "/")):
        yield (
            "route: expected a path of printable ASCII without a query, such as"
            f" {documented_route()}, found another text"
        )
    if {"certificate", "key"} & profile.get("tls", {}).keys() == {"key"}:
        yield "tls: expected a `certificate` for the `key`, found none"
    yield from _find_wrong_headers(profile.get("headers", {}))
    cases = load_cases()
    states = {state for case in cases for state in case.arrange} | {"client"}
    yield from _find_unknown("arrange", "state", profile.get("arrange", ()), states)
    questions = spec.load("questions")["questions"]
    yield from _find_unknown("answers", "question", profile.get("answers", ()), questions)
    if "hook" not in profile:
        for name in ("arrange", "observe"):
            hooked = [key for key, way in profile.get(name, {}).items() if way == "hook"]
            if hooked:
                listed = ", ".join(hooked)
                yield f"{name}: expected a `hook` in the profile, found none, for {listed}"
    for each in profile.get("known_failures", ()):
        glob = each["cases"]
        # The cases that fuzzing has found are known to their corpus only.
        if not glob.startswith(f"{AREA}/") and not any(
            fnmatchcase(case.id, glob) for case in cases
        ):
            yield (
                f"known_failures: no case matches {glob!r}; `clients-register list` lists all ids"
            )


def _find_wrong_headers(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            yield f"headers: expected names of headers, found {name!r}"
        if _CONTROL_CHARACTER.search(value):
            yield f"headers.{name}: expected one line, found a control character or a line break"
        if name.lower() in _OWN_HEADERS:
            yield f"headers.{name}: expected other headers, since each case sets it; remove it"


def _find_unknown(
    section: str, kind: str, names: Iterable[str], known: Iterable[str]
) -> Iterator[str]:
    known = list(known)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            problem = f"{section}: no {kind} of the contract is called {name}"
            yield f"{problem}. {hint}" if hint else problem
