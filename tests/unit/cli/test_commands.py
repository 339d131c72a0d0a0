from __future__ import annotations

import json

import click
import pytest

from syncd import __version__
from syncd.cli import main
from syncd.cli.commands import CommandFolder

COMMANDS = [
    "alerts",
    "approve",
    "backups",
    "cancel",
    "check",
    "config",
    "dead-letters",
    "disable",
    "enable",
    "logs",
    "migrate",
    "next",
    "outbox",
    "pause",
    "plan",
    "plans",
    "rehydrate",
    "reject",
    "reload",
    "reschedule",
    "restore",
    "resume",
    "run",
    "runs",
    "show",
    "status",
    "trigger",
    "undo",
    "users",
    "version",
]


def names(folder: CommandFolder) -> list[str]:
    return folder.list_commands(click.Context(folder))


def test_every_file_is_a_command_under_its_own_name() -> None:
    root = CommandFolder("syncd", prefix="", help="")
    users = root.get_command(click.Context(root), "users")
    letters = root.get_command(click.Context(root), "dead-letters")

    assert set(COMMANDS) <= set(names(root))
    assert isinstance(users, CommandFolder)
    assert isinstance(letters, CommandFolder)
    assert names(users) == ["disconnect", "export", "forget", "import", "list", "opt-out"]
    assert names(letters) == ["discard", "list", "requeue"]
    assert not [name for name in names(root) if name.startswith(("users-", "dead-letters-"))]


@pytest.mark.parametrize(
    "typed",
    [
        "console",
        "base",
        "users-import",
        "users_import",
        "dead_letters",
        "letters",
        "deliveries",
        "held",
        ".",
    ],
)
def test_what_is_no_command_cannot_be_called(
    typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([typed]) == 2
    assert capsys.readouterr().err.startswith(f"syncd: no such command '{typed}'")


def test_misspelt_command_is_answered_with_the_one_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["statsu"])

    assert code == 2
    assert "'status'" in capsys.readouterr().err


@pytest.mark.parametrize("typed", [["--json", "version"], ["version", "--json"]])
def test_common_options_stand_before_or_behind_the_command(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(typed)

    assert code == 0
    assert json.loads(capsys.readouterr().out)["version"] == __version__


def test_nothing_typed_shows_the_help_as_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    code = main([])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "Commands:" in err


@pytest.mark.parametrize("name", [*COMMANDS, "users import", "config show"])
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([*name.split(), "--help"])

    assert code == 0
    assert f"Usage: syncd {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "typed",
    [
        "show x",
        "show 0",
        "runs --limit 0",
        "pause",
        "pause a --all",
        "trigger",
        "run --nope",
        "undo x",
    ],
)
def test_wrong_usage_ends_with_2_and_the_way_to_the_help(
    typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(typed.split())

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("syncd: ")
    assert err.endswith(f"  hint: syncd {typed.split(maxsplit=1)[0]} --help\n")
