"""The world a server starts from: what a seed may hold, what it replaces, and what it leaves."""

import re
from pathlib import Path

import pytest
import yaml
from support.records import HASH

from clients_register.handlers.seed import PUBLIC_SECTIONS, Seed, SeedError, load_seed

# Stands wherever a password or a token does.
SECRET = "s3cret"


def users(*entries: str) -> str:
    """A seed of users, each written as the inside of a flow mapping."""
    return "users:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries)


def sessions(*changes: str) -> str:
    """A seed of sessions of the built-in client."""
    fields = f"token: {SECRET}, user: 1, application: planoauth, age_hours: 1, idle_hours: 1"
    return "sessions:\n" + "".join(
        "  - {" + ", ".join(f"{k}: {v}" for k, v in fields_of(fields, change).items()) + "}\n"
        for change in changes
    )


def fields_of(*texts: str) -> dict[str, str]:
    """The fields of flow mappings, the later over the earlier."""
    return dict(pair.split(": ") for text in texts if text for pair in text.split(", "))


ONE = "id: 1, email: a@x.test"
TWO = "id: 2, email: b@x.test"

# A seed that is refused -> what the message says, from the place on.
REFUSED = {
    "": "the top level: expected an object, found null",
    "- 1": "the top level: expected an object, found an array",
    "people: []": "the top level: expected one of the members services, .*, found 'people'",
    "users: 5": "users: expected an array, found an integer",
    "users: [1]": r"users\[0\]: expected an object, found an integer",
    users("id: 1"): r"users\[0\]: expected the member email, found none",
    users(
        ONE, f"{TWO}, passwrod: {SECRET}"
    ): r"users\[1\]: expected one of .*, found 'passwrod'; did you mean password",
    users(f"{ONE}, password {SECRET}"): r"users\[0\]: expected one of .*, found another",
    users("id: '1', email: a@x.test"): r"users\[0\].id: expected an integer, found a string",
    users("id: 1.0, email: a@x.test"): "expected an integer, found a number with a fraction",
    users("id: 0, email: a@x.test"): r"users\[0\].id: expected at least 1, found 0",
    users("id: 1001, email: a@x.test"): r"users\[0\].id: expected at most 1000, found 1001",
    users(
        f"{ONE}, password: 123456"
    ): "password: .* a string, found an integer; write it in quotes",
    users(f"{ONE}, password: true"): "password: .* a string, found a boolean; write it in quotes",
    users(f"{ONE}, password: 0606"): "password: .* a string, found an integer; write it in quotes",
    users(f"{ONE}, password: 1e3"): "password: .* a string, found a number with a fraction",
    users(f"{ONE}, password: !!timestamp 2026-01-15"): "expected YAML, .* for the tag",
    users(f"{ONE}, password: !!bool maybe"): "expected YAML, .* value of the tag bool",
    users(f"{ONE}, password: !!int 1_000"): "expected YAML, .* value of the tag int",
    users("id: 1:30, email: a@x.test"): r"users\[0\].id: expected an integer, found a string",
    users("id: 1_0, email: a@x.test"): r"users\[0\].id: expected an integer, found a string",
    users(f"{ONE}, password:"): "password: expected a string, found null; correct it",
    users(f"{ONE}, password: ''"): "password: expected at least 1 character, found 0",
    users(f'{ONE}, password: "{SECRET}\\ud800"'): "found a string with a lone surrogate",
    users(f'{ONE}, password: "{SECRET}\\0"'): "72 bytes of UTF-8 without NUL, found .* malformed",
    users(f"{ONE}, password: {SECRET * 13}"): "72 bytes of UTF-8 without NUL, found .* too long",
    users(f"{ONE}, password: *{SECRET}"): "line 2, column 40: expected YAML, .* undefined alias",
    users(f"{ONE}, password: !a'{SECRET} x"): "line 2, column 40: expected YAML, .* for the tag",
    users(f"{ONE}, password: '{SECRET}"): "expected YAML, found something else",
    users(f"{ONE}, password_hash: {SECRET}"): "password_hash: expected a bcrypt hash of 60",
    users(f"{ONE}, password_hash: {HASH.replace('04', '03')}"): "expected a bcrypt hash of 60",
    users(f"{ONE}, password_hash: {HASH}="): "password_hash: expected at most 60 characters",
    users(f"{ONE}, roles: [admin]"): r"roles\[0\]: expected one of employee, liaison",
    users("id: 1, email: nobody"): r"users\[0\].email: expected an e-mail address, found 'nobody'",
    users(f"id: 1, email: {'a' * 249}@x.test"): "email: expected at most 254 characters, found 256",
    users(ONE, "id: 1, email: b@x.test"): r"users\[1\].id: .* the same at users\[0\].id",
    users(ONE, "id: 2, email: A@X.test"): r"users\[1\].email: .* the same at users\[0\].email",
    users(f"{ONE}, persona: p", f"{TWO}, persona: p"): r"users\[1\].persona: .* the same",
    users(f"{ONE}, client: {{id: 1}}"): r"client.id: .* the same at users\[0\].id",
    users(f"{ONE}, client: {{id: 2, company_id: 5}}"): "the id of one of the companies, found 5",
    users(f"{ONE}, id: 3"): "line 2, column 30: expected each name once, found one a second time",
    "users: []\nusers: []\n": "line 2, column 1: expected each name once",
    "users: []\n sessions: []\n": "line 2, column 2: expected YAML, found something else",
    "users: &all [*all]": "expected YAML, found something else",
    "[" * 1500: "expected YAML, found a character, a date, a number or a nesting depth",
    "users: !!python/name:os.remove": "line 1, column 8: expected YAML",
    sessions("user: 99"): r"sessions\[0\].user: expected the id of one of the users, found 99",
    sessions("application: crm"): "expected the slug of one of the applications, found 'crm'",
    sessions("age_hours: .nan"): r"sessions\[0\].age_hours: expected a number, found .nan or .inf",
    sessions("age_hours: -1"): "age_hours: expected at least 0, found -1",
    sessions("idle_hours: 1000001"): "idle_hours: expected at most 1000000, found 1000001",
    sessions("age_hours: 1" + "0" * 400): "age_hours: expected at most 1000000",
    sessions("", ""): r"sessions\[1\].token: .* the same at sessions\[0\].token",
    sessions("token: planoorder-application"): r"application_tokens\[0\].token: .* the same",
    "applications: [{slug: a, name: A}, {slug: a, name: B}]": r"cations\[1\].slug: .* the same",
    "application_tokens: [{token: t, application: crm}]": "one of the applications, found 'crm'",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seed.yaml"


def refusal(path: Path) -> str:
    with pytest.raises(SeedError) as caught:
        load_seed(path, reference=False)
    return str(caught.value)


@pytest.mark.parametrize("text", REFUSED)
def test_a_bad_seed_is_told_where_it_is_bad(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    message = refusal(path)
    assert message.startswith(f"the seed {path}, ")
    assert re.search(REFUSED[text], message), message
    assert SECRET not in message
    assert "\n" not in message


def test_other_bytes_than_utf_8_are_told_of(path: Path) -> None:
    path.write_bytes(b"users: \xff")
    assert "byte 7: expected UTF-8" in refusal(path)


def test_a_seed_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory" in refusal(tmp_path)
    assert "cannot be read: No such file" in refusal(tmp_path / "none.yaml")


def loaded(path: Path, sections: object, *, reference: bool = False) -> Seed:
    path.write_text(yaml.safe_dump(sections), "utf-8")
    return load_seed(path, reference=reference)


def test_a_section_stands_in_place_of_the_built_in_one(path: Path) -> None:
    seed = loaded(path, {"companies": [{"id": 7, "name": "Seven"}]})
    assert seed.registry().companies == {7}
    assert set(seed.registry().applications) == {"planoauth", "planoorder", "planox2"}


@pytest.mark.parametrize(
    ("section", "gone"),
    [
        ("companies", {"company-client@personas.test"}),
        ("users", {"client-session", "roleless-session", "client@personas.test"}),
        ("applications", {"client-session", "planoorder-application"}),
    ],
)
def test_what_is_built_in_leaves_with_what_it_refers_to(
    path: Path, section: str, gone: set[str]
) -> None:
    seed = loaded(path, {section: []})
    left = {entry.get("token", entry.get("email")) for s in seed.sections.values() for entry in s}
    assert left.isdisjoint(gone)
    assert seed.public == (section != "users")


def test_a_user_of_ones_own_gets_no_built_in_session(path: Path) -> None:
    seed = loaded(path, {"users": [{"id": 1, "email": "a@x.test"}]})
    assert seed.sections["sessions"] == []


def test_a_session_may_be_of_a_built_in_user(path: Path) -> None:
    path.write_text(sessions(""), "utf-8")
    assert len(load_seed(path, reference=False).sections["sessions"]) == 1


def test_the_reference_starts_with_nobody() -> None:
    seed = load_seed(None, reference=True)
    assert not any(seed.sections[section] for section in PUBLIC_SECTIONS)
    assert not seed.public


def test_who_a_reference_is_told_of_is_not_public(path: Path) -> None:
    seed = loaded(path, {"users": [{"id": 1, "email": "a@x.test"}]}, reference=True)
    assert len(seed.sections["users"]) == 1
    assert not seed.public
