"""Installs the newest release of each dependency, whatever the bounds in pyproject.toml.

    python tests/newest.py

It changes the environment of the interpreter that runs it; `tox -e newest` has one of its own.
"""

import re
import subprocess
import sys
from importlib.metadata import requires, version


def dependencies() -> list[str]:
    """Returns the names of all dependencies, with the extras of each."""
    found = {
        re.split(r"[ <>=!~;]", each, maxsplit=1)[0] for each in requires("clients-register") or ()
    }
    return sorted(each for each in found if not each.startswith("clients-register"))


def main() -> None:
    """Installs them with pip, and prints which ones changed."""
    names = dependencies()
    plain = [name.partition("[")[0] for name in names]
    before = {name: version(name) for name in plain}
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade"]
    subprocess.run([*pip, "--upgrade-strategy", "eager", *names], check=True)
    for name in plain:
        if version(name) != before[name]:
            print(f"{name} {before[name]} -> {version(name)}")  # noqa: T201


if __name__ == "__main__":
    main()
