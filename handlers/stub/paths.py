"""The names of worlds and snapshots, and the paths of worlds and of the route."""

import re
from urllib.parse import unquote

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


def split_path(path: str, raw_path: bytes) -> tuple[str, str, bytes]:
    """Returns the name of the world of a path, the rest of the path, and that rest as it was sent.

    `raw_path` is the path as it was sent. Raises Problem for an invalid name.
    """
    if path.startswith(PREFIX):
        # An encoded slash separates nothing.
        _, first, *steps = raw_path.split(b"/", 3)
        if steps and f"/{unquote(first.decode('latin-1'))}" == WORLDS_PATH:
            name = unquote(steps[0].decode("latin-1"))
            check_world_name(name)
            rest = b"/" + steps[1] if len(steps) > 1 else b""
            return name, path.removeprefix(PREFIX + name), rest
    return DEFAULT, path, raw_path


def explain_path(method: str, path: str, base: str, route: str) -> str:
    """Says where the route is, to the caller of another path or with another method.

    `base` is the path of the base URL; `path` and `route` have no prefix of a world.
    """
    told = f"Expected POST {route}, found {method} {path}."
    if not is_below_wrong_base(path, base, route):
        return told
    if base and path.endswith(base + route):
        return f"{told} The program appends {base} to a base URL that already ends in it."
    return f"{told} The base URL has to {f'end in {base}' if base else 'have no path'}."


def is_below_wrong_base(path: str, base: str, route: str) -> bool:
    """Whether only the base URL of the caller is wrong; see `explain_path`."""
    return path != route and path.endswith(route.removeprefix(base))


def check_world_name(name: str) -> None:
    """Raises Problem for an invalid name."""
    if not is_name(name):
        raise Problem(
            "bad-world",
            f"expected a world's name of 1 to 64 letters, digits, _ and -, found {name[:80]!r}",
            f"Such as {PREFIX}my-test/api/v1/clients/register",
        )
