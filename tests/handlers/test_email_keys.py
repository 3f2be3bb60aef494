"""E-mail addresses: what is one, and which two are the same."""

import unicodedata

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import assume, example, given
from hypothesis import strategies as st
from support.live import Live

from clients_register.handlers.decoding import email_key, trim_email

WHITE_SPACE = "\t\n\v\f\r "
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"

atoms = st.text(f"{LETTERS}{DIGITS}!#$%&'*+-/=?^_`{{|}}~", min_size=1, max_size=64)
locals_ = (
    st.lists(atoms, min_size=1, max_size=4).map(".".join).filter(lambda local: len(local) <= 64)
)
labels = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", fullmatch=True)
# Any letters may be a top level but the few that are reserved, and nearly all of those are none.
tops = st.text(LETTERS, min_size=1, max_size=12).filter(
    lambda top: top.lower() not in ("arpa", "invalid", "local", "localhost", "onion")
)
hosts = st.builds(
    lambda names, top: ".".join([*names, top]),
    st.lists(labels, min_size=1, max_size=3),
    st.just("test") | tops,
)
addresses = st.builds("{}@{}".format, locals_, hosts).filter(lambda address: len(address) <= 254)


@given(addresses)
@example("a@b.test")
@example(f"{'a' * 64}@{'b' * 63}.test")
@example("a@ab--cd.test")
@example("a@xn--a.test")
@example("a@1.2-3.test")
@example("!#$%&'*+-/=?^_`{|}~@b.test")
@example("first.middle.last@B.Example.TEST")
def test_a_dot_atom_at_a_host_name_is_an_address(address: str) -> None:
    assert email_key(address) is not None


@given(addresses)
def test_every_address_that_the_package_takes_is_one(address: str) -> None:
    try:
        normal = validate_email(
            address, check_deliverability=False, test_environment=True
        ).normalized
    except EmailNotValidError:
        assume(False)
    assert email_key(address) == unicodedata.normalize("NFC", normal.casefold())


@given(locals_, hosts)
@example("a", "b.test")
def test_the_five_malformed_kinds_are_no_addresses(local: str, host: str) -> None:
    kinds = [
        f"{local}{host}",
        f"{local}@{local}@{host}",
        f"{local}@@{host}",
        f"@{host}",
        f"{local}@",
        f"{local} x@{host}",
        f"x {local}@{host}",
        f"{local}@x {host}",
        f"{local}@ {host}",
        f"{local} @{host}",
    ]
    assert [kind for kind in kinds if email_key(kind) is not None] == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "a",
        "a@b",
        "a@b.",
        "a@.test",
        "a@b..test",
        "a@-b.test",
        "a@b-.test",
        "a@ab--cd-.test",
        "a@b.t3st1",
        "a@b.invalid",
        "a@ab--cd.local",
        "a@localhost",
        ".a@b.test",
        "a.@b.test",
        "a..b@b.test",
        "a..b@ab--cd.test",
        f"{'a' * 65}@ab--cd.test",
        f"a@{'b' * 64}.test",
        "a@b.test\n",
        "a@ab--cd.test\n",
        "a@[127.0.0.1]",
        '"a b"@b.test',
        "A <a@b.test>",
        "\ud800@b.test",
        "a@\udfff.test",
        "a\0@b.test",
    ],
)
def test_other_things_are_no_addresses(address: str) -> None:
    assert email_key(address) is None


@given(st.text(st.characters(categories=None)), st.text(st.characters(categories=None)))
def test_nothing_that_is_sent_is_a_crash(local: str, domain: str) -> None:
    email_key(f"{local}@{domain}")
    email_key(trim_email(local))


@given(addresses)
def test_ascii_case_does_not_tell_addresses_apart(address: str) -> None:
    assert email_key(address.upper()) == email_key(address.lower()) == email_key(address)


@given(addresses, st.text(WHITE_SPACE), st.text(WHITE_SPACE))
def test_white_space_around_an_address_does_not_belong_to_it(
    address: str, before: str, after: str
) -> None:
    assert trim_email(f"{before}{address}{after}") == address


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u200b", "\x1c", "\x85"])
def test_other_white_space_is_not_trimmed(space: str) -> None:
    assert email_key(trim_email(f"{space}a@b.test")) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (unicodedata.normalize("NFC", "josé@b.test"), unicodedata.normalize("NFD", "josé@b.test")),
        (unicodedata.normalize("NFC", "a@é.test"), unicodedata.normalize("NFD", "a@é.test")),
        ("JOSÉ@b.test", "josé@b.test"),
        ("a@BÜCHER.test", "a@xn--bcher-kva.test"),
        ("a@b\N{IDEOGRAPHIC FULL STOP}test", "a@b.test"),
    ],
)
def test_two_spellings_of_one_address_have_one_key(one: str, other: str) -> None:
    assert email_key(one) is not None
    assert email_key(one) == email_key(other)


@given(addresses, addresses)
def test_different_addresses_have_different_keys(one: str, other: str) -> None:
    assume(one.lower() != other.lower())
    assert email_key(one) != email_key(other)


def test_an_address_is_stored_as_sent_but_for_the_white_space(shared: Live, email: str) -> None:
    sent = f"ADA+{email}"
    envelope = shared.register(f"\r\n\t {sent}\v\f")
    assert envelope["data"]["email"] == sent


@pytest.mark.parametrize("address", ["no-at", "two@@signs.test", "@x.test", "x@", "a b@x.test"])
def test_a_malformed_address_is_told_of(shared: Live, address: str) -> None:
    envelope = shared.register(address)
    assert envelope["status"] == "invalid-param"
    assert envelope["errors"] == [{"attr": "client.email", "message": "malformed"}]


def test_254_characters_are_an_address_and_255_are_too_long(shared: Live) -> None:
    label = "b" * 61
    fitting = f"{'a' * 64}@{label}.{label}.{'c' * 60}.test"
    assert len(fitting) == 254
    assert shared.register(fitting)["code"] == 200
    envelope = shared.register(fitting.replace("@", "@x"))
    assert envelope["status"] == "client-validation-failed"
    assert envelope["errors"] == [{"attr": "client.email", "message": "too_long"}]
