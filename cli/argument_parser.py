"""The argument parser of all commands: a module of its own, because `--help` needs none."""

import argparse
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class ArgumentParser(argparse.ArgumentParser):
    """Raises OSError if its help cannot be written, which argparse ignores."""

    @override
    def print_help(self, file: "SupportsWrite[str] | None" = None) -> None:
        print(self.format_help(), end="", file=file)
