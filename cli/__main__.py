"""The command `clients-register`: dispatches to its subcommands.

Subcommands are imported when they run, so that `--help` and `--version` respond immediately.
"""

import difflib
import sys
from importlib import import_module

from clients_register import __version__, output

SUITE = "clients_register.conformance.commands"

# Name: (module, function from arguments to exit code, help)
COMMANDS = {
    "serve": ("clients_register.handlers.serve", "main", "serve the route over HTTP"),
    "health": ("clients_register.handlers.health", "main", "check whether a server is ready"),
    "hash-password": (
        "clients_register.handlers.hash_password",
        "main",
        "print the hash of a password, for a seed",
    ),
    "spec": ("clients_register.spec.show", "main", "print the OpenAPI document"),
    "verify": (SUITE, "verify", "test a server that implements the route"),
    "fuzz": (
        "clients_register.conformance.fuzz.command",
        "main",
        "search for faults that no case covers",
    ),
    "init": (
        "clients_register.conformance.init_profile",
        "main",
        "write a profile, which describes your server to the suite",
    ),
    "smoke": (SUITE, "smoke", "check quickly whether a server implements the route"),
    "plan": (SUITE, "plan", "show what verify would do to a server"),
    "list": (SUITE, "list_cases", "list the cases that verify runs"),
    "trace": (SUITE, "trace", "list requirements and their cases"),
    "report": (SUITE, "report", "convert a report of verify"),
}

USAGE = """\
usage: clients-register COMMAND [OPTION ...]

Register clients as POST /api/v1/clients/register documents it.

commands:
{commands}

  clients-register COMMAND --help   show the options of a command
  clients-register --version        show the version
"""

# The exit codes of programs ended by SIGPIPE and SIGINT.
BROKEN_PIPE = 141
INTERRUPTED = 130

# The exit code if the output cannot be written. For the suite, 1 would be a violation.
NOT_WRITABLE = 2


def usage() -> str:
    """Returns the text of `clients-register --help`."""
    rows = (f"  {name:<13} {help_text}" for name, (_, _, help_text) in COMMANDS.items())
    return USAGE.format(commands="\n".join(rows))


def main(argv: list[str] | None = None) -> int:
    """Runs a subcommand; returns its exit code. `argv` is by default that of the process."""
    output.use_utf8()
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        finally:
            output.flush()
    except BrokenPipeError:
        output.discard()
        return BROKEN_PIPE
    except OSError as error:
        # Most likely, standard output is a file on a full disk.
        output.discard()
        output.complain(f"clients-register: the output cannot be written: {error}")
        return NOT_WRITABLE
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
        output.complain(f"clients-register: {_describe_unknown(name)}")
        return 2
    module, function, _ = COMMANDS[name]
    code: int = getattr(import_module(module), function)(rest)
    return code


def _describe_unknown(name: str) -> str:
    found = f"unknown command {name!r}" if name else "no command given"
    if close := difflib.get_close_matches(name, COMMANDS, n=1):
        return f"{found}; did you mean {close[0]}?"
    known = ", ".join(COMMANDS)
    return f"{found}; expected one of: {known} (clients-register --help describes them)"


if __name__ == "__main__":
    sys.exit(main())
