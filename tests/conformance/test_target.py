"""Profiles: what a target is, and which ones are refused."""

from importlib.resources import files
from pathlib import Path

import pytest

from clients_register.conformance import target
from clients_register.conformance.target import ProfileError

PROFILE = """
profile: 1
name: Some server
base_url: ${BASE}
email_domain: tests.test
headers: {X-Key: "${KEY}"}
"""

ENVIRONMENT = {"BASE": "https://staging.test/api/v1", "KEY": "secret of the key"}


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "profile.yaml"
    file.write_text(text, "utf-8")
    return file


def test_a_profile_is_filled_from_the_environment(tmp_path: Path) -> None:
    found = target.read(written(tmp_path, PROFILE), ENVIRONMENT)
    assert found.origin == "https://staging.test"
    assert found.base_path == "/api/v1"
    assert found.headers == {"X-Key": "secret of the key"}
    assert found.claims == ("core",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PROFILE.replace("profile: 1", "profile: 2"), r"\$\.profile"),
        (PROFILE + "claims: [everything]", r"\$\.claims\[0\]"),
        (PROFILE + "passwords: 1", "passwords"),
        (PROFILE.replace("${KEY}", "${LOCK}"), "the environment has no LOCK"),
        (PROFILE.replace("email_domain: tests.test", ""), "email_domain"),
        (PROFILE.replace("${BASE}", "ftp://staging.test"), "expected a URL"),
        (PROFILE.replace("${BASE}", "https://me:pw@staging.test"), "host and path alone"),
        (PROFILE + "answers: {Q-UNHEARD-OF: so}", "no questions of the spec: Q-UNHEARD-OF"),
        ("[", "cannot be read as YAML"),
    ],
)
def test_a_faulty_profile_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        target.read(written(tmp_path, text), ENVIRONMENT)


def test_a_profile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        target.read(tmp_path / "nowhere.yaml", {})


@pytest.mark.parametrize("name", ["reference.yaml", "template.yaml"])
def test_the_shipped_profiles_are_in_order(name: str) -> None:
    folder = files("clients_register.conformance") / "targets"
    environment = {"REGISTER_BASE_URL": "https://staging.test"}
    assert target.read(Path(str(folder / name)), environment).name


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
    assert target.is_loopback(url) is local
    if local:
        assert target.of_url(url, control=False).claims == ("core",)
    else:
        with pytest.raises(ProfileError, match="write a profile"):
            target.of_url(url, control=False)
