"""`clients-register verify` and its companions as people run them, on real servers."""

import ssl
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.command import call, certified, reserved_port
from support.live import Live, LiveStub
from support.servers import Second, relay, running, tunnel
from support.suite import another_api, bad, base, crashing, mutant, profile, verified

from clients_register.conformance.decision import ExitCode


@pytest.fixture(scope="module")
def judged(
    shared_stub: LiveStub, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, dict[str, Any]]:
    """The exit code and the report of a strict run of all cases on the stub."""
    code, report, _ = verified(tmp_path_factory.mktemp("judged"), base(shared_stub), "--strict")
    return code, report


def test_the_stub_keeps_every_case_strictly(judged: tuple[int, dict[str, Any]]) -> None:
    code, report = judged
    assert bad(report) == {}
    assert report["summary"]["not-claimed"] == report["summary"]["not-arranged"] == 0
    assert (code, report["target"]["control"]) == (ExitCode.SUCCESS, True)


def test_every_client_that_was_told_of_is_listed(judged: tuple[int, dict[str, Any]]) -> None:
    _, report = judged
    listed = {each["email"] for each in report["created"]}
    told = {
        exchange["answer"]["envelope"]["data"].get("email")
        for case in report["cases"]
        for exchange in case["exchanges"]
        if exchange["answer"] and exchange["answer"]["code"] == 200
        if case["claims"] != "stub"
    }
    assert told - listed <= {None}
    assert not any(email.endswith("@status.test") for email in listed)


def test_the_reference_keeps_what_can_be_sent_to_it(shared: Live, tmp_path: Path) -> None:
    code, report, _ = verified(tmp_path, base(shared), "--strict")
    assert bad(report) == {}
    assert (code, report["target"]["control"]) == (ExitCode.SUCCESS, False)


def test_the_second_server_keeps_all_but_what_is_about_the_stub(
    second: Second, tmp_path: Path
) -> None:
    origin = f"http://127.0.0.1:{second.port}"
    claims = "core, tokens, mail, views, uncommon"
    known = "company: 42\nother_application: planox2"
    more = f"hook: {origin}/hooks\n{known}"
    file = profile(tmp_path, base=f"{origin}/api/v1", claims=claims, more=more)
    code, report, _ = verified(tmp_path, "--profile", file, "--strict")
    assert bad(report) == {}
    about = [case for case in report["cases"] if case["claims"] != "stub"]
    ran = [case for case in about if case["verdict"] in ("pass", "observed")]
    assert len(ran) >= 0.95 * len(about)
    assert code == ExitCode.SUCCESS


