"""Magic addresses: `SLUG@status.test` or `anything+SLUG@status.test` in a form forces a status.

For tests that only drive a browser: no header, no script. It acts once the body decodes, whatever
else the body holds; nothing is stored or mailed.
"""

from collections.abc import Container

from clients_register.handlers.attempt import Request
from clients_register.handlers.emails import trimmed
from clients_register.handlers.transport import media_type


class Addresses:
    """The addresses of one domain that name a status."""

    def __init__(self, domain: str, slugs: Container[str], accepted: str) -> None:
        """`accepted` is the media type under which a body is decoded at all."""
        self._domain = domain.lower()
        self._slugs = slugs
        self._accepted = accepted

    def of(self, slug: str) -> str:
        """An address that asks for the status `slug`."""
        return f"{slug}@{self._domain}"

    def slug_in(self, request: Request) -> str | None:
        """The status that the address in `request` asks for, if it asks for one."""
        if media_type(request.content_type) != self._accepted:
            return None
        email = request.params["client.email"]
        if not isinstance(email, str):
            return None
        local, _, domain = trimmed(email).rpartition("@")
        slug = local.rpartition("+")[2].lower()
        return slug if domain.lower() == self._domain and slug in self._slugs else None
