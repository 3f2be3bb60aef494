"""The corpus: violations as case files, which later campaigns replay first."""

import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from clients_register.conformance.case import (
    SERVER_STATES,
    Case,
    CaseError,
    RequestTemplate,
    parse_cases,
)
from clients_register.conformance.escaping import escape
from clients_register.conformance.fuzz import AREA
from clients_register.conformance.fuzz.checker import ContractViolation
from clients_register.spec.statuses import load_statuses

MAX_NAME = 80


def load_corpus(folder: Path) -> tuple[Case, ...]:
    """Loads the cases in `folder`, if it exists. Raises CaseError."""
    try:
        texts = {each.name: each.read_text("utf-8") for each in sorted(folder.glob("*.yaml"))}
    except (OSError, ValueError) as error:
        raise CaseError(f"{folder}: expected case files in UTF-8: {error}") from None
    return parse_cases(texts, load_statuses(), {})


def render_cases(
    violations: Iterable[ContractViolation], folder: Path
) -> Iterator[tuple[Path, str]]:
    """Yields a case file in `folder` for each violation that a case can reproduce."""
    for violation in violations:
        case = build_case(violation)
        if case is not None:
            about = f"{_build_title(violation)}; found by fuzzing."
            document = {"area": AREA, "about": about, "cases": [case]}
            path = folder / f"{case['id'].partition('/')[2]}.yaml"
            # Unfolded, so that no line begins in the middle of received text.
            text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=math.inf)
            yield path, text


def build_case(violation: ContractViolation) -> dict[str, Any] | None:
    """Builds a case for a violation; None if no case can reproduce it.

    A case cannot repeat the earlier steps of a sequence.
    """
    if violation.send is None or not violation.outcomes or violation.layer == "sequences":
        return None
    slugs = list(dict.fromkeys(each.status.slug for each in violation.outcomes))
    first = violation.outcomes[0]
    status: dict[str, Any] = {"status": slugs[0]}
    if slugs[1:]:
        status["also"] = slugs[1:]
    expect = [status]
    if len(violation.outcomes) == 1 and first.errors is not None:
        errors = [{"attr": attr, "message": message} for attr, message in first.errors]
        expect.append({"errors": errors})
    questions = sorted({key for each in violation.outcomes for key in each.questions})
    arrange = list(dict.fromkeys(violation.states))
    claims = "uncommon" if SERVER_STATES.intersection(arrange) else "tokens" if arrange else "core"
    return {
        "id": f"{AREA}/{case_name(violation)}",
        "title": _build_title(violation),
        **({"questions": questions} if questions else {}),
        "claims": claims,
        **({"arrange": arrange} if arrange else {}),
        "send": _render_send(violation.send),
        "expect": expect,
    }


def case_name(violation: ContractViolation) -> str:
    """Returns a name that is the same for every example of one fault."""
    text = f"{violation.layer} {violation.signature}".lower()
    words = re.sub(r"[^a-z0-9]+", "-", text).strip("-")[:MAX_NAME].strip("-")
    return f"{words}-{zlib.crc32(escape(violation.signature).encode()):08x}"


def _build_title(violation: ContractViolation) -> str:
    # Titles are facts without modal verbs.
    slugs = dict.fromkeys(each.status.slug for each in violation.outcomes)
    fact = f"the answer is {' or '.join(slugs)}; a fault: {violation.signature}"
    return escape(f"Of {violation.about}, {fact}" if violation.about else fact.capitalize())


def _render_send(send: RequestTemplate) -> dict[str, Any]:
    default = RequestTemplate()
    rendered: dict[str, Any] = {}
    if send.content is not None:
        layer, content = send.content
        rendered[layer] = content
    for key in ("set", "drop", "body", "body_hex", "method", "path", "headers", "chunked"):
        value = getattr(send, key)
        if value != getattr(default, key) and value not in (None, {}, ()):
            rendered[key] = _to_yaml(value)
    return rendered


def _to_yaml(value: Any) -> Any:
    """Converts tuples and mappings to the types that YAML can represent."""
    if isinstance(value, dict):
        return {key: _to_yaml(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_to_yaml(each) for each in value]
    return value
