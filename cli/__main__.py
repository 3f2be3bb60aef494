"""The command `clients-register`: names the subcommands and hands over to the one asked for.

Nothing heavy is imported here, so that `--help` and `--version` answer at once; each subcommand
imports what it needs when it runs.
"""

import sys
from importlib import import_module

from clients_register import __version__

# name -> (module with `main(argv) -> exit code`, one line of help)
COMMANDS = {
    "serve": ("clients_register.handlers.serve", "answer the route over HTTP"),
    "spec": ("clients_register.spec.show", "print the OpenAPI document"),
}

USAGE = """\
usage: clients-register COMMAND [OPTION ...]

Register clients as POST /api/v1/clients/register documents it.

commands:
{commands}

  clients-register COMMAND --help   what a command does, with all its options
  clients-register --version        the version of this program
"""


def usage() -> str:
    """The text of `clients-register --help`."""
    rows = (f"  {name:<8} {about}" for name, (_, about) in COMMANDS.items())
    return USAGE.format(commands="\n".join(rows))


def main(argv: list[str] | None = None) -> int:
    """Runs the subcommand named first in `argv` (default: the process's); returns its exit code."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or [""]
    if name in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0
    if name == "--version":
        print(f"clients-register {__version__}")
        return 0
    if name not in COMMANDS:
        found = f"unknown command {name!r}" if name else "no command given"
        known = ", ".join(COMMANDS)
        print(
            f"clients-register: {found}; expected one of: {known}"
            " (clients-register --help tells what each does)",
            file=sys.stderr,
        )
        return 2
    module = import_module(COMMANDS[name][0])
    code: int = module.main(rest)
    return code


if __name__ == "__main__":
    sys.exit(main())
