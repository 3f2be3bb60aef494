"""E-mail addresses: which are valid (R-EMAIL-MALFORMED, Q-EMAIL-SYNTAX) and which are equal."""

import re
import unicodedata

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from clients_register.handlers.decoding import WHITE_SPACE

# A dot-atom at a host name of letters, digits and hyphens, with a top-level domain of letters:
# valid for every server. email_validator rejects some of these, such as `a@ab--cd.test`, because
# hyphens in the third and fourth place of a label are reserved.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(
    rf"(?=.{{1,64}}@.{{1,253}}\Z){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?P<top>[A-Za-z]{{1,63}})"
)
_RESERVED = frozenset(SPECIAL_USE_DOMAIN_NAMES) - {"test"}


def trim_email(address: str) -> str:
    """Strips ASCII white space from `address`, as it is stored and returned."""
    return address.strip(WHITE_SPACE)


def email_key(address: str) -> str | None:
    """Returns the key by which a trimmed address is compared; None if the address is invalid.

    The key is the address normalized to NFC and casefolded, so that `Ada@Example.TEST` equals
    `ada@example.test` (Q-EMAIL-CASE). No DNS lookup is made; domains under `.test` are valid.
    """
    plain = _is_plain(address)
    if plain and "--" not in address:
        # email_validator would change nothing but letter case, and takes a hundred times as long.
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
