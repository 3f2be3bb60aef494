"""`clients-register hash-password`: prints the hash of a password, for a user of a seed.

The password comes from standard input, because command lines are visible to every user of a
machine. It appears in no output, not even in that about an argument that cannot be used.
"""

import getpass
import signal
import sys

from clients_register import output
from clients_register.argument_parser import ArgumentParser
from clients_register.handlers import options
from clients_register.handlers.settings import Settings

PROGRAM = "clients-register hash-password"
DEFAULT_COST = Settings(reference=True).cost

DESCRIPTION = """\
Print the bcrypt hash of a password, which a user of a seed can have as
password_hash instead of the password itself.

The password is read from standard input, without the line break at its end. At
a terminal it is asked for twice, and not shown.
"""

EPILOG = f"""\
example:
  {PROGRAM} < password.txt

exit codes:
  0 printed, 1 the password cannot be used, 2 wrong usage
"""

NO_UTF8 = "expected a password in UTF-8, found another encoding"


class PasswordError(ValueError):
    """The password cannot be used; the message says what was expected and found."""


def main(argv: list[str]) -> int:
    """Prints the hash of the password on standard input; returns the exit code."""
    parser = ArgumentParser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument(
        "--cost",
        metavar="COST",
        default=str(DEFAULT_COST),
        help="cost factor of bcrypt, from 4 to 31; each step doubles the work (default:"
        f" {DEFAULT_COST})",
    )
    given, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(
            "expected no argument besides --cost COST, since command lines are visible to every"
            " user of this machine, found another; write the password to standard input"
        )
    try:
        cost = options.bcrypt_cost(given.cost)
    except ValueError as error:
        parser.error(f"argument --cost: expected {error}, found something else")
    try:
        print(_hash(_read_password(), cost))
    except PasswordError as error:
        output.complain(f"{PROGRAM}: {error}")
        return 1
    return 0


def _hash(password: str, cost: int) -> str:
    """Raises PasswordError."""
    # It takes long to import.
    from clients_register.handlers.passwords import MAX_BYTES, hash_password, password_problem

    problem = password_problem(password) if password else "empty"
    if problem is not None:
        raise PasswordError(
            f"expected a password of 1 to {MAX_BYTES} bytes of UTF-8 without NUL, found one that"
            f" is {problem.replace('_', ' ')}; choose another"
        )
    # It may take hours, in which Python would not notice Ctrl-C.
    previous = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return hash_password(password, cost)
    finally:
        signal.signal(signal.SIGINT, previous)


def _read_password() -> str:
    """Reads the password from standard input. Raises PasswordError."""
    if sys.stdin is not None and sys.stdin.isatty():
        return _ask_for_password()
    content = b"" if sys.stdin is None else sys.stdin.buffer.read()
    line_break = b"\r\n" if content.endswith(b"\r\n") else b"\n"
    try:
        return content.removesuffix(line_break).decode()
    except UnicodeDecodeError:
        raise PasswordError(f"{NO_UTF8}; convert it, for example with iconv") from None


def _ask_for_password() -> str:
    """Asks for the password at the terminal. Raises PasswordError."""
    try:
        password = getpass.getpass("Password: ")
        repeated = getpass.getpass("Repeat the password: ")
    except EOFError:
        raise PasswordError("expected a password twice, found the end; start again") from None
    except UnicodeDecodeError:
        raise PasswordError(f"{NO_UTF8}; set the terminal to UTF-8") from None
    if repeated != password:
        raise PasswordError("expected the same password twice, found two; start again")
    return password
