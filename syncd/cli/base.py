"""What a command is: the contract of the files in this folder, and what they end with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import IntEnum
from typing import ClassVar

import click

from syncd.cli.console import Console


class Exit(IntEnum):
    """The exit codes; scripts rely on them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    PROBLEMS = 4
    CONFIG = 5
    RUNNING = 6
    HELD = 7
    TOKEN = 8
    SIGNAL = 130


class Command(ABC):
    """One command. A concrete subclass is a dataclass with a field per parameter.

    The file's name is the command's (`opt_out.py` is `opt-out`, `users_import.py` is `users
    import`), the class's docstring its help. What is heavy is imported inside `run`.
    """

    parameters: ClassVar[tuple[click.Parameter, ...]] = ()

    @abstractmethod
    def run(self, console: Console) -> Exit:
        """Do it; errors are raised and become text in one place, `failure`."""
