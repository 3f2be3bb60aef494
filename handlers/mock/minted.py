"""Tokens that anybody may know: those of personas and those made by the control plane.

A store keeps only digests; the control plane shows who may use which token.
"""

from collections.abc import Iterable

from clients_register.handlers.sessions import digest_of


class Minted:
    """Digest -> token, of tokens whose sessions a world was given on purpose."""

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._tokens = {digest_of(token): token for token in tokens}

    def add(self, token: str) -> str:
        """Remembers `token`; returns its digest."""
        digest = digest_of(token)
        self._tokens[digest] = token
        return digest

    def token(self, digest: str) -> str | None:
        """The token of that digest, if it may be known."""
        return self._tokens.get(digest)

    def copy_from(self, other: "Minted") -> None:
        """Knows the tokens of `other`, and no others."""
        self._tokens = {**other._tokens}
