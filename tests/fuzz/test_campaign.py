"""`clients-register fuzz`, as people and CI run it."""

import errno
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.command import call, environment, run
from support.live import LiveStub
from support.servers import Second
from support.suite import another_api, base, crashing, explored, fuzzed, mutant, profile

from clients_register.conformance.fuzz import LAYERS, corpus
from clients_register.conformance.fuzz.campaign import Budget, Plan
from clients_register.conformance.fuzz.exploration import explore
from clients_register.conformance.results import Verdict
from clients_register.conformance.target import target_for_url
from clients_register.spec.statuses import load_statuses


@pytest.mark.once
def test_nothing_wrong_is_found_in_the_stub_and_reports_are_written(
    stub: LiveStub, tmp_path: Path
) -> None:
    names = ("junit", "html", "markdown", "order")
    files = {name: tmp_path / name for name in names}
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    code, report, said = fuzzed(
        tmp_path, base(stub), "--strict", "--seed", "5", "--requests", "400", *options
    )
    assert code == 0, said
    assert "nothing wrong was found" in said
    assert {each["verdict"] for each in report["cases"]} == {"pass"}
    assert [each["id"] for each in report["cases"]] == [f"fuzz/{layer}" for layer in LAYERS]
    assert report["fuzz"]["requests"] >= 400
    assert ET.fromstring(files["junit"].read_text("utf-8")).attrib["failures"] == "0"
    assert 'id="campaign"' in files["html"].read_text("utf-8")
    rows = files["order"].read_text("utf-8").splitlines()
    assert len(rows) == 1 + len(report["fuzz"]["order"]["faults"])
    assert not any("!" in row for row in rows)


@pytest.mark.soak
def test_a_campaign_reaches_every_status_and_every_rule(stub: LiveStub) -> None:
    with explored(base(stub), 1500) as (campaign, ended):
        told = campaign.coverage.to_dict(load_statuses())
    assert ended == "the budget is spent"
    aliases = {each.slug for each in load_statuses().aliases}
    assert {each["slug"] for each in told["statuses"] if not each["met"]} == aliases
    assert [each["fact"] for each in told["rules"] if not each["broken"]] == []


@pytest.mark.once
def test_the_same_seed_makes_the_same_campaign(stub: LiveStub) -> None:
    counted = []
    for _ in range(2):
        with explored(base(stub), 60, "parameters", "envelopes", seed=9) as (campaign, _):
            counted.append((campaign.coverage.statuses, campaign.coverage.keywords))
    assert counted[0] == counted[1]
    with explored(base(stub), 60, "parameters", "envelopes", seed=10) as (campaign, _):
        assert campaign.coverage.keywords != counted[0][1]


@pytest.mark.smoke
def test_it_leaves_no_worlds_behind(stub: LiveStub) -> None:
    with explored(base(stub), 60, "parameters", "sequences"):
        pass
    assert [each["name"] for each in stub.control("GET", "/worlds").json()] == ["default"]


@pytest.mark.parametrize(
    ("layers", "requests"),
    [
        (("order", "parameters"), 300),
        pytest.param(tuple(LAYERS), 4000, marks=pytest.mark.soak),
    ],
    ids=["short", "long"],
)
def test_nothing_wrong_is_found_in_the_second_server(
    second: Second, tmp_path: Path, layers: tuple[str, ...], requests: int
) -> None:
    origin = f"http://127.0.0.1:{second.port}"
    limits = f"hook: {origin}/hooks\nlimits: {{requests: 9000, clients: 9000}}"
    claims = "core, tokens, mail, views, uncommon"
    file = profile(tmp_path, base=f"{origin}/api/v1", claims=claims, more=limits)
    chosen = [word for layer in layers for word in ("--layer", layer)]
    asked = ("--strict", "--seed", "3", "--requests", str(requests))
    code, report, said = fuzzed(tmp_path, "--profile", file, *asked, *chosen)
    assert code == 0, said
    assert report["fuzz"]["order"]["not_arranged"] == 0


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer != "sequences"])
@pytest.mark.parametrize("html", [False, True], ids=["closed", "html"])
def test_a_crash_on_valid_base64_is_a_fault_of_the_target(
    tmp_path: Path, layer: str, html: bool
) -> None:
    # Schemathesis has a client of its own, whose errors must not end the campaign.
    first = () if layer == "schema" else ("--first",)
    asked = ("--seed", "1", "--requests", "60", "--layer", layer, *first)
    with crashing(html=html) as url:
        code, report, said = fuzzed(tmp_path, url, *asked)
    assert code == 1, said
    received = [each["received"] for case in report["cases"] for each in case["findings"]]
    assert any(("HTTP 500" if html else "closed") in text for text in received), received


def test_who_may_be_a_client_now_is_listed(stub: LiveStub, tmp_path: Path) -> None:
    file = profile(tmp_path, base=base(stub))
    _, report, _ = fuzzed(
        tmp_path, "--profile", file, "--seed", "1", "--requests", "100", "--layer", "parameters"
    )
    told = {each["email"].lower() for each in report["created"]}
    there = {
        each["email"].lower()
        for each in stub.control("GET", "/clients").json()
        if each["client"] and not each["persona"]
    }
    assert there
    assert there <= told


