"""Tests as test authors write them with the plugin."""

from collections.abc import Callable

import pytest

# A registration as a test author writes it, and the status of the answer.
PREAMBLE = """\
    import httpx
    import pytest

    def status(world, email="ada@example.test", **headers):
        client = {"email": email, "password": "correct horse"}
        sent = world.send({"application": "planoauth", "client": client}, **headers)
        return sent.json()["status"]
"""

ONE_SUCCESS = """
    def test_success(clients_register):
        assert status(clients_register) == "action-successful"
"""

# What runs of pytest do without: the plugins of others, which take seconds to import.
OPTIONS = (
    *("-p", "no:cacheprovider", "-p", "no:anyio", "-p", "no:asyncio"),
    *("-p", "no:hypothesispytest", "-p", "no:schemathesis"),
)

Run = Callable[..., pytest.RunResult]
