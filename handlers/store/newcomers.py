"""Who of a seed is not stored yet. For every engine the same question, asked before it writes."""

from collections.abc import Iterable, Iterator, Mapping

from clients_register.handlers.records import User
from clients_register.handlers.store import StoreError


def newcomers(seeded: Iterable[User], known: Mapping[int, User], place: object) -> list[User]:
    """Those of `seeded` who are not stored yet.

    `known` are the users who are, by id, and `place` is where. One of the same id and address is
    the same user. Raises StoreError where an id, or an address, is another user's.
    """
    owners = {user.email_key: user.id for user in known.values()}
    holders = {number: user.id for user in known.values() for number in numbers_of(user)}
    new = []
    for user in seeded:
        there = known.get(user.id)
        if there is not None and there.email_key == user.email_key:
            continue
        if (owner := owners.get(user.email_key)) is not None:
            raise _conflict(user, f"user {owner} with that address", place)
        for number in numbers_of(user):
            if (holder := holders.get(number)) is not None:
                raise _conflict(user, f"user {holder} with the id {number}", place)
            holders[number] = user.id
        owners[user.email_key] = user.id
        new.append(user)
    return new


def numbers_of(user: User) -> Iterator[int]:
    """The ids that are `user`'s: theirs, and that of the client they are."""
    yield user.id
    if user.client is not None:
        yield user.client.id


def _conflict(user: User, found: str, place: object) -> StoreError:
    return StoreError(
        f"the seed's user {user.id} ({user.email}) cannot be added: expected an id and an address"
        f" that are free, found {found} in {place}; change the seed, or keep the data elsewhere, by"
        " --data or --store"
    )
