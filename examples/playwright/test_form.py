"""Registers by filling in the form. The typed address chooses the response."""

import pytest
from playwright.sync_api import Page, expect

from clients_register.testing.world import World


def register(form: Page, email: str) -> None:
    """Fills in the form and submits it."""
    form.get_by_label("E-mail").fill(email)
    form.get_by_label("Password").fill("richtig Pferd, Bättérie 🐎")
    form.get_by_role("button", name="Register").click()


@pytest.mark.parametrize(
    ("email", "told"),
    [
        ("action-successful@status.test", "Welcome!"),
        ("email-already-registered@status.test", "already has an account"),
        ("mandrill-email-failed@status.test", "could not send you an e-mail"),
        ("ada+application-crash@status.test", "Something went wrong (application-crash)"),
    ],
)
def test_the_address_chooses_the_answer(form: Page, email: str, told: str) -> None:
    register(form, email)
    expect(form.get_by_role("status")).to_contain_text(told)


def test_a_person_registers_and_gets_mail(form: Page, clients_register: World) -> None:
    register(form, "grace@example.test")
    expect(form.get_by_role("status")).to_contain_text("Welcome!")
    assert clients_register.latest_mail("grace@example.test")["to"] == "grace@example.test"


def test_an_address_is_taken_the_second_time(form: Page) -> None:
    register(form, "ada@example.test")
    expect(form.get_by_role("status")).to_contain_text("Welcome!")
    register(form, "ada@example.test")
    expect(form.get_by_role("status")).to_contain_text("already has an account")


def test_a_broken_connection_is_told(form: Page, clients_register: World) -> None:
    # A browser may retry by itself if a kept-alive connection is reset.
    clients_register.force({"fault": "reset", "times": 2})
    register(form, "ada@example.test")
    expect(form.get_by_role("status")).to_contain_text("Are you online?")
