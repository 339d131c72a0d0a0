"""From the files of this folder to what click understands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from inspect import cleandoc
from io import TextIOWrapper
from pathlib import Path
from typing import Any, cast

import click

from syncd import __version__, plugins
from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.config.source import find_config
from syncd.errors import NotKnown

_FOLDER = "syncd.cli"
_GROUPS = (
    ("alerts", "Try where trouble is reported."),
    ("config", "Look at what syncd made of the configuration."),
    ("dead-letters", "Decide about items whose attempts are used up."),
    ("outbox", "Look at what users are told, and decide about what was not delivered."),
    ("notify", "Try the ways to people."),
    ("tokens", "Hand over what users granted, and see how it stands."),
    ("users", "Say whom to follow."),
)
_HELP = "Keep a platform's copy of the outside world fresh and tell people in time."
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class CommandFolder(click.Group):
    """The commands whose files begin with a prefix; each is imported when it is asked for."""

    def __init__(self, name: str, *, prefix: str, help: str) -> None:  # noqa: A002 - click's word
        super().__init__(
            name,
            help=help,
            params=_common_options(),
            context_settings=_SETTINGS,
            subcommand_metavar="COMMAND [ARGS]...",
        )
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name, in the order of the names."""
        del ctx
        own = {
            _name(file.removeprefix(self._prefix))
            for file in plugins.find(_FOLDER)
            if self._is_own(file)
        }
        return sorted(own if self._prefix else own | {name for name, _ in _GROUPS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None where there is none of that name."""
        del ctx
        file = self._prefix + cmd_name.replace("-", "_")
        if not self._prefix and cmd_name in dict(_GROUPS):
            return CommandFolder(cmd_name, prefix=f"{file}_", help=dict(_GROUPS)[cmd_name])
        if _name(file) != _name(self._prefix) + cmd_name or not self._is_own(file):
            return None
        try:
            kind = plugins.load(_FOLDER, file)
        except NotKnown:
            return None
        return _command(cmd_name, cast("type[Command]", kind))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed, or say which one was probably meant."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.NoSuchCommand(args[0], possibilities=self.list_commands(ctx), ctx=ctx)
        return super().resolve_command(ctx, args)

    def _is_own(self, file: str) -> bool:
        if self._prefix:
            return file.startswith(self._prefix)
        return not any(_name(file).startswith(f"{name}-") for name, _ in _GROUPS)


def invoke(arguments: list[str]) -> int:
    """Run what was typed and return its exit code.

    Raises:
        click.ClickException: it is no command of ours.
        SyncdError: the command did not succeed.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        # What the terminal's encoding lacks is escaped like what it must not see.
        sys.stdout.reconfigure(errors="backslashreplace")
    root = CommandFolder("syncd", prefix="", help=_HELP)
    try:
        with root.make_context("syncd", list(arguments)) as context:
            return int(root.invoke(context))
    except click.exceptions.Exit as ended:  # --help and --version have answered
        return ended.exit_code


def _name(file: str) -> str:
    return file.replace("_", "-")


def _command(name: str, kind: type[Command]) -> click.Command:
    make = cast("Callable[..., Command]", kind)

    def call(**given: Any) -> Exit:
        return make(**given).run(_console(click.get_current_context()))

    return click.Command(
        name,
        params=[*kind.parameters, *_common_options()],
        help=cleandoc(kind.__doc__ or ""),
        callback=call,
        context_settings=_SETTINGS,
    )


def _common_options() -> list[click.Parameter]:
    """Return what every command takes, before its name or behind it."""
    return [
        click.Option(
            ["--config"],
            metavar="FILE",
            help="Config file; else $SYNCD_CONFIG, ./config.toml, /etc/syncd/config.toml.",
            expose_value=False,
            callback=_remember,
        ),
        _flag("--json", "Write data as JSON."),
        _flag("--no-color", "Write without colours, as NO_COLOR does."),
        _flag("--debug", "Show the stack of an unforeseen error."),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            hidden=True,
            expose_value=False,
            callback=_print_version,
        ),
    ]


def _flag(name: str, text: str) -> click.Option:
    return click.Option([name], is_flag=True, help=text, expose_value=False, callback=_remember)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:  # `syncd --json status` and `syncd status --json` are the same
        ctx.meta[f"{_FOLDER}.{param.name}"] = value


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"syncd {__version__}")
        ctx.exit()


def _console(ctx: click.Context) -> Console:
    def said(name: str) -> Any:
        return ctx.meta.get(f"{_FOLDER}.{name}")

    named: str | None = said("config")
    return Console(
        config_path=find_config(Path(named) if named else None, os.environ),
        environ=os.environ,
        is_json=bool(said("json")),
        has_colour=not said("no_color"),
        is_debug=bool(said("debug")),
    )
