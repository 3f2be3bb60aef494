"""E-mail addresses: what is one (R-EMAIL-MALFORMED, Q-EMAIL-SYNTAX) and which are the same."""

import re
import unicodedata

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from clients_register.handlers.params import ASCII_WHITE_SPACE

# A dot-atom at a host name of letter-digit-hyphen labels, the last of letters: what every server
# takes. The package refuses some of them, such as `a@ab--cd.test`, for what hyphens in the third
# and fourth place of a label are reserved for.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(
    rf"(?=.{{1,64}}@.{{1,253}}\Z){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?P<top>[A-Za-z]{{1,63}})"
)
_RESERVED = frozenset(SPECIAL_USE_DOMAIN_NAMES) - {"test"}


def trimmed(address: str) -> str:
    """`address` without the ASCII white space around it, as it is stored and returned."""
    return address.strip(ASCII_WHITE_SPACE)


def key_of(address: str) -> str | None:
    """What two spellings of one trimmed address have in common; None where it is no address.

    The casefolded normal form, in NFC: `Ada@Example.TEST` and `ada@example.test` are one
    (Q-EMAIL-CASE). No DNS is asked; addresses under `.test` are addresses.
    """
    plain = _is_plain(address)
    if plain and "--" not in address:
        # The package would change nothing but letter case, and takes a hundred times as long.
        return address.casefold()
    try:
        address = validate_email(
            address, check_deliverability=False, test_environment=True
        ).normalized
    except EmailNotValidError:
        if not plain:
            return None
    return unicodedata.normalize("NFC", address.casefold())


def _is_plain(address: str) -> bool:
    plain = _PLAIN.fullmatch(address)
    return plain is not None and plain["top"].lower() not in _RESERVED
