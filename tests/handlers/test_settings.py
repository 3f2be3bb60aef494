"""Settings: what each option and variable takes, and which of them wins."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.settings import TEXTS

from clients_register.handlers.arguments import SettingError, parse_settings
from clients_register.handlers.settings import Settings, setting_options

NAMES = [each.name for each in fields(Settings)]

KEY = {"CLIENTS_REGISTER_MANDRILL_KEY": "md-Abc_123"}

# Other settings that some settings require.
REFERENCE = {"CLIENTS_REGISTER_REFERENCE": "yes"}
BESIDE = {
    "store": REFERENCE,
    "passthrough": {"CLIENTS_REGISTER_UPSTREAM": "https://staging.example.com"},
    "workers": REFERENCE | {"CLIENTS_REGISTER_STORE": "postgresql://db.test/clients"},
}
TOKEN = {"CLIENTS_REGISTER_CONTROL_TOKEN": "t0ken-7f3a"}
WITH_OPTION = sorted(set(NAMES) - {"mandrill_key"})


def variable(name: str) -> str:
    return f"CLIENTS_REGISTER_{name.upper()}"


def option(name: str, text: str) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    return [flag, text] if setting_options()[name].metavar else [flag]


def test_without_options_and_variables_the_defaults_hold() -> None:
    assert parse_settings([], {"PATH": "/bin"}) == Settings()


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_has_a_variable(name: str) -> None:
    text, value = TEXTS[name]
    environ = KEY | BESIDE.get(name, {})
    assert getattr(parse_settings([], environ | {variable(name): text}), name) == value


@pytest.mark.parametrize("name", WITH_OPTION)
def test_each_setting_but_the_secret_one_has_an_option(name: str) -> None:
    text, value = TEXTS[name]
    environ = KEY | BESIDE.get(name, {})
    assert getattr(parse_settings(option(name, text), environ), name) == value


@pytest.mark.parametrize("name", WITH_OPTION)
def test_an_option_wins_over_its_variable_even_over_a_bad_one(name: str) -> None:
    text, value = TEXTS[name]
    environ = KEY | BESIDE.get(name, {})
    assert (
        getattr(parse_settings(option(name, text), environ | {variable(name): "\0"}), name) == value
    )


def test_a_switch_that_a_variable_sets_can_be_unset_by_an_option() -> None:
    assert (
        parse_settings(["--no-reference"], {"CLIENTS_REGISTER_REFERENCE": "yes"}).reference is False
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_that_is_set_to_nothing_is_not_set(name: str) -> None:
    assert parse_settings([], {variable(name): ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("host", "0.0.0.0"),
        ("host", "localhost"),
        ("host", "my-machine.example.com"),
        ("host", "fe80::1%eth0"),
        ("port", "65535"),
        ("base_path", "/"),
        ("base_path", "/a/b-c/v1.2"),
        ("mail_from", "no-reply@mail.planomatic.test"),
        ("mandrill_url", "https://mandrillapp.com/api/1.0/"),
        ("mandrill_url", "http://mandrill_fake:8080"),
        ("mandrill_url", "http://[::1]:8080/"),
        ("mandrill_timeout", "60"),
        ("bcrypt_cost", "4"),
        ("bcrypt_cost", "31"),
        ("max_body", "1"),
        ("reference", "No"),
        ("status_domain", "localhost"),
        ("control_host", "stub"),
        ("control_host", "my-machine.example.com,fe80::1%eth0"),
        ("control_origin", "http://[::1]:3000"),
        ("control_origin", "https://app.test/"),
        ("store", "postgresql://db.test/clients"),
        ("store", "postgres://ada@db.test:6432/clients"),
        ("store", "postgresql://ada:hush@[::1]:5433/clients"),
        ("store", "postgresql://db.test/clients?sslmode=require&sslrootcert=/ca.pem"),
        ("store", "postgresql://db.test/clients?"),
    ],
)
def test_what_can_be_used_is_taken(name: str, text: str) -> None:
    beside = BESIDE.get(name, TOKEN)
    parse_settings([], beside | {variable(name): text})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "stub.internal", "localhost.test"])
def test_a_stub_that_others_can_reach_needs_a_token(host: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_settings(["--host", host], {})
    assert str(caught.value) == (
        f"--host {host}: expected a --control-token, since others can reach the stub's"
        " control plane there, found none; or run the plain --reference"
    )


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("0.0.0.0", ["--control-token", "t0ken-7f3a"]),
        ("0.0.0.0", ["--reference"]),
        *((host, []) for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost", "stub.localhost")),
    ],
    ids=str,
)
def test_a_stub_with_a_token_or_for_this_machine_alone_may_be_served(
    host: str, more: list[str]
) -> None:
    assert parse_settings(["--host", host, *more], {}).host == host


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("HTTP://LocalHost:3000", "http://localhost:3000"),
        ("https://app.test/", "https://app.test"),
        ("https://app.test:443", "https://app.test"),
        ("http://app.test:80", "http://app.test"),
        ("http://app.test:443", "http://app.test:443"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_an_origin_is_read_as_browsers_write_it(text: str, origin: str) -> None:
    assert parse_settings(["--control-origin", text], {}).control_origin == (origin,)


@pytest.mark.parametrize(
    "argv", [["--port"], ["--reference=yes"], ["--port", "--host", "x"]], ids=str
)
def test_an_option_without_its_value_or_with_one_too_many_is_told_in_one_line(
    argv: list[str],
) -> None:
    with pytest.raises(SettingError) as caught:
        parse_settings(argv, {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        (["--mandrill-key", "hush-7f3a"], {}),
        (["--mandrill-key=hush-7f3a"], {}),
        ([], {"CLIENTS_REGISTER_MANDRILL_KEY": "hush-7f3a \n"}),
        (["--store", "postgresql://ada:hush-7f3a@db.test"], {}),
        (["--store", "postgresql://ada:hush-7f3a@db.test/c"], {}),
        (["--reference", "--store", "postgresql://ada:hush-7f3a@db.test/c", "--data", "x"], {}),
        ([], {"CLIENTS_REGISTER_STORE": "postgresql://ada:hush-7f3a@db.test:x/c"}),
    ],
    ids=str,
)
def test_a_key_is_in_no_message(argv: list[str], environ: dict[str, str]) -> None:
    with pytest.raises(SettingError) as caught:
        parse_settings(argv, environ)
    assert "hush-7f3a" not in str(caught.value)


@pytest.mark.parametrize("environ", [KEY, TOKEN], ids=["key", "token"])
def test_a_secret_is_not_in_what_settings_look_like(environ: dict[str, str]) -> None:
    (secret,) = environ.values()
    assert secret not in repr(parse_settings([], environ))


@pytest.mark.parametrize(
    ("url", "shown", "parameters"),
    [
        (
            "postgres://ada:a%40b%2Fc%3A%25@db.test:6432/cli%2Dents",
            "postgresql://db.test:6432/cli-ents",
            {"port": 6432, "dbname": "cli-ents", "user": "ada", "password": "a@b/c:%"},
        ),
        (
            "postgresql://db.test/clients",
            "postgresql://db.test:5432/clients",
            {"port": 5432, "dbname": "clients"},
        ),
    ],
    ids=["whole", "short"],
)
def test_a_database_is_read_from_a_url_and_shown_without_its_secrets(
    url: str, shown: str, parameters: dict[str, Any]
) -> None:
    settings = parse_settings(["--reference", "--store", url], {})
    assert settings.store is not None
    assert settings.store.parameters() == {"host": "db.test", **parameters}
    assert str(settings.store) == shown
    assert "a@b" not in repr(settings)
    assert "a%40b" not in repr(settings)


def test_the_address_of_a_database_may_be_of_ipv6() -> None:
    store = parse_settings(["--reference", "--store", "postgresql://[::1]/clients"], {}).store
    assert (store and store.host, str(store)) == ("::1", "postgresql://[::1]:5432/clients")


@pytest.mark.parametrize(
    ("changes", "cost", "name"),
    [
        ({}, 4, "clients-register.json"),
        ({"reference": True}, 12, "clients-register-reference.json"),
        ({"reference": True, "bcrypt_cost": 5, "data": Path("own.json")}, 5, "own.json"),
    ],
    ids=str,
)
def test_what_is_not_set_follows_from_the_mode(
    changes: dict[str, Any], cost: int, name: str
) -> None:
    settings = Settings(**changes)
    assert settings.cost == cost
    assert settings.data_file == Path.cwd() / name
