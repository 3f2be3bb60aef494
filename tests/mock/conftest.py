"""Fixtures for the tests of the stub."""

import threading
from typing import Any

import pytest
from support.hang import LIMIT
from support.stub import WAIT

from clients_register.handlers.mock.news import News


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Counts those who have begun to wait on a server for a mail or a request, WAIT seconds.

    Such a wait ends when there is news; if there never is, the caller's own limit comes first.
    """
    begun = threading.Semaphore(0)
    until = News.until

    async def told(self: News, find: Any, seconds: float) -> Any:
        if seconds == WAIT:
            begun.release()
            seconds = 2 * LIMIT
        return await until(self, find, seconds)

    monkeypatch.setattr(News, "until", told)
    return begun
