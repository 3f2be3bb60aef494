"""Requests with something changed in them, the recorded exchanges, and the OpenAPI document."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import OAS30WriteValidator, OAS31Validator
from support.live import Live, registration

from clients_register.fixtures.exchanges import golden
from clients_register.handlers.context import Services
from clients_register.spec.statuses import load_statuses


def changed(email: str, changes: dict[str, Any]) -> dict[str, Any]:
    """A valid registration with the values at the dotted paths of `changes`; "absent" removes."""
    params = registration(email)
    for path, value in changes.items():
        container, _, name = path.rpartition(".")
        holder = params[container] if container else params
        holder.pop(name, None)
        if value != "absent":
            holder[name] = value
    return params


def faults(live: Live, params: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The status of the answer to `params`, and its errors as attr -> message, which are sorted."""
    envelope = live.post(params).json()
    errors = envelope.get("errors", [])
    attrs = [error["attr"] for error in errors]
    assert attrs == sorted(set(attrs)), "one entry a parameter, in order"
    return envelope["status"], {error["attr"]: error["message"] for error in errors}


Exchange = Mapping[str, Any]

# The discard port: no server listens there, so a connection is refused at once.
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
        assert live.clock.now() == datetime.fromisoformat(exchange["at"]), (
            "sessions count back from the start"
        )
    return live


def send(live: Live, exchange: Exchange, origin: str | None = None) -> Any:
    """Sends the request of `exchange`, to `origin` if it is another; returns httpx2's response."""
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


Document = Mapping[str, Any]


def resolved(document: Document, node: Any) -> Any:
    """`node` with every local reference in it replaced by what it points to."""
    if isinstance(node, list):
        return [resolved(document, member) for member in node]
    if not isinstance(node, Mapping):
        return node
    if "$ref" in node:
        target: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        return resolved(document, target)
    return {key: resolved(document, member) for key, member in node.items()}


def schema_errors(document: Document, schema: Any, value: Any) -> list[str]:
    """Returns the errors of `value` by `schema`, in the edition of `document`."""
    # Of the 3.0 validators only this one asks for members that are never read back (a password).
    older = document["openapi"].startswith("3.0")
    dialect = OAS30WriteValidator if older else OAS31Validator
    validator = dialect(resolved(document, schema), format_checker=dialect.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(value)]


def response_examples(document: Document) -> Iterator[tuple[str, str, Any, Any]]:
    """Each named example of an answer: code, name, value, and schema."""
    for path in document["paths"].values():
        for operation in path.values():
            for code, response in operation["responses"].items():
                for content in response["content"].values():
                    for name, example in content["examples"].items():
                        yield code, name, example["value"], content["schema"]


def request_examples(document: Document) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Each named example of a request body: its name, the example, the schema of the body."""
    for path in document["paths"].values():
        for operation in path.values():
            for content in operation["requestBody"]["content"].values():
                for name, example in content["examples"].items():
                    yield name, example, resolved(document, content["schema"])


def schemas(node: Any, where: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema inside `node`, outermost first, with its place."""
    if isinstance(node, Mapping):
        if "type" in node and isinstance(node["type"], str | list):
            yield where, node
        for key, member in node.items():
            yield from schemas(member, f"{where}/{key}")
    elif isinstance(node, list):
        for at, member in enumerate(node):
            yield from schemas(member, f"{where}/{at}")
