"""Counts our files that a request passes through, from the socket to the response.

    python bench/crossing.py [--files]

Performs each operation once to warm up and once under `sys.setprofile`, and prints the number of
files whose functions were called, with `--files` also their names, in the order of the first calls.
The server runs in threads of this process, which do not count for a case of the suite.
"""

import argparse
import asyncio
import base64
import json
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType

import httpx2

import clients_register
from clients_register import conformance, fixtures, handlers, spec
from clients_register.conformance.case import load_cases
from clients_register.conformance.runner import run_cases
from clients_register.conformance.target import target_for_url
from clients_register.handlers.serve import Stop, open_listener
from clients_register.handlers.server import Server, open_product
from clients_register.handlers.settings import Settings
from clients_register.spec.statuses import load_statuses

FOLDERS = [
    str(Path(str(package.__file__)).parent)
    for package in (clients_register, conformance, fixtures, handlers, spec)
]


class Files:
    """Collects the files whose functions are called."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}
        self.active = False
        self.server_counts = True

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Records the file of a function that is called."""
        if not self.active or event != "call":
            return
        if not self.server_counts and threading.current_thread() is not threading.main_thread():
            return
        name = frame.f_code.co_filename
        if name.startswith(tuple(FOLDERS)):
            folder = max((each for each in FOLDERS if name.startswith(each)), key=len)
            self.found.setdefault(name.removeprefix(str(Path(folder).parent) + "/"))


FILES = Files()
CASE = "success/creates-a-client"
NUMBERS = count(1)


def crossed(act: Callable[[], object]) -> list[str]:
    """Returns the files that `act` passes through when it is repeated."""
    act()
    FILES.found.clear()
    FILES.active = True
    try:
        act()
    finally:
        FILES.active = False
    return list(FILES.found)


@contextmanager
def running(folder: Path, *, reference: bool) -> Iterator[str]:
    """Runs a server in a thread of this process; yields its origin."""
    settings = Settings(data=folder / "data.json", port=0, reference=reference, bcrypt_cost=4)
    stop = Stop()
    origin: Future[str] = Future()

    async def serve() -> None:
        async with open_product(settings) as product:
            with open_listener("127.0.0.1", 0) as listener:
                origin.set_result(f"http://127.0.0.1:{listener.getsockname()[1]}")
                await Server(product, settings, stop).serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        yield origin.result(timeout=60)
    finally:
        stop.request()
        thread.join()


def register(http: httpx2.Client, origin: str, **headers: str) -> str:
    """Registers a new client; returns the slug of the response."""
    client = {
        "email": f"client-{next(NUMBERS)}@x.test",
        "password": "long enough",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "phone": "1",
        "company_id": 42,
    }
    params = {"application": "planoauth", "client": client}
    response = http.post(
        f"{origin}/api/v1/clients/register",
        content=base64.b64encode(json.dumps(params).encode()),
        headers={"Content-Type": "text/plain", **headers},
    )
    return str(response.json()["status"])


def measure() -> Iterator[tuple[str, list[str]]]:
    """Yields each operation with the files that it passed through."""
    success = load_statuses().success.slug
    case = next(each for each in load_cases() if each.id == CASE)
    with tempfile.TemporaryDirectory() as folder, httpx2.Client() as http:
        for kind in ("reference", "stub"):
            place = Path(folder) / kind
            place.mkdir()
            with running(place, reference=kind == "reference") as origin:
                assert register(http, origin) == success
                yield f"registration, {kind}", crossed(partial(register, http, origin))
        with running(Path(folder), reference=False) as origin:
            forced = partial(register, http, origin, Prefer=f"example={success}")
            yield "forced response", crossed(forced)
            faults = partial(http.put, f"{origin}/_mock/faults", json={"mail_failures": 0})
            yield "control call", crossed(faults)
            target = target_for_url(f"{origin}/api/v1", control=True)
            statuses = load_statuses()
            FILES.server_counts = False
            yield "one case", crossed(lambda: asyncio.run(run_cases([case], target, statuses)))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", action="store_true", help="list the files as well")
    options = parser.parse_args()
    threading.setprofile(FILES)
    sys.setprofile(FILES)
    for what, files in measure():
        print(f"{what:<25} {len(files):>3} files")
        if options.files:
            print("".join(f"    {each}\n" for each in files))


if __name__ == "__main__":
    main()
