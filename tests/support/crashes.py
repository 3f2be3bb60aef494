"""Crashes of the file store on a simulated disk: what was asked of it, and what may be left.

A `History` notes for each event when, in operations of the disk, it was begun and acknowledged.
`Crashes` goes through what may be left at each operation, opens the store again, and compares what
is there with what the history allows.
"""

from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.disk import Image, Medium, Operation, SimulatedDisk
from support.records import about_to_register, mail, session

from clients_register.handlers.models import User
from clients_register.handlers.store.base import Store, StoreError, StoreUnavailable
from clients_register.handlers.store.journaled.disk import Disk
from clients_register.handlers.store.tinydb import HEAD, META, TinyDBStore

DATA = Path("/data.json")

# All records of a store; PUBLIC where it is.
Records = frozenset[object]
PUBLIC = "public"

Open = Callable[[Disk], Awaitable[TinyDBStore]]


async def open_data(disk: Disk) -> TinyDBStore:
    """Opens the store of the simulations, without a lock."""
    return TinyDBStore(DATA, public_allowed=True, locked=False, disk=disk)


async def records(store: TinyDBStore) -> Records:
    """Everything in the store."""
    found = [*await store.users(), *await store.sessions(), *await store.mails()]
    assert len(set(found)) == len(found)
    head = store._database.table(META).get(doc_id=HEAD)
    assert head is not None
    return frozenset([*found, PUBLIC] if head["public"] else found)


@dataclass
class Event:
    """A change, which removes records and adds others all together.

    Points in time are counts of the disk's operations. From its begin on it may be there; it is
    once it is acknowledged, and is not once it is refused.
    """

    begun: int
    removes: Records = frozenset()
    adds: Records = frozenset()
    acknowledged: int | None = None
    refused: int | None = None

    def made_in(self, before: set[Records]) -> set[Records]:
        return {(records - self.removes) | self.adds for records in before}


class History:
    """The operations of stores on `disk`, which contained `before`, and their outcomes.

    If a failure of the disk is `lasting`, the store cannot remove the rest of a refused write
    before another one succeeds; only then does the operation count as refused.
    """

    def __init__(
        self, disk: SimulatedDisk, before: Records = frozenset(), *, lasting: bool = False
    ) -> None:
        self.events: list[Event] = []
        self._disk = disk
        self._before = before
        self._lasting = lasting
        self._unsettled: list[Event] = []

    @property
    def now(self) -> int:
        return len(self._disk.operations)

    def allowed(self, now: int) -> set[Records]:
        """Returns what a store may contain if nothing happened to the disk after `now`."""
        found = {self._before}
        for event in self.events:
            if event.acknowledged is not None and event.acknowledged <= now:
                found = event.made_in(found)
            elif event.begun < now and (event.refused is None or event.refused > now):
                found |= event.made_in(found)
        return found

    @property
    def acknowledged(self) -> Records:
        """Returns what an open store shows."""
        found = self._before
        for event in self.events:
            if event.acknowledged is not None:
                (found,) = event.made_in({found})
        return found

    def reopened(self, found: Records) -> None:
        """Notes what an opening has found: it is there from now on, or is not."""
        for event in self._unsettled:
            if event.adds <= found and not event.removes & found:
                event.acknowledged = self.now
            else:
                event.refused = self.now
        self._unsettled = []

    async def change(
        self, write: Awaitable[object], adds: Iterable[object] = (), removes: Iterable[object] = ()
    ) -> bool:
        """A write whose records are known beforehand; returns whether it was acknowledged."""
        with self._event() as event:
            event.adds, event.removes = frozenset(adds), frozenset(removes)
            await write
        return event.acknowledged is not None

    async def register(self, store: Store, email: str, user: User | None = None) -> User:
        """Writes a client with mail and session; returns them, stored or not."""
        with self._event() as event:
            async with store.begin_registration(about_to_register(email), user) as pending:
                made = pending.user
                event.adds = frozenset([made, mail(email), session(email, made.id)])
                event.removes = frozenset([user] if user else [])
                await pending.add_mail(mail(email))
                await pending.put_session(session(email, made.id))
                await pending.commit()
        return made

    @contextmanager
    def _event(self) -> Iterator[Event]:
        event = Event(self.now)
        self.events.append(event)
        try:
            yield event
        except StoreUnavailable:
            if self._lasting:
                self._unsettled.append(event)
            else:
                event.refused = self.now
        else:
            event.acknowledged = self.now
            for each in self._unsettled:
                each.refused = self.now
            self._unsettled = []