def test_a_fault_is_shrunk_and_kept_as_a_case_that_finds_it_again(tmp_path: Path) -> None:
    # With each of eight seeds a fifth of the requests was enough to find it.
    asked = ("--strict", "--seed", "3", "--requests", "800", "--layer", "parameters", "--first")
    with mutant("client-of-any-type") as url:
        code, report, said = fuzzed(tmp_path, url, *asked)
        assert code == 1, said
        (case,) = corpus.load_corpus(tmp_path / "corpus")
        assert case.judged.send is not None
        assert case.judged.send.content is not None
        params = case.judged.send.content[1]
        assert set(params) == {"application", "client"}
        assert not isinstance(params["client"], dict)
        again, replayed, _ = fuzzed(tmp_path, url, *asked[:3], "--requests", "1")
        assert again == 1
        assert replayed["cases"][0]["id"] == case.id
        assert replayed["cases"][0]["verdict"] == "note"
    # A layer is as bad as what it found.
    verdicts = [each["verdict"] for each in report["cases"]]
    assert verdicts == ["note", "note"]
    fault = report["cases"][1]
    assert fault["exchanges"][0]["curl"].startswith("curl ")
    assert "--seed 3" in fault["rerun"]


@pytest.mark.soak
def test_a_fault_is_shrunk_to_what_it_takes(tmp_path: Path) -> None:
    asked = ("--strict", "--seed", "1", "--requests", "2000", "--layer", "parameters", "--first")
    with mutant("company-id-coerced") as url:
        fuzzed(tmp_path, url, *asked)
    (case,) = corpus.load_corpus(tmp_path / "corpus")
    assert case.judged.send is not None
    assert case.judged.send.content is not None
    params = case.judged.send.content[1]
    assert params["client"]["company_id"] in {"42", "43", "44"}
    assert len(params["client"]) <= 3
    assert set(params) == {"application", "client"}


def test_a_kept_case_passes_on_the_right_server(stub: LiveStub, tmp_path: Path) -> None:
    with mutant("urlsafe-read") as url:
        fuzzed(tmp_path, url, "--strict", "--seed", "1", "--layer", "envelopes", "--first")
    assert corpus.load_corpus(tmp_path / "corpus")
    code, report, said = fuzzed(
        tmp_path, base(stub), "--strict", "--seed", "1", "--requests", "20", "--layer", "envelopes"
    )
    assert code == 0, said
    assert report["cases"][0]["verdict"] == "pass"


@pytest.mark.parametrize("command", [("fuzz",), ("verify", "--fuzz", "100")])
@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("broken", "x.yaml"),
        ("bytes", "bytes: expected case files in UTF-8"),
        ("file", "expected a directory that can be written: file is a file"),
        ("file/below", "file/below cannot be created: file is not a directory"),
    ],
)
def test_a_corpus_that_cannot_be_is_told_before_anything_is_sent(
    stub: LiveStub, tmp_path: Path, command: tuple[str, ...], folder: str, told: str
) -> None:
    for name, content in (("broken", b"area: fuzz\n"), ("bytes", b"\xff\xfe")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.yaml").write_bytes(content)
    (tmp_path / "file").write_text("")
    done = call(*command, base(stub), "--corpus", folder, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert stub.control("GET", "/requests").json() == []


def test_a_fault_that_cannot_be_kept_is_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, *_text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    plan = Plan(("envelopes",), 1, Budget(3000), strict=True, first=True)
    with mutant("urlsafe-read") as url:
        target = target_for_url(url, control=True)
        found = explore(target, load_statuses(), plan, tmp_path / "corpus", ["fuzz"])
    assert [each.verdict for each in found.results[1:]] == [Verdict.NOTE]
    assert found.saved == []
    (lost,) = found.failures
    assert lost.endswith(".yaml cannot be written: No space left on device")


def test_verify_fuzzes_too_when_asked(stub: LiveStub, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    asked = ("--only", "route/*", "--fuzz", "50", "--seed", "1", "--corpus", str(tmp_path / "c"))
    done = call("verify", base(stub), *asked, "--report", str(file))
    report = json.loads(file.read_text("utf-8"))
    assert done.returncode == 0, done.stdout
    assert {each["area"] for each in report["cases"]} == {"route", "fuzz"}
    assert report["fuzz"]["seed"] == 1


@pytest.mark.parametrize("number", ["0", "-1", "x"])
def test_a_campaign_of_no_requests_is_wrong_usage(stub: LiveStub, number: str) -> None:
    assert call("fuzz", base(stub), "--requests", number).returncode == 2


def test_another_api_is_no_target(tmp_path: Path) -> None:
    with another_api() as url:
        code, _, said = fuzzed(tmp_path, url)
    assert code == 3, said
    assert "is not this API" in said


def test_without_its_libraries_it_says_what_to_install(stub: LiveStub, tmp_path: Path) -> None:
    (tmp_path / "schemathesis").mkdir()
    (tmp_path / "hypothesis.py").write_text("raise ModuleNotFoundError(name='hypothesis')\n")
    assert "PYTHONPATH" not in environment()
    done = run("fuzz", base(stub), env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("layer", ["schema", "parameters", "envelopes"])
def test_a_key_of_the_profile_is_in_no_report_whoever_sends_the_request(
    tmp_path: Path, layer: str
) -> None:
    key = "a-key-of-some-length-7f3a"
    body = json.dumps({"status": load_statuses().success.slug, "code": 200}).encode()
    with another_api(200, body) as url:
        file = profile(tmp_path, base=url, more=f"headers: {{X-Key: {key}}}")
        argv = ("--profile", file, "--requests", "20", "--layer", layer, "--seed", "1")
        _, report, said = fuzzed(tmp_path, *argv)
    exchanges = [each for case in report["cases"] for each in case["exchanges"]]
    assert ["X-Key", "…"] in [
        header for each in exchanges for header in each["request"]["headers"]
    ], said
    assert key not in json.dumps(report, ensure_ascii=False) + said
