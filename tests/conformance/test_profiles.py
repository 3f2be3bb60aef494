"""Profiles: what a target is, and which ones are refused."""

import json
import os
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from support.command import call, certified
from support.suite import another_api

from clients_register.conformance.control import TOKEN_VARIABLE
from clients_register.conformance.decision import ExitCode
from clients_register.conformance.profiles import load_profile
from clients_register.conformance.target import ProfileError, is_loopback, target_for_url
from clients_register.spec.statuses import load_statuses

PROFILE = """
profile: 1
name: Some server
base_url: ${BASE}
email_domain: tests.test
headers: {X-Key: "${KEY}"}
"""

ENVIRONMENT = {
    "BASE": "https://staging.test/api/v1",
    "KEY": "k3y of 7f3a",
    "LINES": "k3y of 7f3a\n",
    "BYTES": os.fsdecode(b"k3y of \xff"),
}


def known_failure(cases: str, since: str = "2026-11-25") -> str:
    return f'known_failures: [{{cases: "{cases}", reason: so, since: "{since}"}}]'


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "profile.yaml"
    file.write_text(text, "utf-8")
    return file


def test_a_profile_is_filled_from_the_environment(tmp_path: Path) -> None:
    found = load_profile(written(tmp_path, PROFILE), ENVIRONMENT)
    assert found.origin == "https://staging.test"
    assert found.path == "/api/v1/clients/register"
    assert found.headers == {"X-Key": "k3y of 7f3a"}
    assert found.claims == ("core",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PROFILE.replace("profile: 1", "profile: 2"), r"profile"),
        (PROFILE + "claims: [everything]", r"claims\[0\]"),
        (PROFILE + "passwords: 1", "passwords"),
        (PROFILE.replace("${KEY}", "${LOCK}"), "the environment has no LOCK"),
        (PROFILE.replace("email_domain: tests.test", ""), "email_domain"),
        (PROFILE.replace("${BASE}", "ftp://staging.test"), "expected a URL"),
        (PROFILE.replace("${BASE}", "https://me:pw@staging.test"), "only a host and a path"),
        (
            PROFILE + "answers: {Q-UNHEARD-OF: so}",
            "no question of the contract is called Q-UNHEARD-OF",
        ),
        (PROFILE.replace("${BASE}", "http://staging.test:99999"), "expected a URL"),
        (PROFILE.replace("${BASE}", "http://[::1"), "expected a URL"),
        (PROFILE.replace("${BASE}", "${BASE}?a=1"), "found one with a query"),
        (PROFILE.replace("tests.test", "${KEY}"), r"email_domain: expected a domain"),
        (PROFILE + "hook: nowhere", r"hook: expected a URL"),
        (PROFILE + "proxy: ${BASE}", r"proxy: expected a proxy that accepts plain HTTP"),
        (PROFILE + "proxy: ${KEY}", r"proxy: expected a URL"),
        (PROFILE + "tls: {key: k.pem}", "tls: expected a `certificate` for the `key`"),
        (PROFILE.replace("X-Key", "X Key"), "expected names of headers, found 'X Key'"),
        (PROFILE.replace("${KEY}", "${LINES}"), r"headers\.X-Key: expected one line"),
        (
            PROFILE + "arrange: {sesion-live: hook}",
            "no state .* sesion-live. Did you mean session-live",
        ),
        (PROFILE + "arrange: {session-live: hook}", "expected a `hook` .* for session-live"),
        (PROFILE + "observe: {stored: hook}", "expected a `hook` .* for stored"),
        (PROFILE + known_failure("bace64/*"), "no case matches 'bace64/\\*'"),
        (PROFILE + known_failure("base64/*", "lately"), r"known_failures\[0\]\.since"),
        ("[", "cannot be read as YAML"),
        ("a: 1\n--- b\n", "expected a single document in the stream, but found another"),
        (PROFILE + "route: register", r"route: expected a path that begins with /"),
        *(
            (PROFILE + f'route: "/{text}"', "route: expected a path of printable ASCII")
            for text in ("a b", r"a\r\nX-Key: b", "a?b=c", "a#b", "\u00e4")
        ),
        (PROFILE.replace("X-Key", "content-length"), r"headers\.content-length: expected other"),
        (PROFILE.replace("X-Key", "Transfer-Encoding"), "each case sets it; remove it"),
        (PROFILE.replace("X-Key", "Content-Type"), "each case sets it; remove it"),
        (PROFILE.replace("${KEY}", "${BYTES}"), "headers, X-Key: expected text in UTF-8"),
        (
            PROFILE.replace("${KEY}", r"\ud800"),
            r"X-Key: expected a string, found a string with a lone",
        ),
        (PROFILE + r'arrange: {client: {preset: {token: "\udfff"}}}', "expected text in UTF-8"),
        (PROFILE.replace("${BASE}", "http://staging.test/a b"), "percent-encoded"),
        (PROFILE + r'hook: "http://staging.test/\r\nX-Key: b"', "hook: .* percent-encoded"),
        (PROFILE + "limits: {timeout: .nan}", r"limits\.timeout: expected a number"),
        (PROFILE + "limits: {requests: 10.0}", r"limits\.requests: expected an integer"),
    ],
)
def test_a_faulty_profile_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        load_profile(written(tmp_path, text), ENVIRONMENT)


