"""`--watch`: an edit of the spec, the fixtures or the seed is picked up while the stub runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

import yaml
from watchfiles import Change, awatch

from clients_register import fixtures, output, spec
from clients_register.fixtures import exchanges
from clients_register.handlers.seeding import SeedError
from clients_register.handlers.store import StoreError
from clients_register.spec.catalogue import SpecError

# Milliseconds in which edits are taken for one: an editor writes, renames, and writes again.
DEBOUNCE = 200


@asynccontextmanager
async def watching(seed: Path | None, renew: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Calls `renew` after every edit, until the context ends.

    `renew` may raise whatever is wrong with the edit; that is told, and everything stays as it was.
    """
    ended = asyncio.Event()
    task = asyncio.create_task(_watch(_absolute(seed), renew, ended))
    # The first step of the task begins to watch: no edit from now on is missed.
    await asyncio.sleep(0)
    try:
        yield
    finally:
        ended.set()
        await task


async def _watch(
    seed: Path | None, renew: Callable[[], Awaitable[None]], ended: asyncio.Event
) -> None:
    ours = [Path(str(files(package))) for package in (spec, fixtures, exchanges)]
    # The folder and not the file: many editors put another file in its place.
    others = [] if seed is None else [seed.parent]

    def matters(_: Change, path: str) -> bool:
        return Path(path) == seed or (Path(path).suffix == ".yaml" and Path(path).parent in ours)

    changes = awatch(
        *ours, *others, watch_filter=matters, debounce=DEBOUNCE, stop_event=ended, recursive=False
    )
    async for edits in changes:
        edited = ", ".join(sorted({Path(path).name for _, path in edits}))
        try:
            await renew()
        except Exception as error:  # noqa: BLE001 - whatever an edit can break
            output.say(f"{edited}: not picked up, all stays as it was: {_wrong(error)}\n")
        else:
            output.say(f"{edited}: picked up\n")


def _absolute(file: Path | None) -> Path | None:
    return None if file is None else file.absolute()


def _wrong(error: Exception) -> str:
    """What is wrong, in one line."""
    words = " ".join(str(error).replace('in "<unicode string>", ', "").split())
    told = isinstance(error, SeedError | StoreError | SpecError | yaml.YAMLError)
    return words if told else f"{type(error).__name__}: {words}"
