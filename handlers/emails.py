"""E-mail addresses: what is one (R-EMAIL-MALFORMED, Q-EMAIL-SYNTAX) and which are the same."""

import unicodedata

from email_validator import EmailNotValidError, validate_email

from clients_register.handlers.params import ASCII_WHITE_SPACE


def trimmed(address: str) -> str:
    """`address` without the ASCII white space around it, as it is stored and returned."""
    return address.strip(ASCII_WHITE_SPACE)


def key_of(address: str) -> str | None:
    """What two spellings of one trimmed address have in common; None where it is no address.

    The casefolded normal form, in NFC: `Ada@Example.TEST` and `ada@example.test` are one
    (Q-EMAIL-CASE). No DNS is asked; addresses under `.test` are addresses.
    """
    try:
        address = validate_email(
            address, check_deliverability=False, test_environment=True
        ).normalized
    except EmailNotValidError:
        return None
    return unicodedata.normalize("NFC", address.casefold())