@pytest.mark.parametrize(
    "text",
    [
        PROFILE.replace("${KEY}", "${LINES}"),
        PROFILE.replace("${BASE}", "https://me:k3y-7f3a@staging.test"),
        PROFILE.replace("${BASE}", "https://me:k3y-7f3a@staging.test:99999"),
        PROFILE + "proxy: http://me:k3y-7f3a@proxy.test",
        PROFILE + "limits: {timeout: '${KEY}'}",
        PROFILE + "proxy: ${KEY}",
        PROFILE + "hook: ${KEY}",
        PROFILE.replace("${BASE}", "${KEY}"),
        PROFILE.replace("tests.test", "${KEY}"),
        PROFILE + "claims: [k3y-of-7f3a]",
        PROFILE + "arrange: {clock: k3y-of-7f3a}",
        PROFILE + 'tls: {ca: "k3y-7f3a',
        PROFILE + "tls: {ca: *k3y-7f3a}",
        PROFILE + "tls: {ca: !k3y-7f3a x}",
        PROFILE + "tls: {ca: '\\k3y-7f3a': k3y}: k3y",
        PROFILE + "tls: @k3y-7f3a",
        PROFILE + "tls: k3y-7f3a: k3y-7f3a",
        PROFILE + "%k3y-7f3a: [",
    ],
)
def test_no_message_shows_a_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProfileError) as refused:
        load_profile(written(tmp_path, text), ENVIRONMENT)
    assert "k3y" not in str(refused.value)


def test_a_profile_is_read_by_the_core_schema(tmp_path: Path) -> None:
    text = PROFILE.replace("Some server", "1:30") + (
        "company: 042\nlimits: {timeout: 1e2}\n"
        "known_failures: [{cases: base64/*, reason: yes, since: 2026-11-25}]\n"
    )
    found = load_profile(written(tmp_path, text), ENVIRONMENT)
    assert (found.name, found.company, found.limits.timeout) == ("1:30", 42, 100.0)
    (failure,) = found.known_failures
    assert (failure.reason, failure.since) == ("yes", "2026-11-25")


def test_a_profile_in_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "profile.yaml"
    file.write_bytes(PROFILE.replace("Some", "S\u00f6me").encode("latin-1"))
    with pytest.raises(ProfileError, match="expected UTF-8, found another encoding at byte 19"):
        load_profile(file, ENVIRONMENT)


