"""Programs of the npm world that tests use; `npm ci` in `tests/npm` brings them."""

import shutil
from pathlib import Path

from support.absence import absent

NPM = Path(__file__).parents[1] / "npm"


def tool(name: str) -> list[str]:
    """The command line that begins with the npm program `name`, under a Node that is new enough.

    Where it is not installed the test is skipped by name; in CI, which must install it, it fails.
    """
    programs = NPM / "node_modules" / ".bin"
    node = shutil.which("node", path=programs)
    program = programs / name
    if node is None or not program.exists():
        absent(f"{name} is not installed: run `npm ci` in {NPM}")
    return [node, str(program.resolve())]
