"""Where the stores of a server are kept: one per world, each apart from all others."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from clients_register.handlers.store import Store

# The world of a plain base URL, and the only one that a reference server has.
DEFAULT = "default"


class Engine(Protocol):
    """Keeps stores by the names of their worlds."""

    async def worlds(self) -> Sequence[str]:
        """The names under which something is kept, those of earlier runs among them."""
        ...

    async def store(self, world: str, *, public_allowed: bool) -> Store:
        """Opens the store of `world`; one that is not there is made, empty.

        Raises StoreError where it cannot be used, or holds public secrets that are not
        `public_allowed`; it is left as it is then.
        """
        ...

    async def clients(self) -> Mapping[str, int]:
        """Name -> number of clients, of worlds whose stores were opened. It opens none."""
        ...

    async def erase(self, world: str) -> None:
        """Removes all that is kept of `world`, whose store is closed."""
        ...

    async def close(self) -> None:
        """Lets go of what the stores share. All of them are closed."""
        ...
