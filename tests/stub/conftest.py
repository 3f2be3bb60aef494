"""Fixtures for the tests of the stub."""

import threading
from typing import Any

import pytest
from support.limits import LIMIT
from support.live import WAIT

from clients_register.handlers.stub.state import Notifier


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
