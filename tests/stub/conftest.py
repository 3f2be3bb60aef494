"""Fixtures for the tests of the stub."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.backend import Backend, echo
from support.limits import LIMIT
from support.live import WAIT

from clients_register.handlers.stub.state import Notifier


@pytest.fixture(scope="module")
def shared_backend() -> Iterator[Backend]:
    """One backend for all tests of a module, and for a stub that forwards to it."""
    with Backend() as backend:
        yield backend


@pytest.fixture
def backend(shared_backend: Backend) -> Backend:
    """The shared backend, which echoes the request line and has recorded no exchange."""
    shared_backend.answer = echo
    shared_backend.exchanges.clear()
    return shared_backend


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Counts those who have begun to wait on a server for a mail or a request, WAIT seconds.

    Such a wait ends when there is news; if there never is, the caller's own limit comes first.
    """
    begun = threading.Semaphore(0)
    wait_for = Notifier.wait_for

    async def told(self: Notifier, find: Any, seconds: float) -> Any:
        if seconds == WAIT:
            begun.release()
            seconds = 2 * LIMIT
        return await wait_for(self, find, seconds)

    monkeypatch.setattr(Notifier, "wait_for", told)
    return begun
