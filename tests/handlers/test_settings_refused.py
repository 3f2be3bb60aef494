"""Settings that cannot be used, and the messages about them."""

import re

import pytest
from support.settings import TEXTS

from clients_register.handlers.arguments import SettingError, parse_settings
from clients_register.handlers.settings import STUB, Settings, setting_options

OPTIONS = setting_options()

# name -> texts that it does not take
REFUSED = {
    "host": [
        "",
        " ",
        "a b",
        "http://localhost",
        "localhost:80",
        "300.1.1.1",
        "[::1]",
        "-x",
        "a..b",
    ],
    "workers": ["0", "65", "1.5", "all"],
    "port": ["-1", "65536", "1.5", "http", "+80", " 80", "8_0", "\u0664", "9" * 5000],
    "base_path": ["api", "/api//v1", "/../x", "/.", "/a b", "/{x}", "/a?b", "/a#b", "/%2f"],
    "data": [""],
    "store": [
        "",
        "clients.json",
        "postgresql:///clients",
        "postgresql://db.test",
        "postgresql://db.test/",
        "postgresql://db.test/a/b",
        "postgresql://db.test/a%0Ab",
        "postgresql://%2Fvar%2Frun/clients",
        "postgresql://db.test:0/clients",
        "postgresql://db.test:port/clients",
        "postgresql://db.test:99999/clients",
        "postgresql://[::1/clients",
        "postgresql://db.test/clients?sslmode",
        "postgresql://db.test/clients?sslmode=require&sslmode=disable",
        "postgresql://db.test/clients?password=hush",
        "postgresql://db.test/clients?host=elsewhere",
        "postgresql://db.test/clients?SSLMODE=require",
        "postgresql://db.test/clients#top",
        "postgresql://ada:hu%sh@db.test/clients",
        "postgresql://ada:hu%ffsh@db.test/clients",
        "postgresql://ada:hu%00sh@db.test/clients",
        "postgresql://ada:hu sh@db.test/clients",
        "postgresql://ada:hush@db.test/cli\nents",
        "mysql://ada:hush@db.test/clients",
        "https://db.test/clients",
    ],
    "seed": [""],
    "log_format": ["JSON", "", "logfmt"],
    "mail": ["smtp", "Outbox", ""],
    "mail_from": ["", "nobody", "a@b@c.test", "Plano <no-reply@planomatic.test>", "a@b.test\nBcc:"],
    "mandrill_url": [
        "mandrillapp.com",
        "ftp://mandrillapp.com/",
        "https://",
        "https:///api",
        "https://a b/",
        "https://host:port/",
        "https://host:99999/",
        "https://user:secret@host/",
        "https://host/?key=1",
        "https://host/#top",
        "https://300.1.1.1/",
        "https://a..b/",
        "https://[::1/",
    ],
    "mandrill_timeout": ["0", "0.0", "-1", "1e3", "inf", "nan", "10000", "5s", "\u0665"],
    "bcrypt_cost": ["3", "32", "ten"],
    "max_body": ["0", "67108865", "64k"],
    "spelling": ["email-already-registered", "nothing"],
    "idle_timeout": ["0", "1e3", "forever"],
    "receive_timeout": ["0", "10000"],
    "max_head": ["1023", "1048577", "64k"],
    "max_worlds": ["0", "100001", "many"],
    "world_idle_timeout": ["0", "1h"],
    "cors_origin": ["*", "null", "app.test"],
    "status_domain": ["", "a b", "@status.test", "http://status.test"],
    "control_host": ["", ",", "a b", "stub:4018", "stub,,other", "stub,", "http://stub"],
    "control_origin": [
        "",
        "*",
        "null",
        "localhost:3000",
        "app.test",
        "http://app.test/path",
        "http://app.test,",
        "http://app.test http://other.test",
        "http://user@app.test",
        "http://app.test?query",
        "ftp://app.test",
        "http://app.test:99999",
    ],
    "control_token": ["", "two words", "caf\u00e9", "a\n"],
}


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, texts in REFUSED.items() for text in texts],
    ids=lambda value: ascii(value)[:40],
)
def test_what_cannot_be_used_is_told_with_where_expected_and_found(name: str, text: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    with pytest.raises(SettingError) as caught:
        parse_settings([flag, text] if not text.startswith("-") else [f"{flag}={text}"], {})
    message = str(caught.value)
    found = re.escape(repr(text))
    if setting_options()[name].private:
        found = "something else"
    elif "://" in text:
        found = rf"({found}|something else)"
    assert re.fullmatch(rf"{flag}: expected .{{10,}}, found {found}", message)


@pytest.mark.parametrize(
    "url",
    [
        "https://ada:s3cret@host/",
        "https://host/?key=s3cret",
        "https://host/#s3cret",
        "ftp://s3cret@x",
    ],
)
@pytest.mark.parametrize("name", ["upstream", "mandrill_url", "control_origin", "cors_origin"])
def test_a_url_that_may_have_a_secret_is_not_repeated(name: str, url: str) -> None:
    for argv, environ in (
        ([f"--{name.replace('_', '-')}", url], {}),
        ([], {f"CLIENTS_REGISTER_{name.upper()}": url}),
    ):
        with pytest.raises(SettingError) as caught:
            parse_settings(argv, environ)
        assert str(caught.value).endswith(", found something else")
        assert "s3cret" not in str(caught.value)


def test_a_mistake_in_a_variable_is_told_by_its_name() -> None:
    with pytest.raises(SettingError) as caught:
        parse_settings([], {"CLIENTS_REGISTER_REFERENCE": "maybe"})
    assert str(caught.value) == (
        "CLIENTS_REGISTER_REFERENCE: expected one of yes, true, 1, no, false, 0, found 'maybe'"
    )


@pytest.mark.parametrize(
    ("argv", "environ", "told"),
    [
        (["--prot", "1"], {}, "unknown option --prot; did you mean --port?"),
        (["--pory=1"], {}, "unknown option --pory; did you mean --port?"),
        (["--xyz"], {}, "unknown option --xyz (clients-register serve --help lists all options)"),
        (["now"], {}, "unknown argument now (clients-register serve --help lists all options)"),
        (["--por", "1"], {}, "unknown option --por; did you mean --port?"),
        (
            [],
            {"CLIENTS_REGISTER_PROT": "1"},
            "unknown variable CLIENTS_REGISTER_PROT; did you mean CLIENTS_REGISTER_PORT?",
        ),
        (
            [],
            {"CLIENTS_REGISTER_": "1"},
            "unknown variable CLIENTS_REGISTER_; did you mean CLIENTS_REGISTER_SEED?",
        ),
        (
            ["--mail", "mandrill"],
            {},
            "--mail mandrill: expected the API key in the variable"
            " CLIENTS_REGISTER_MANDRILL_KEY, found none",
        ),
        (
            ["--store", "postgres://ada:hush@db.test/clients"],
            {},
            "--store postgresql://db.test:5432/clients: expected --reference with it, since the"
            " stub keeps its data in a file, found none; add --reference, or leave --store and"
            " CLIENTS_REGISTER_STORE out and name the file with --data",
        ),
        (
            ["--workers", "4"],
            {},
            "--workers 4: expected --reference with it, since the stub is one process, found none;"
            " add --reference and a --store, or leave --workers and CLIENTS_REGISTER_WORKERS out",
        ),
        (
            [
                *("--reference", "--store", "postgres://ada:hush@db.test/clients"),
                *("--data", "clients.json"),
            ],
            {},
            "--store postgresql://db.test:5432/clients: expected no --data, since there is"
            " one place for data, found clients.json; leave one of them out, or its variable,"
            " CLIENTS_REGISTER_DATA or CLIENTS_REGISTER_STORE",
        ),
        (
            ["--reference", "--store", "postgres://ada:hush@db.test/clients", "--fresh"],
            {},
            "--fresh: expected no --store, since only a data file can be emptied, found"
            " postgresql://db.test:5432/clients; leave one of them out, or its variable,"
            " CLIENTS_REGISTER_STORE or CLIENTS_REGISTER_FRESH",
        ),
        *(
            (
                ["--memory", "--reference", *other],
                {},
                f"--memory: expected no {other[0]}, since {reason}, found {found}; leave one of"
                f" them out, or its variable, CLIENTS_REGISTER_{other[0][2:].upper()} or"
                " CLIENTS_REGISTER_MEMORY",
            )
            for other, reason, found in [
                (["--data", "x.json"], "there is one place for data", "x.json"),
                (
                    ["--store", "postgres://ada:hush@db.test/clients"],
                    "there is one place for data",
                    "postgresql://db.test:5432/clients",
                ),
                (["--fresh"], "memory is empty at each start", "both"),
            ]
        ),
        (
            ["--reference", "--workers", "4"],
            {},
            "--workers 4: expected a --store, since a data file is for one process, found"
            " none; name a PostgreSQL database with --store or CLIENTS_REGISTER_STORE, or leave"
            " --workers out",
        ),
        *(
            (
                ["--base-path", path],
                {},
                f"--base-path {path}: expected a path outside {own}, which is the stub's own, found"
                " one in it; choose another, or run the plain --reference",
            )
            for path, own in [
                ("/_mock", "/_mock"),
                ("/_mock/api", "/_mock"),
                ("/_world", "/_world"),
            ]
        ),
        (
            ["--reference", "--watch"],
            {},
            "--watch: expected no --reference with it, since it is a setting of the stub, found"
            " both; leave one of them out, or its variable, CLIENTS_REGISTER_WATCH or"
            " CLIENTS_REGISTER_REFERENCE",
        ),
        (
            ["--passthrough"],
            {},
            "--passthrough: expected an --upstream with it, to which the route is forwarded, found"
            " none; name it, or leave --passthrough and CLIENTS_REGISTER_PASSTHROUGH out",
        ),
        (
            ["--control-host", "stub,a b"],
            {},
            "--control-host: expected an IP address or a host name, such as 127.0.0.1, ::1 or"
            " localhost in place 2 of the list, found 'stub,a b'",
        ),
    ],
    ids=str,
)
def test_a_slip_is_told_with_the_way_out(
    argv: list[str], environ: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingError) as caught:
        parse_settings(argv, environ)
    assert str(caught.value) == told


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.group == STUB])
def test_no_setting_of_the_stub_is_accepted_with_the_reference(name: str) -> None:
    text = TEXTS[name][0]
    with pytest.raises(SettingError, match="it is a setting of the stub"):
        parse_settings(["--reference"], {f"CLIENTS_REGISTER_{name.upper()}": text})


