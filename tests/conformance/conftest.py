"""Fixtures for the tests of the suite."""

from collections.abc import Iterator

import pytest
from support.second import Second, second_server


@pytest.fixture(scope="module")
def running_second() -> Iterator[Second]:
    with second_server() as second:
        yield second


@pytest.fixture
def second(running_second: Second) -> Iterator[Second]:
    """One second server for all tests of a module; what is of the whole process is undone."""
    yield running_second
    running_second.arrange("restore")
