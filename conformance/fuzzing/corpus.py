"""Faults that were found, as case files: replayed before anything new is tried."""

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from clients_register.conformance import library
from clients_register.conformance.fuzzing import AREA
from clients_register.conformance.fuzzing.violation import Violation
from clients_register.conformance.model import WHOLE, Case, Send
from clients_register.spec.statuses import load_statuses


def read(folder: Path) -> tuple[Case, ...]:
    """The cases in `folder`, if it is there. Raises CaseError."""
    try:
        texts = {each.name: each.read_text("utf-8") for each in sorted(folder.glob("*.yaml"))}
    except (OSError, ValueError) as error:
        raise library.CaseError(f"{folder}: expected case files in UTF-8: {error}") from None
    return library.read(texts, load_statuses(), {})


def texts(violations: Iterable[Violation], folder: Path) -> Iterator[tuple[Path, str]]:
    """A case file in `folder` for each of `violations` that a case can send."""
    for violation in violations:
        written = case(violation)
        if written is not None:
            about = f"{_title(violation)}; found by fuzzing."
            document = {"area": AREA, "about": about, "cases": [written]}
            path = folder / f"{written['id'].partition('/')[2]}.yaml"
            yield path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def case(violation: Violation) -> dict[str, Any] | None:
    """What a case file holds of `violation`; None where no case can send it.

    What came before in a sequence is no part of it, so that of those there is none.
    """
    if violation.send is None or not violation.outcomes or violation.layer == "sequences":
        return None
    slugs = list(dict.fromkeys(each.status.slug for each in violation.outcomes))
    first = violation.outcomes[0]
    status: dict[str, Any] = {"status": slugs[0], "grade": str(first.grade)}
    if slugs[1:]:
        status["also"] = slugs[1:]
    expect = [status]
    if len(violation.outcomes) == 1 and first.errors is not None:
        errors = [{"attr": attr, "message": message} for attr, message in first.errors]
        expect.append({"errors": errors, "grade": "decided"})
    arrange = list(dict.fromkeys(violation.states))
    claims = "uncommon" if WHOLE.intersection(arrange) else "tokens" if arrange else "core"
    return {
        "id": f"{AREA}/{name(violation)}",
        "title": _title(violation),
        "claims": claims,
        **({"arrange": arrange} if arrange else {}),
        "send": _written(violation.send),
        "expect": expect,
    }


def name(violation: Violation) -> str:
    """A name that two sights of one fault share."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{violation.layer} {violation.mark}".lower()).strip("-")
    return f"{words[:80].strip('-')}-{zlib.crc32(violation.mark.encode()):08x}"


def _title(violation: Violation) -> str:
    """A fact without modal verbs, as titles are."""
    rows = dict.fromkeys(each.status.slug for each in violation.outcomes)
    fact = f"the answer is {' or '.join(rows)}; a fault: {violation.mark}"
    return f"Of {violation.about}, {fact}" if violation.about else fact.capitalize()


def _written(send: Send) -> dict[str, Any]:
    usual = Send()
    written: dict[str, Any] = {}
    if send.content is not None:
        layer, content = send.content
        written[layer] = content
    for key in ("set", "drop", "body", "body_hex", "method", "path", "headers", "chunked"):
        value = getattr(send, key)
        if value != getattr(usual, key) and value not in (None, {}, ()):
            written[key] = _plain(value)
    return written


def _plain(value: Any) -> Any:
    """As YAML writes it."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
