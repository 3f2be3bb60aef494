"""A report as JUnit XML, in the form that CI systems read: suites of cases, an area each."""

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from clients_register.conformance.reporting.told import (
    cleaned,
    is_bad,
    judged,
    misses,
    statement,
)
from clients_register.conformance.verdicts import Verdict

# XML 1.0 has no way to write these.
UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

SKIPPED = (Verdict.NOT_CLAIMED, Verdict.NOT_ARRANGED, Verdict.EXPECTED_FAILURE)


def junit(report: Mapping[str, Any]) -> str:
    """The XML, with its declaration."""
    report = cleaned(report, lambda text: UNWRITABLE.sub("\ufffd", text))
    root = ET.Element("testsuites", name="clients-register", time=f"{report['seconds']:.3f}")
    for area, cases in groupby(report["cases"], key=lambda case: case["area"]):
        suite = ET.SubElement(root, "testsuite", name=area, timestamp=report["started"])
        for case in cases:
            suite.append(_case(report, case))
        _count(suite)
    _count(root)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(report: Mapping[str, Any], case: Mapping[str, Any]) -> ET.Element:
    element = ET.Element(
        "testcase",
        classname=f"{report['target']['name']}.{case['area']}",
        name=f"{case['id']}: {case['title']}",
        time=f"{case['seconds']:.3f}",
    )
    verdict = case["verdict"]
    text = _details(report, case)
    if verdict == Verdict.ERROR:
        ET.SubElement(element, "error", message=case["reason"] or verdict).text = text
    elif is_bad(report, verdict):
        first = next(misses(case), None)
        message = case["reason"] or (f"{first['what']}: {first['received']}" if first else verdict)
        ET.SubElement(element, "failure", message=message, type=verdict).text = text
    elif verdict in SKIPPED:
        ET.SubElement(element, "skipped", message=f"{verdict}: {case['reason'] or ''}")
    elif verdict != Verdict.PASS:
        ET.SubElement(element, "system-out").text = text
    return element


def _details(report: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    lines = [case["verdict"], *([case["reason"]] if case["reason"] else [])]
    for each in misses(case):
        lines.append(f"{each['verdict']} {each['what']} ({each['grade']})")
        lines += [f"  expected {each['expected']}", f"  received {each['received']}"]
    lines += (statement(report, key) for key in case["requires"])
    exchange = judged(case)
    lines += [exchange["curl"]] if exchange else []
    return "\n".join([*lines, case["rerun"]])


def _count(element: ET.Element) -> None:
    element.set("tests", str(len(element.findall(".//testcase"))))
    for name, counted in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(len(element.findall(f".//{counted}"))))