# Points in time, in operations of a disk.
FOREVER = range(1_000_000)


class Violation(AssertionError):
    """A crash left something that the store does not allow."""


class Crashes:
    """Opens stores on what crashes leave. `states` are the different images that were opened."""

    def __init__(self, open_store: Open = open_data) -> None:
        self._open = open_store
        self._found: dict[int, Records] = {}
        # One object for all records that are equal: they are compared all the time.
        self._known: dict[Records, Records] = {}
        # Keys of images that were opened a second time, and of those whose opening was interrupted.
        self._settled: set[int] = set()
        self._recovered: set[int] = set()

    @property
    def states(self) -> int:
        return len(self._found)

    async def explore(
        self,
        start: Image,
        operations: Sequence[Operation],
        history: History,
        when: Container[int] = FOREVER,
        *,
        every_byte: bool = True,
    ) -> None:
        """Crashes after each count `when` of the operations. Raises Violation.

        With `every_byte`, the last write is torn at every byte, without further crashes during the
        recovery from it.
        """
        medium, last = Medium(start), None
        for now in range(len(operations) + 1):
            if now:
                last = operations[now - 1]
                medium.apply(last)
            if now not in when:
                continue
            allowed = set(map(self._one, history.allowed(now)))
            for image in medium.after_power_cut():
                expect(await self.recovered(image), allowed, now, last)
            if every_byte and last and last.kind == "write":
                for image in medium.after_torn(last):
                    expect(await self._opened(image), allowed, now, last)
            for killed in medium.after_kill():
                await self._after_kill(killed, allowed, "a kill after", now, last)

    async def recovered(self, image: Image) -> Records:
        """Returns what a store on `image` contains, even if a crash interrupts its opening."""
        key = key_of(image)
        if key in self._recovered:
            return self._found[key]
        self._recovered.add(key)
        found = await self._opened(image)
        disk, medium = SimulatedDisk(Medium(image)), Medium(image)
        await self._open(disk)
        for operation in disk.operations:
            medium.apply(operation)
            for left in medium.after_power_cut():
                expect(await self.recovered(left), {found}, "a recovery up to", operation)
        return found

    async def _opened(self, image: Image) -> Records:
        """Returns what a store on `image` contains: now, opened again, and after a clean stop."""
        key = key_of(image)
        if key in self._found:
            return self._found[key]
        disk = SimulatedDisk(Medium(image))
        found = self._found[key] = self._one(await self._records(disk))
        opened = key_of(disk.image())
        if opened not in self._settled:
            self._settled.add(opened)
            expect(await self._records(disk), {found}, "a second opening")
            store = await self._open(disk)
            await store.close()
            expect(await self._records(disk), {found}, "a clean stop")
        return found

    async def _after_kill(self, medium: Medium, allowed: set[Records], *where: object) -> None:
        """Opens the store, whose cache is still there, writes, and cuts the power."""
        disk, medium = SimulatedDisk(medium), medium.copy()
        store = await self._open_or_violate(disk, *where)
        found = await records(store)
        expect(found, allowed, *where)
        for operation in disk.operations:
            expect_all = allowed if operation is not disk.operations[-1] else {found}
            medium.apply(operation)
            for image in medium.after_power_cut():
                expect(await self.recovered(image), expect_all, *where, operation)
        opened, new = len(disk.operations), mail("after@x.test")
        await store.add_mail(new)
        last = len(disk.operations) - 1
        for at, operation in enumerate(disk.operations[opened:], start=opened):
            medium.apply(operation)
            possible = {found | {new}} if at == last else {found, found | {new}}
            for image in medium.after_power_cut():
                expect(await self.recovered(image), possible, *where, "then", operation)

    def _one(self, found: Records) -> Records:
        return self._known.setdefault(found, found)

    async def _records(self, disk: Disk) -> Records:
        return await records(await self._open_or_violate(disk, "a crash"))

    async def _open_or_violate(self, disk: Disk, *where: object) -> TinyDBStore:
        try:
            return await self._open(disk)
        except StoreError as error:
            raise Violation(f"{where}: {error}") from None


def expect(found: Records, allowed: set[Records], *where: object) -> None:
    if found not in allowed:
        nearest = min(allowed, key=lambda each: len(each ^ found))
        raise Violation(
            f"{where}: missing {set(nearest - found)}, not expected {set(found - nearest)}"
        )


def key_of(image: Image) -> int:
    """Equal for images that are equal, without keeping them."""
    return hash(frozenset(image.items()))