@pytest.mark.parametrize("token", ["t\u00f6ken", "to\nken", os.fsdecode(b"\xff")])
def test_a_control_token_that_no_header_can_contain_is_refused(token: str) -> None:
    done = call("verify", "http://127.0.0.1:1", env={TOKEN_VARIABLE: token})
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    expected = f"{TOKEN_VARIABLE}: expected the token of the stub in printable ASCII"
    assert expected in done.stderr
    assert token not in done.stderr


def test_a_profile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(tmp_path / "nowhere.yaml", {})


def secure(tls: str) -> str:
    return f"{PROFILE}tls: {{{tls}}}\n"


def test_files_are_found_from_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    certificate = certified(tmp_path / "profiles")
    body = json.dumps({"status": load_statuses().success.slug}).encode()
    with another_api(200, body, certificate=certificate) as url:
        tls = "ca: certificate.pem, certificate: ./certificate.pem, key: ../profiles/key.pem"
        text = secure(tls).replace("${BASE}", url).replace("${KEY}", "key")
        written(tmp_path / "profiles", text)
        done = call("smoke", "--profile", "../profiles/profile.yaml")
    # It responds, though always with the same status.
    assert done.returncode == ExitCode.VIOLATION, done.stderr
    assert "received 200" in done.stdout


def test_an_absolute_path_stays(tmp_path: Path) -> None:
    text = secure(f"ca: {tmp_path / 'ca.pem'}")
    assert load_profile(written(tmp_path, text), ENVIRONMENT).tls == {"ca": f"{tmp_path}/ca.pem"}


@pytest.mark.parametrize(
    ("tls", "told"),
    [
        ("ca: nowhere.pem", "tls.ca: {}/nowhere.pem cannot be read: No such file"),
        ("ca: .", "tls.ca: {} cannot be read: Is a directory"),
        ("ca: text.pem", "tls.ca: expected CA certificates in PEM in {}/text.pem, found none"),
        ("certificate: nowhere.pem", "tls.certificate: {}/nowhere.pem cannot be read"),
        (
            "certificate: certificate.pem, key: nowhere.pem",
            "tls.key: {}/nowhere.pem cannot be read",
        ),
        (
            "certificate: certificate.pem, key: text.pem",
            "in PEM in {0}/certificate.pem, and its key without a passphrase in {0}/text.pem",
        ),
        (
            "certificate: certificate.pem, key: encrypted.pem",
            "its key without a passphrase in {}/encrypted.pem",
        ),
    ],
)
def test_an_error_about_a_file_names_it(tmp_path: Path, tls: str, told: str) -> None:
    certified(tmp_path)
    (tmp_path / "text.pem").write_text("no certificate")
    encrypt = "openssl pkcs8 -topk8 -in key.pem -out encrypted.pem -passout pass:secret"
    subprocess.run(encrypt.split(), cwd=tmp_path, check=True, capture_output=True)
    target = load_profile(written(tmp_path, secure(tls)), ENVIRONMENT)
    with pytest.raises(ProfileError) as refused:
        target.client()
    assert told.format(tmp_path) in str(refused.value)


@pytest.mark.parametrize("name", ["reference.yaml", "template.yaml"])
def test_the_shipped_profiles_are_in_order(name: str) -> None:
    folder = files("clients_register.conformance") / "targets"
    environment = {"REGISTER_BASE_URL": "https://staging.test"}
    assert load_profile(Path(str(folder / name)), environment).name


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:1/api", True),
        ("http://[::1]:1", True),
        ("http://localhost", True),
        ("http://a.localhost", True),
        ("https://staging.test", False),
        ("http://10.0.0.1", False),
    ],
)
def test_a_bare_url_is_taken_of_this_machine_alone(url: str, *, local: bool) -> None:
    assert is_loopback(url) is local
    if local:
        assert target_for_url(url, control=False).claims == ("core",)
    else:
        with pytest.raises(ProfileError, match="write a profile"):
            target_for_url(url, control=False)
