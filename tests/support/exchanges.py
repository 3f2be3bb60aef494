"""The golden exchanges: read, arranged on a server of ours, sent."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from support.live import Live

from clients_register.fixtures.exchanges import golden
from clients_register.handlers.clock import parse_time
from clients_register.handlers.context import Services
from clients_register.spec.statuses import load_statuses

Exchange = Mapping[str, Any]

# The discard port: nobody listens there, so a connection is refused at once.
NOBODY = "http://127.0.0.1:9/"


GOLDEN = tuple(golden(status.slug) for status in load_statuses())


class CrashingStore:
    """A store that fails where a client is stored, and is whole otherwise."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def begin_registration(self, *_: Any) -> Any:
        raise RuntimeError("the disk is on fire")


def crash_in_handler(services: Services) -> Services:
    return replace(services, store=CrashingStore(services.store))


def arranged(start: Callable[..., Live], exchange: Exchange, directory: Path) -> Live:
    """A fresh server in the states that `exchange` needs, its clock where it says."""
    settings: dict[str, Any] = {}
    for state in exchange["arrangement"]:
        match state:
            case "service-not-deployed":
                settings["seed"] = _seed(directory, {"services": []})
            case "route-not-deployed":
                services = [{"service": "clients", "actions": []}]
                settings["seed"] = _seed(directory, {"services": services})
            case "crash-before-routing":
                settings["before_routing"] = _crash
            case "crash-in-handler":
                settings["alter"] = crash_in_handler
            case "mail-failing":
                settings |= {"mail": "mandrill", "mandrill_key": "k", "mandrill_url": NOBODY}
            case "misspelt-slug":
                settings["spelling"] = exchange["status"]
    live = start(**settings)
    if "at" in exchange:
        assert live.clock.now() == parse_time(exchange["at"]), "sessions count back from the start"
    return live


def send(live: Live, exchange: Exchange, origin: str | None = None) -> Any:
    """Sends the request of `exchange`, to `origin` if it is another; returns httpx's response."""
    request = exchange["request"]
    return live.http.request(
        request["method"],
        (origin or live.origin) + request["path"],
        headers=request["headers"],
        content=request["body"].encode(),
    )


def _seed(directory: Path, sections: object) -> Path:
    path = directory / "seed.yaml"
    path.write_text(yaml.safe_dump(sections), "utf-8")
    return path


async def _crash(*_: object) -> None:
    raise RuntimeError("the lights went out")
