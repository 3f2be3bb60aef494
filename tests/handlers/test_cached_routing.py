"""The cache of Connexion's routing: every request is routed as without it."""

from typing import Any

import pytest
from connexion.middleware.abstract import ROUTING_CONTEXT
from starlette.types import Receive, Scope, Send

from clients_register.handlers import app
from clients_register.handlers.stub.control.plane import PREFIX, build_control_router


@pytest.fixture
async def routed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Routes a path of the control plane; returns what its operation finds in the scope."""
    found: list[Scope] = []

    class Operation:
        def __init__(self, *_: object) -> None: ...

        async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
            found.append(scope)

    monkeypatch.setattr("clients_register.handlers.stub.control.plane.ControlOperation", Operation)
    router = await build_control_router()

    async def nothing(*_: object) -> Any:
        raise AssertionError("no message is exchanged")

    async def route(path: str, method: str = "GET") -> tuple[Any, Any]:
        path = PREFIX + path
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": [], "root_path": "", "extensions": {},
        }  # fmt: skip
        await router(scope, nothing, nothing)
        context = found[-1]["extensions"][ROUTING_CONTEXT]
        return context["operation_id"], found[-1]["path_params"]

    return route


async def test_a_path_keeps_its_own_parameters(routed: Any) -> None:
    first, second = await routed("/sessions/one"), await routed("/sessions/two")
    assert [first[1], second[1]] == [{"token": "one"}, {"token": "two"}]
    for _ in range(2):
        assert await routed("/sessions/one") == first
        assert await routed("/sessions/two") == second


async def test_a_method_keeps_its_own_operation(routed: Any) -> None:
    reading = await routed("/clock")
    writing = await routed("/clock", "PUT")
    assert reading[0] != writing[0]
    assert await routed("/clock") == reading
    assert await routed("/clock", "PUT") == writing


async def test_an_operation_cannot_change_the_parameters_of_the_next_request(routed: Any) -> None:
    for _ in range(2):
        await routed("/sessions/one")
    _, params = await routed("/sessions/one")
    params.clear()
    assert (await routed("/sessions/one"))[1] == {"token": "one"}


async def test_more_paths_than_are_remembered_are_routed(
    routed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MAX_CACHED_PATHS", 2)
    for token in ("one", "two", "three", "one"):
        assert (await routed(f"/sessions/{token}"))[1] == {"token": token}


async def test_a_long_path_is_routed(routed: Any) -> None:
    token = "x" * (app.MAX_CACHED_LENGTH + 1)
    for _ in range(2):
        assert (await routed(f"/sessions/{token}"))[1] == {"token": token}
