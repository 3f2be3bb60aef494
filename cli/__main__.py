"""The command `clients-register`: names the subcommands and hands over to the one asked for.

Nothing heavy is imported here, so that `--help` and `--version` answer at once; each subcommand
imports what it needs when it runs.
"""

import difflib
import sys
from importlib import import_module

from clients_register import __version__, output

# name -> (module with `main(argv) -> exit code`, one line of help)
COMMANDS = {
    "serve": ("clients_register.handlers.serve", "answer the route over HTTP"),
    "spec": ("clients_register.spec.show", "print the OpenAPI document"),
    "verify": ("clients_register.conformance.verify", "judge a server that claims the route"),
    "fuzz": ("clients_register.conformance.fuzz", "look for faults that no case foresaw"),
    "plan": ("clients_register.conformance.plan", "tell what verify would do to a server"),
    "smoke": ("clients_register.conformance.smoke", "see whether it is a server of this route"),
    "list": ("clients_register.conformance.listing", "list the cases that verify runs"),
    "trace": ("clients_register.conformance.tracing", "list requirements and their cases"),
    "report": ("clients_register.conformance.report", "draw a report of verify anew"),
}

USAGE = """\
usage: clients-register COMMAND [OPTION ...]

Register clients as POST /api/v1/clients/register documents it.

commands:
{commands}

  clients-register COMMAND --help   what a command does, with all its options
  clients-register --version        the version of this program
"""

# What a shell reports of a program that ended by SIGPIPE or SIGINT.
READER_GONE = 141
INTERRUPTED = 130


def usage() -> str:
    """The text of `clients-register --help`."""
    rows = (f"  {name:<8} {about}" for name, (_, about) in COMMANDS.items())
    return USAGE.format(commands="\n".join(rows))


def main(argv: list[str] | None = None) -> int:
    """Runs the subcommand named first in `argv` (default: the process's); returns its exit code."""
    output.prepare()
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        finally:
            output.flush()
    except BrokenPipeError:
        output.let_go()
        return READER_GONE
    except OSError as error:
        # A full disk behind the output, above all.
        output.let_go()
        print(f"clients-register: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(argv: list[str]) -> int:
    name, *rest = argv or [""]
    if name in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0
    if name == "--version":
        print(f"clients-register {__version__}")
        return 0
    if name not in COMMANDS:
        print(f"clients-register: {_unknown(name)}", file=sys.stderr)
        return 2
    code: int = import_module(COMMANDS[name][0]).main(rest)
    return code


def _unknown(name: str) -> str:
    found = f"unknown command {name!r}" if name else "no command given"
    if close := difflib.get_close_matches(name, COMMANDS, n=1):
        return f"{found}; did you mean {close[0]}?"
    known = ", ".join(COMMANDS)
    return f"{found}; expected one of: {known} (clients-register --help tells what each does)"


if __name__ == "__main__":
    sys.exit(main())
