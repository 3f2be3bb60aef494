"""Measures how late the event loop runs while passwords are hashed at cost 12.

    python bench/hashing.py

Like a server under load, this process runs concurrent hashes, and with them a task that sleeps for
one millisecond at a time. The table shows how late the task wakes up, with and without the hashes.
"""

import asyncio
import statistics
import time

from clients_register.handlers.passwords import PasswordHasher

COST = 12
CALLERS = 16
SECONDS = 10.0
PAUSE = 0.001
BAR = 20.0


async def lags() -> list[float]:
    """Returns how late each wake-up is, in milliseconds."""
    found = []
    end = time.perf_counter() + SECONDS
    while (begun := time.perf_counter()) < end:
        await asyncio.sleep(PAUSE)
        found.append((time.perf_counter() - begun - PAUSE) * 1000)
    return found


async def hashing(passwords: PasswordHasher) -> None:
    """Hashes passwords one after another, like one caller."""
    while True:
        await passwords.hash("correct horse battery staple")


async def main() -> None:
    """Prints the table."""
    still = await lags()
    passwords = PasswordHasher(COST)
    callers = [asyncio.create_task(hashing(passwords)) for _ in range(CALLERS)]
    busy = await lags()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    await passwords.close()
    print(f"{'':<24}{'median':>10}{'99th percentile':>18}{'maximum':>10}   (milliseconds late)")
    for name, found in (("no hashing", still), (f"{CALLERS} callers, cost {COST}", busy)):
        last = statistics.quantiles(found, n=100)[98]
        print(f"{name:<24}{statistics.median(found):>10.2f}{last:>18.2f}{max(found):>10.2f}")
    print(f"target: 99th percentile under {BAR:g} ms")


if __name__ == "__main__":
    asyncio.run(main())