def test_the_certificates_and_the_proxy_of_a_profile_are_used_for_the_hook(
    second: Second, tmp_path: Path
) -> None:
    certificate = certified(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    server.load_verify_locations(certificate)
    server.verify_mode = ssl.CERT_REQUIRED
    connected: list[bytes] = []
    with running(relay("127.0.0.1", second.port), server) as origin:
        real = urlsplit(origin)
        with running(tunnel(real.hostname, real.port, connected)) as via:
            # Nothing listens on these ports, so only the proxy reaches the server and its hook.
            more = (
                f"hook: https://127.0.0.1:2/hooks\nproxy: {via}\n"
                f"tls: {{ca: {certificate}, certificate: {certificate}}}"
            )
            url = "https://127.0.0.1:1/api/v1"
            file = profile(tmp_path, base=url, claims="core, tokens", more=more)
            only = ("--only", "token/of-a-live-session")
            code, report, said = verified(tmp_path, "--profile", file, *only)
    assert [case["verdict"] for case in report["cases"]] == ["pass"], said
    assert code == ExitCode.SUCCESS
    ports = {line.split()[1] for line in connected}
    assert ports == {b"127.0.0.1:1", b"127.0.0.1:2"}


# One that needs no hook, one that needs a state, one that breaks the whole server, one that asks
# who is stored.
HOOKED = (
    "token/none",
    "token/of-a-live-session",
    "uncommon/route-undeployed",
    "route/post-registers",
)


def by_hook(
    shared: Live, tmp_path: Path, code: int, body: bytes
) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the cases, where a hook answers so to everything."""
    with another_api(code, body) as url:
        claims = "core, tokens, uncommon"
        file = profile(tmp_path, base=base(shared), claims=claims, more=f"hook: {url}")
        asked = (word for name in HOOKED for word in ("--only", name))
        ended, report, said = verified(tmp_path, "--profile", file, *asked)
    assert "Traceback" not in said
    return ended, {case["id"]: case for case in report["cases"]}


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (200, b'["no object"]'),
        (200, b"no JSON"),
        (200, b""),
        (200, b"{}"),
        (200, b'{"count": "many"}'),
        (200, b'{"count": true}'),
        (200, b'{"count": 2, "addresses": ["one"]}'),
        (500, b""),
    ],
)
def test_a_hook_that_answers_otherwise_than_agreed_spoils_its_cases_alone(
    shared: Live, tmp_path: Path, code: int, body: bytes
) -> None:
    ended, cases = by_hook(shared, tmp_path, code, body)
    assert cases["token/none"]["verdict"] == "pass"
    assert cases["token/of-a-live-session"]["verdict"] == "error"
    assert "hook, state count-clients: expected " in cases["route/post-registers"]["reason"]
    assert ended == ExitCode.DEFECT


def test_an_address_in_another_letter_case_than_sent_is_found(shared: Live, tmp_path: Path) -> None:
    body = b'{"count": 1, "addresses": ["Other.Letters@conformance.test"]}'
    _, cases = by_hook(shared, tmp_path, 200, body)
    (missed,) = [
        each for each in cases["route/post-registers"]["findings"] if each["verdict"] != "pass"
    ]
    assert missed["what"] == "spelling of the address (stored)"
    assert missed["received"] == "Other.Letters@conformance.test"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("utf-16", "UTF-16, little endian"),
        ("utf-16-marked", "UTF-16 with a byte order mark"),
        ("utf-32", "UTF-32, big endian"),
        ("utf-32-marked", "UTF-32 with a byte order mark"),
        ("byte-order-mark", "UTF-8 with a byte order mark"),
        ("latin-1-written", "another encoding: byte 52 is 0xe9"),
    ],
)
def test_json_that_is_not_utf_8_violates_the_contract(
    tmp_path: Path, name: str, found: str
) -> None:
    with mutant(name) as url:
        code, report, _ = verified(tmp_path, url, "--only", "base64/*")
    assert code == ExitCode.VIOLATION
    assert {case["verdict"] for case in report["cases"]} == {"fail"}
    missed = [each for case in report["cases"] for each in case["findings"]]
    assert {each["what"] for each in missed if each["verdict"] == "fail"} == {"character encoding"}
    assert found in {each["received"] for each in missed}


@pytest.mark.parametrize("command", ["smoke", "verify", "fuzz"])
def test_compressed_responses_are_decoded_with_a_note(
    second: Second, tmp_path: Path, command: str
) -> None:
    url = f"http://127.0.0.1:{second.port}/api/v1"
    more = {
        "smoke": (),
        "verify": ("--strict", "--only", "base64/*"),
        "fuzz": ("--requests", "5", "--layer", "parameters"),
    }
    done = call(command, url, *more[command], cwd=tmp_path)
    assert done.returncode == ExitCode.SUCCESS, done.stdout
    assert "note: responses have the Content-Encoding gzip although" in done.stderr


def test_a_broken_compression_violates_the_contract(tmp_path: Path) -> None:
    with mutant("broken-gzip") as url:
        code, report, said = verified(tmp_path, url, "--only", "base64/plain-json")
    assert code == ExitCode.VIOLATION, said
    found = [each for case in report["cases"] for each in case["findings"]]
    assert ["fail", "header Content-Encoding"] in [
        [each["verdict"], each["what"]] for each in found
    ]


def test_a_coding_that_is_not_decoded_is_named(tmp_path: Path) -> None:
    with another_api(400, b"\x0b\x02\x80{}\x03", Content_Encoding="br") as url:
        code, _, said = verified(tmp_path, url)
    assert code == ExitCode.UNREACHABLE
    assert "a body in the content coding br, which the suite does not decode" in said
    assert "send no body in the coding br to callers without Accept-Encoding" in said


def test_what_a_hook_does_not_know_is_not_run(shared: Live, tmp_path: Path) -> None:
    ended, cases = by_hook(shared, tmp_path, 404, b"no such state")
    verdicts = {name: each["verdict"] for name, each in cases.items()}
    assert verdicts == {
        "token/none": "pass",
        "token/of-a-live-session": "not-arranged",
        "uncommon/route-undeployed": "not-arranged",
        "route/post-registers": "pass",
    }
    assert "session-live: the hook of the target does not support it" in str(cases)
    assert ended == ExitCode.SUCCESS


@pytest.mark.smoke
def test_a_plan_sends_nothing_and_tells_what_would_be(tmp_path: Path) -> None:
    file = profile(tmp_path, base="https://staging.test/api/v1")
    done = call("plan", "--profile", file)
    assert done.returncode == ExitCode.SUCCESS
    assert "staging.test" in done.stdout
    assert "clients created" in done.stdout


def test_where_nobody_listens_is_unreachable(tmp_path: Path) -> None:
    with reserved_port() as port:
        code, _, said = verified(tmp_path, f"http://127.0.0.1:{port}/api/v1")
    assert (code, "is the server running" in said) == (ExitCode.UNREACHABLE, True)


def test_another_api_is_unreachable(tmp_path: Path) -> None:
    with another_api() as url:
        code, _, said = verified(tmp_path, url)
    assert (code, "is not this API" in said) == (ExitCode.UNREACHABLE, True)


@pytest.mark.parametrize("html", [False, True], ids=["closed", "html"])
def test_a_server_that_crashes_on_valid_base64_violates_the_contract(
    tmp_path: Path, html: bool
) -> None:
    with crashing(html=html) as url:
        code, report, said = verified(tmp_path, url)
    verdicts = Counter(case["verdict"] for case in report["cases"])
    assert code == ExitCode.VIOLATION, said
    assert verdicts["error"] == 0
    assert verdicts["fail"] > 100
    assert f"in {verdicts['fail']} of" in report["reason"]
    (violation, *_) = report["violations"]
    assert violation["cases"] > 100
    assert len(violation["examples"]) == 3
    by_id = {case["id"]: case for case in report["cases"]}
    # Judged, sent before, and sent to register a client.
    for each in (
        "route/post-registers",
        "success/every-session-is-new",
        "email-taken/second-registration",
    ):
        found = [finding["received"] for finding in by_id[each]["findings"]]
        assert any(("HTTP 500" if html else "connection was closed") in text for text in found), (
            each
        )


@pytest.mark.parametrize("html", [False, True], ids=["closed", "html"])
def test_smoke_shows_what_crashes(html: bool) -> None:
    with crashing(html=html) as url:
        done = call("smoke", url)
    assert done.returncode == ExitCode.VIOLATION
    (line,) = (each for each in done.stdout.splitlines() if each.startswith("fail"))
    assert "no parameters" in line
    assert ("HTTP 500 without a status" if html else "the connection was closed") in line


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ((), "expected a URL or a --profile"),
        (("http://127.0.0.1:1", "--profile", "x.yaml"), "not both"),
        (("https://staging.test/api",), "write a profile"),
        (("http://127.0.0.1:1", "--only", "unheard-of"), "no case matches"),
        (("--profile", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_wrong_usage_is_one_line(argv: tuple[str, ...], told: str) -> None:
    done = call("verify", *argv)
    assert done.returncode == ExitCode.USAGE
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_half_claimed_profile_is_too_little(shared: Live, tmp_path: Path) -> None:
    more = "arrange: {client: unavailable}\nlimits: {writes: false}"
    file = profile(tmp_path, base=base(shared), more=more)
    code, report, said = verified(tmp_path, "--profile", file)
    assert (code, report["evidence"]["enough"]) == (ExitCode.INCONCLUSIVE, False)
    assert "too few cases were run" in said


def test_a_known_failure_that_passes_fails_the_run(shared: Live, tmp_path: Path) -> None:
    known = 'known_failures: [{cases: "*", reason: "so it is said", since: "2026-11-25"}]'
    file = profile(tmp_path, base=base(shared), more=known)
    code, report, _ = verified(tmp_path, "--profile", file)
    assert report["summary"]["unexpected-pass"] > 0
    assert code == ExitCode.VIOLATION


def test_an_answer_of_the_profile_is_not_held_against_the_target(
    start: Callable[..., Live], tmp_path: Path
) -> None:
    origin = base(start(max_body=1000))
    argv = ("--strict", "--only", "limit/white-space-to-the-limit")
    code, _, _ = verified(tmp_path, origin, *argv)
    assert code == ExitCode.VIOLATION
    file = profile(tmp_path, base=origin, more="answers: {Q-BODY-LIMIT: a thousand bytes}")
    code, report, _ = verified(tmp_path, "--profile", file, *argv)
    assert (code, report["summary"]["observed"]) == (ExitCode.SUCCESS, 1)
    assert "a thousand bytes" in report["cases"][0]["reason"]


def test_a_forced_answer_is_no_evidence(shared_stub: LiveStub, tmp_path: Path) -> None:
    file = profile(tmp_path, base=base(shared_stub))
    after_smoke = [{"slug": "action-successful", "after": 5}]
    shared_stub.control("PUT", "/next", after_smoke)
    argv = ("--profile", file, "--only", "route/post-registers")
    code, report, _ = verified(tmp_path, *argv)
    assert code == ExitCode.DEFECT
    assert "Mock-Forced" in report["cases"][0]["reason"]


def test_limits_are_hard(shared: Live, tmp_path: Path) -> None:
    file = profile(tmp_path, base=base(shared), more="limits: {requests: 10}")
    code, report, _ = verified(tmp_path, "--profile", file)
    assert sum(len(case["exchanges"]) for case in report["cases"]) <= 10
    assert code == ExitCode.INCONCLUSIVE


@pytest.mark.smoke
def test_smoke_shows_five_answers(shared: Live) -> None:
    done = call("smoke", base(shared))
    assert (done.returncode, done.stdout.count("\n")) == (ExitCode.SUCCESS, 5)
