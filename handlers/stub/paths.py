"""The names of worlds and snapshots, and the paths of worlds."""

import re

from clients_register.handlers.settings import WORLDS_PATH
from clients_register.handlers.stub.problems import Problem
from clients_register.handlers.stub.world_files import DEFAULT

PREFIX = f"{WORLDS_PATH}/"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_name(text: str) -> bool:
    """Whether a world or a snapshot can have that name."""
    return _NAME.fullmatch(text) is not None


def path_prefix(name: str) -> str:
    """Returns the path prefix of the world `name`, which need not exist."""
    return "" if name == DEFAULT else PREFIX + name


def split_path(path: str) -> tuple[str, str]:
    """Returns the name of the world of a path, and the rest of the path.

    Raises Problem for an invalid name.
    """
    if not path.startswith(PREFIX):
        return DEFAULT, path
    name, slash, rest = path.removeprefix(PREFIX).partition("/")
    check_world_name(name)
    return name, slash + rest


def check_world_name(name: str) -> None:
    """Raises Problem for an invalid name."""
    if not is_name(name):
        raise Problem(
            "bad-world",
            f"expected a world's name of 1 to 64 letters, digits, _ and -, found {name[:80]!r}",
            f"Such as {PREFIX}my-test/api/v1/clients/register",
        )
