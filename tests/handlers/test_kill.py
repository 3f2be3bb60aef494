"""A client who was told 200 is there after the power of the process is cut, whenever that is."""

import asyncio
import random
import signal
import threading
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from support.command import Process, serving
from support.limits import LIMIT
from support.live import encoded, registration

from clients_register.handlers.store.tinydb import TinyDBStore

CALLERS = 8


class Callers:
    """Threads that register one address after the other, until the server is gone."""

    def __init__(self, url: str, round_: int) -> None:
        self.answered: list[str] = []
        self._url = url
        self._round = round_
        self._news = threading.Condition()
        self._threads = [
            threading.Thread(target=self._register, args=(number,)) for number in range(CALLERS)
        ]

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive()

    def wait_for(self, answers: int) -> None:
        """Waits until that many clients were told 200."""
        with self._news:
            while len(self.answered) < answers:
                assert self._news.wait(LIMIT)

    def _register(self, caller: int) -> None:
        with suppress(httpx2.TransportError), httpx2.Client(timeout=LIMIT, trust_env=False) as http:
            for number in range(1000):
                email = f"{self._round}.{caller}.{number}@kill.test"
                headers = {"Content-Type": "text/plain"}
                answer = http.post(self._url, content=encoded(registration(email)), headers=headers)
                assert answer.status_code == 200, answer.text
                with self._news:
                    self.answered.append(email)
                    self._news.notify()


def kill(process: Process, round_: int, answers: int) -> list[str]:
    """Kills the server while it is registering; returns the addresses that were answered 200."""
    with Callers(process.url, round_) as callers:
        callers.wait_for(answers)
        process.tell(signal.SIGKILL)
    assert process.ended().code == -signal.SIGKILL
    return callers.answered


async def registered(data: Path, emails: list[str]) -> list[str]:
    """Which of `emails` are clients in the file, once it is opened again."""
    store = TinyDBStore(data, public_allowed=True)
    users = [await store.user_by_email(email) for email in emails]
    await store.close()
    return [user.email for user in users if user is not None and user.client is not None]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.soak)])
@pytest.mark.once
def test_who_was_answered_200_survives_a_kill(tmp_path: Path, kills: int) -> None:
    data = tmp_path / "data.json"
    moments = random.Random(4018)
    answered: list[str] = []
    for round_ in range(kills):
        with serving("--data", str(data), "--bcrypt-cost", "4") as process:
            answered += kill(process, round_, moments.randint(1, 60))
        assert asyncio.run(registered(data, answered)) == answered
