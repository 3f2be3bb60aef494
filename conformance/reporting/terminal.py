"""A report for the terminal: what passed is counted, what did not is told in full."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from clients_register.conformance.reporting import campaign
from clients_register.conformance.reporting.told import (
    cleaned,
    counts,
    judged,
    misses,
    statement,
    told_cases,
)

# What is written around a word of this meaning (ECMA-48, SGR).
COLOURS = {
    "pass": "32",
    "note": "36",
    "warn": "33",
    "fail": "31",
    "unexpected-pass": "31",
    "error": "35",
    "quiet": "2",
    "loud": "1",
}

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def terminal(report: Mapping[str, Any], *, colour: bool) -> str:
    """The text that `verify` ends with."""
    # What was received moves no cursor.
    report = cleaned(report, _visible)
    paint = _painted if colour else _plain
    lines = [line for case in told_cases(report) for line in _case(report, case, paint)]
    lines += (
        f"not arranged: {missing['state']} ({missing['cases']} cases)"
        for missing in report["missing_states"]
    )
    if report["missing_states"]:
        lines.append("")
    if "fuzz" in report:
        lines += [*campaign.lines(report["fuzz"]), ""]
    target = report["target"]
    share = report["evidence"]
    verdict = "pass" if report["exit_code"] == 0 else "fail"
    lines += [
        f"{paint('loud', target['name'])} on contract {report['suite']['contract']},"
        f" {report['seconds']:.1f} s",
        counts(report) + _documented(share),
        paint(verdict, report["reason"]),
    ]
    return "".join(f"{line}\n" for line in lines)


def _documented(share: Mapping[str, Any]) -> str:
    if not share["documented"]:
        return ""
    return f"; {share['run']} of {share['documented']} documented cases were run"


def _case(report: Mapping[str, Any], case: Mapping[str, Any], paint: Any) -> Iterator[str]:
    yield f"{paint(case['verdict'], case['verdict'].upper())} {paint('loud', case['id'])}"
    yield f"  {case['title']}"
    if case["reason"]:
        yield f"  {case['reason']}"
    for each in misses(case):
        grade = paint("quiet", f"({each['grade']})")
        yield f"  {paint(each['verdict'], each['verdict'])} {each['what']} {grade}"
        yield f"    expected {each['expected']}"
        yield f"    received {each['received']}"
    for key in case["requires"]:
        yield paint("quiet", f"  {statement(report, key)}")
    exchange = judged(case)
    if exchange is not None:
        yield f"  {exchange['curl']}"
    yield f"  again: {case['rerun']}"
    yield ""


def _visible(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _plain(_: str, text: str) -> str:
    return text


def _painted(meaning: str, text: str) -> str:
    return f"\033[{COLOURS[meaning]}m{text}\033[0m" if meaning in COLOURS else text
