"""Reloads the stub when the spec, the fixtures or the seed change (`--watch`).

Files are compared by what is found at their paths, several times a second. Events of the file
system would miss targets of symbolic links, the links that Kubernetes swaps for a ConfigMap, and
directories that are removed and created again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files as resource_files
from pathlib import Path

import yaml

from clients_register import fixtures, output, spec
from clients_register.fixtures import exchanges
from clients_register.handlers.seed import SeedError
from clients_register.handlers.store.base import StoreError
from clients_register.spec.statuses import SpecError

# Seconds between two comparisons. A change is handled once it is found twice: editors write
# several times.
INTERVAL = 0.2

# Device, inode, size and time of a file, which tell its versions apart; None if there is none.
Version = tuple[int, int, int, int] | None


@asynccontextmanager
async def watching(seed: Path | None, reload: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Calls `reload` after every change of the files, until the context ends."""
    seed = _absolute(seed)
    task = asyncio.create_task(_watch(seed, reload, find_versions(seed)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def find_versions(seed: Path | None) -> Mapping[Path, Version]:
    """Returns the versions of all files of the spec and the fixtures, and of the `seed`."""
    folders = [Path(str(resource_files(package))) for package in (spec, fixtures, exchanges)]
    paths = [path for folder in folders for path in folder.glob("*.yaml")]
    return {path: _version(path) for path in [*paths, *([] if seed is None else [seed])]}


async def _watch(
    seed: Path | None, reload: Callable[[], Awaitable[None]], loaded: Mapping[Path, Version]
) -> None:
    previous = loaded
    while True:
        await asyncio.sleep(INTERVAL)
        found = await asyncio.to_thread(find_versions, seed)
        if found == previous and found != loaded:
            changed = {
                path.name for path in {*found, *loaded} if found.get(path) != loaded.get(path)
            }
            loaded = found
            await _reload(reload, ", ".join(sorted(changed)))
        previous = found


async def _reload(reload: Callable[[], Awaitable[None]], names: str) -> None:
    try:
        await reload()
    except Exception as error:  # noqa: BLE001 - an edit can break anything
        output.say(f"{names}: not reloaded, the previous version stays: {_reason(error)}\n")
    else:
        output.say(f"{names}: reloaded\n")


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _version(path: Path) -> Version:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _reason(error: Exception) -> str:
    """Returns the message of `error` in one line."""
    message = " ".join(str(error).replace('in "<unicode string>", ', "").split())
    is_expected = isinstance(error, SeedError | StoreError | SpecError | yaml.YAMLError)
    return message if is_expected else f"{type(error).__name__}: {message}"
