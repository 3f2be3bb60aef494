"""What the contract says of e-mail addresses: some are good, some malformed, the rest is open."""

import re
import unicodedata
from contextlib import suppress
from enum import Enum

# The white space that is trimmed, and of which alone a string is blank.
SPACE = "\t\n\v\f\r "

# Octets of a local part (RFC 5321, section 4.5.3.1.1).
LONGEST_LOCAL = 64

_ATOM = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_GOOD = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+([A-Za-z]{{2,63}}))")

# Names that are reserved (RFC 6761, RFC 7686 and the like), of which servers think differently.
_SPECIAL = frozenset(
    {"alt", "arpa", "example", "home", "internal", "invalid", "local", "localhost", "onion"}
)

_EXAMPLES = frozenset({("example", "com"), ("example", "net"), ("example", "org")})


class Form(Enum):
    """How an address is formed."""

    GOOD = "every server accepts it"
    MALFORMED = "every server refuses it"
    OPEN = "servers differ"


def trimmed(address: str) -> str:
    """As it is stored and returned."""
    return address.strip(SPACE)


def form(address: str) -> Form:
    """How a trimmed address is formed, whatever its length in all."""
    if '"' in address:
        return Form.OPEN
    local, _, domain = address.partition("@")
    if address.count("@") != 1 or not local or not domain or " " in address:
        return Form.MALFORMED
    good = _GOOD.fullmatch(address)
    if good is None or len(good[1]) > LONGEST_LOCAL:
        return Form.OPEN
    labels = good[2].lower().split(".")
    special = labels[-1] in _SPECIAL or tuple(labels[-2:]) in _EXAMPLES
    return Form.OPEN if special or any(each[2:4] == "--" for each in labels) else Form.GOOD


def key(address: str) -> str:
    """What two trimmed addresses have in common that are one to every server."""
    return "".join(sign.lower() if sign.isascii() else sign for sign in address)


def loose_key(address: str) -> str:
    """What two addresses have in common that may be one to some server."""
    local, at, domain = unicodedata.normalize("NFKC", address).casefold().rpartition("@")
    with suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return local + at + domain
