"""The argument parser of all commands: a module of its own, because `--help` needs none."""

import argparse
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class ArgumentParser(argparse.ArgumentParser):
    """Takes whole names of options, and prints description and epilog as they are.

    Raises OSError if its help cannot be written, which argparse ignores.
    """

    def __init__(self, **options: Any) -> None:
        """`options` are those of argparse."""
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options
        )

    @override
    def print_help(self, file: "SupportsWrite[str] | None" = None) -> None:
        print(self.format_help(), end="", file=file)
