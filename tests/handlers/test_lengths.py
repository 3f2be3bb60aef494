"""Values that a client record does not take: too long, or a password that is lost in hashing."""

import pytest
from support.exchanges import faults
from support.live import Live, registration

FIELDS = ("first_name", "last_name", "phone", "company_name")


@pytest.mark.parametrize("field", FIELDS)
def test_255_characters_of_any_size_are_kept_and_256_are_too_long(
    shared: Live, email: str, field: str
) -> None:
    fits = "\U0001f600" * 255
    params = registration(email, client={field: fits + "x"})
    assert faults(shared, params) == (
        "client-validation-failed",
        {f"client.{field}": "too_long"},
    )
    assert shared.register(email, client={field: fits})["data"][field] == fits


# 254 characters, each part as long as it may be.
LONGEST = f"{'l' * 64}@{'.'.join(['d' * 61] * 3)[:184]}.test"


@pytest.mark.parametrize("around", ["", " \n"])
def test_254_characters_of_an_address_after_trimming_are_kept_and_255_are_too_long(
    live: Live, around: str
) -> None:
    assert len(LONGEST) == 254
    assert faults(live, registration(f"{around}x{LONGEST}{around}")) == (
        "client-validation-failed",
        {"client.email": "too_long"},
    )
    assert live.register(around + LONGEST + around)["data"]["email"] == LONGEST


@pytest.mark.parametrize("shape", ["x" * 255, "@" * 300, "a b@" + "c" * 300])
def test_an_address_that_is_too_long_is_not_looked_at_further(shared: Live, shape: str) -> None:
    assert faults(shared, registration(shape)) == (
        "client-validation-failed",
        {"client.email": "too_long"},
    )


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("x" * 73, "too_long"),
        ("\u00e9" * 37, "too_long"),
        ("\U0001f600" * 19, "too_long"),
        ("nul\0inside", "malformed"),
        ("\0" * 80, "malformed"),
        ("x" * 40_000, "too_long"),
    ],
    ids=lambda value: value[:12],
)
def test_a_password_that_cannot_be_hashed_without_loss_is_refused(
    shared: Live, email: str, password: str, message: str
) -> None:
    params = registration(email, client={"password": password})
    assert faults(shared, params) == ("client-validation-failed", {"client.password": message})


@pytest.mark.parametrize("password", ["x", "x" * 72, "\u00e9" * 36, " x ", "\u00a0", '"\\\u2028'])
def test_any_other_password_is_taken(shared: Live, email: str, password: str) -> None:
    assert shared.register(email, client={"password": password})["status"] == "action-successful"


def test_all_faults_of_a_client_are_listed(shared: Live) -> None:
    client = {
        "email": "x" * 255,
        "password": "x" * 73,
        "first_name": "x" * 256,
        "last_name": "x" * 256,
        "phone": "x" * 256,
        "company_name": "x" * 256,
    }
    status, errors = faults(shared, {"application": "planoauth", "client": client})
    assert (status, errors) == (
        "client-validation-failed",
        {f"client.{name}": "too_long" for name in client},
    )