@pytest.mark.parametrize("path", ["/_mocks", "/_worlds/x", "/api/_mock", "/"])
def test_paths_that_only_resemble_the_stubs_are_accepted(path: str) -> None:
    parse_settings(["--base-path", path], {})


def test_paths_of_the_stub_are_free_for_the_reference() -> None:
    parse_settings(["--reference", "--base-path", "/_mock"], {})


# The variables of the Services `clients-register` and `clients-register-api` in Kubernetes.
LINKS = {
    f"CLIENTS_REGISTER_{name}": value
    for service in ("", "API_")
    for name, value in {
        f"{service}PORT": "tcp://10.0.0.1:4018",
        f"{service}PORT_4018_TCP": "tcp://10.0.0.1:4018",
        f"{service}PORT_4018_TCP_ADDR": "10.0.0.1",
        f"{service}PORT_4018_TCP_PORT": "4018",
        f"{service}PORT_4018_TCP_PROTO": "tcp",
        f"{service}SERVICE_HOST": "10.0.0.1",
        f"{service}SERVICE_PORT": "4018",
        f"{service}SERVICE_PORT_HTTP": "4018",
    }.items()
}


def test_service_links_of_kubernetes_are_ignored_with_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert parse_settings([], LINKS) == Settings()
    (message,) = caplog.messages
    assert [name for name in LINKS if name not in message] == []
    assert "enableServiceLinks: false" in message


@pytest.mark.parametrize("name", ["PORT", "SERVICE", "PORT_TCP", "SERVE_PORT", "HTTP_PORT"])
def test_variables_that_only_resemble_service_links_are_refused(name: str) -> None:
    with pytest.raises(SettingError):
        parse_settings([], {f"CLIENTS_REGISTER_{name}": "x"})
