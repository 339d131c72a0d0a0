"""The only place that turns an error into text, and into an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from syncd import errors
from syncd.cli.base import Exit
from syncd.cli.words import counted
from syncd.telemetry.render import escape
from syncd.web.client import DaemonUnreachable, TokenRefused

_EXITS: tuple[tuple[type[Exception], Exit], ...] = (
    (click.ClickException, Exit.USAGE),
    (errors.ConfigError, Exit.CONFIG),
    (errors.SchemaUnfit, Exit.CONFIG),
    (errors.BadInput, Exit.USAGE),
    (errors.NotKnown, Exit.USAGE),
    (DaemonUnreachable, Exit.UNREACHABLE),
    (errors.PortTaken, Exit.UNREACHABLE),
    (errors.AlreadyRunning, Exit.RUNNING),
    (errors.SecondInstance, Exit.RUNNING),
    (errors.NotLeading, Exit.RUNNING),
    (TokenRefused, Exit.TOKEN),
)
"""The first class that matches decides; what is not listed has failed (1)."""


def explain(error: Exception, arguments: Sequence[str]) -> Exit:
    """Tell on standard error what went wrong and what to do; return the exit code."""
    match error:
        case errors.ConfigError():
            _say(*error.problems, counted(len(error.problems), "problem"), hint=error.hint)
        case errors.SyncdError():
            _say(f"syncd: {error}", hint=error.hint)
        case click.ClickException():
            _explain_usage(error)
        case _:
            _explain_unforeseen(error, is_debug="--debug" in arguments)
    return next((code for kind, code in _EXITS if isinstance(error, kind)), Exit.FAILED)


def silence_stdout() -> None:
    """Let nothing more complain that nobody reads standard output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain_usage(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return
    message = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"{context.command_path} --help" if context else None
    _say(f"syncd: {message[:1].lower()}{message[1:]}", hint=hint)


def _explain_unforeseen(error: Exception, *, is_debug: bool) -> None:
    if is_debug:
        traceback.print_exception(error)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    hint = "the stack is above" if is_debug else "the same command with --debug shows the stack"
    _say(f"syncd: this is a mistake in syncd: {what}", hint=hint)


def _say(*lines: str, hint: str | None) -> None:
    for line in lines:
        # A problem may have several lines; none of them reaches the terminal raw.
        click.echo("\n".join(map(escape, line.splitlines())), err=True)
    if hint:
        click.echo(f"  hint: {escape(hint)}", err=True)
