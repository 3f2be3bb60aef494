"""Renders a report as JUnit XML for CI systems, with one test suite per area.

Violations of the checks that apply to every response are reported in a separate test suite.
"""

from collections.abc import Mapping
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from clients_register.conformance.escaping import escape_all
from clients_register.conformance.report.model import (
    describe_examples,
    describe_finding,
    describe_source,
    describe_violation,
    is_failing,
    judged_exchange,
    missed_findings,
    worst_finding,
)
from clients_register.conformance.results import Verdict

# The test suite for the checks that apply to every response.
EVERY_RESPONSE = "every-response"

SKIPPED = (Verdict.NOT_CLAIMED, Verdict.NOT_ARRANGED, Verdict.EXPECTED_FAILURE)


def render_junit(report: Mapping[str, Any]) -> str:
    """Renders `report` as XML."""
    # Also escapes the characters that XML 1.0 cannot represent.
    report = escape_all(report)
    root = ET.Element("testsuites", name="clients-register", time=f"{report['seconds']:.3f}")
    for area, cases in groupby(report["cases"], key=lambda case: case["area"]):
        suite = ET.SubElement(root, "testsuite", name=area, timestamp=report["started"])
        for case in cases:
            suite.append(_render_case(report, case))
        _set_counts(suite)
    apart = [each for each in report["violations"] if each["every_response"]]
    if apart:
        suite = ET.SubElement(root, "testsuite", name=EVERY_RESPONSE, timestamp=report["started"])
        suite.extend([_render_violation(report, each) for each in apart])
        _set_counts(suite)
    _set_counts(root)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _render_case(report: Mapping[str, Any], case: Mapping[str, Any]) -> ET.Element:
    element = ET.Element(
        "testcase",
        classname=f"{report['target']['name']}.{case['area']}",
        name=f"{case['id']}: {case['title']}",
        time=f"{case['seconds']:.3f}",
    )
    verdict = case["verdict"]
    text = _describe(report, case)
    if verdict == Verdict.ERROR:
        ET.SubElement(element, "error", message=case["reason"] or verdict).text = text
    elif is_failing(report, verdict):
        finding = worst_finding(case)
        message = describe_finding(finding) if finding else case["reason"] or verdict
        ET.SubElement(element, "failure", message=message, type=verdict).text = text
    elif verdict in SKIPPED:
        ET.SubElement(element, "skipped", message=f"{verdict}: {case['reason'] or ''}")
    elif verdict != Verdict.PASS:
        ET.SubElement(element, "system-out").text = text
    return element


def _render_violation(report: Mapping[str, Any], violation: Mapping[str, Any]) -> ET.Element:
    element = ET.Element(
        "testcase",
        classname=f"{report['target']['name']}.{EVERY_RESPONSE}",
        name=f"every response: {violation['what']}",
        time="0.000",
    )
    message = describe_violation(violation)
    source = violation["source"]
    lines = [
        message,
        describe_examples(violation),
        *([describe_source(report, source)] if source else []),
    ]
    text = "\n".join([*lines, violation["rerun"]])
    if is_failing(report, violation["verdict"]):
        ET.SubElement(element, "failure", message=message, type=violation["verdict"]).text = text
    else:
        ET.SubElement(element, "system-out").text = text
    return element


def _describe(report: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    lines = [case["verdict"], *([case["reason"]] if case["reason"] else [])]
    for each in missed_findings(case):
        lines.append(f"{each['verdict']} {each['what']} ({each['grade']})")
        lines += [f"  expected {each['expected']}", f"  received {each['received']}"]
    lines += (describe_source(report, key) for key in case["requires"])
    exchange = judged_exchange(case)
    lines += [exchange["curl"]] if exchange else []
    return "\n".join([*lines, case["rerun"]])


def _set_counts(element: ET.Element) -> None:
    element.set("tests", str(len(element.findall(".//testcase"))))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(len(element.findall(f".//{tag}"))))
