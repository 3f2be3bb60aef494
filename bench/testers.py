"""Other API testers, as commands that test a server of this route against its document.

Each runs with its defaults, as a new user would run it. A tool that is not installed (README.md
describes how to install it) has no command here, and the table lists it as absent.
"""

import http.client
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

MODULES = Path(__file__).parent / "node_modules" / ".bin"
QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

# The Node that npm installed for the tools precedes the system's; telemetry is disabled.
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(MODULES), os.environ.get("PATH", "")]),
    "REDOCLY_TELEMETRY": "off",
}

# Tool -> its command, or None if it is not installed.
Commands = dict[str, list[str] | None]


def commands(document: Path, route: str) -> Commands:
    """Returns the command of each tool that tests the server at `route` against `document`.

    `route` is the base URL, including the document's base path.
    """
    described = document.with_name("arazzo.yaml")
    if (tool := npm("redocly")) and not described.exists():
        subprocess.run(
            [tool, "generate-arazzo", document.name, "-o", described.name],
            cwd=document.parent, env=ENVIRONMENT, check=True, **QUIET,
        )  # fmt: skip
    drive = [sys.executable, __file__, str(document), route]
    found = {
        "schemathesis run": (beside("schemathesis"), ["run", str(document), "--url", route]),
        "dredd": (npm("dredd"), [str(document), route]),
        "redocly respect": (
            npm("redocly"), ["respect", str(described), "-S", f"{document.stem}={route}"],
        ),
        "specmatic test": (
            npm("specmatic") if shutil.which("java") else None,
            ["test", str(document), f"--testBaseURL={route}"],
        ),
    }  # fmt: skip
    told: Commands = {name: [tool, *rest] if tool else None for name, (tool, rest) in found.items()}
    return {**told, "prism proxy, driven": drive if npm("prism") else None}


def npm(name: str) -> str | None:
    """Returns the path of a command that npm installed."""
    return shutil.which(name, path=str(MODULES))


def beside(name: str) -> str | None:
    """Returns the path of a command that pip installed."""
    return shutil.which(name, path=str(Path(sys.executable).parent))


def drive(document: str, route: str) -> None:
    """Sends each example request of the document once through Prism's proxy.

    The proxy validates what passes through it and sends no requests of its own.
    """
    contract = yaml.safe_load(Path(document).read_text("utf-8"))
    operation = contract["paths"]["/clients/register"]["post"]
    examples = operation["requestBody"]["content"]["text/plain"]["examples"].values()
    where = urlsplit(route)
    with proxy(document, f"{where.scheme}://{where.netloc}{where.path}") as port:
        for example in examples:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            link.request(
                "POST", "/clients/register", example["value"], {"Content-Type": "text/plain"}
            )
            answer = link.getresponse()
            print(answer.status, answer.getheader("sl-violations"), answer.read())


@contextmanager
def proxy(document: str, upstream: str) -> Iterator[int]:
    """Starts Prism's proxy in front of `upstream`; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    tool = npm("prism")
    assert tool
    command = [tool, "proxy", document, upstream, "--port", str(port)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "listening" in line:
                break
        try:
            yield port
        finally:
            process.terminate()


if __name__ == "__main__":
    drive(*sys.argv[1:])
