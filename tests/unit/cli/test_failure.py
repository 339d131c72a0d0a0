from __future__ import annotations

import click
import pytest

from syncd import errors
from syncd.cli.failure import explain
from syncd.web.client import DaemonUnreachable, TokenRefused


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SyncdError("x"), 1),
        (errors.StoreUnavailable("x"), 1),
        (errors.NotKnown("x"), 2),
        (errors.StartError("x"), 1),
        (ValueError("x"), 1),
        (click.UsageError("x"), 2),
        (errors.BadInput("x"), 2),
        (DaemonUnreachable("x"), 3),
        (errors.PortTaken("x"), 3),
        (errors.ConfigError("x"), 5),
        (errors.AlreadyRunning("x", run_id=1), 6),
        (errors.SecondInstance("x"), 6),
        (TokenRefused("x"), 8),
    ],
)
def test_every_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert explain(error, []) == code


def test_error_is_one_sentence_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    explain(errors.SyncdError("cannot do \x1b[2Jthis", hint="do that"), [])

    assert capsys.readouterr() == ("", "syncd: cannot do \\x1b[2Jthis\n  hint: do that\n")


def test_config_problems_stand_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    explain(errors.ConfigError("config.toml:1: a: wrong", "config.toml:2: b: wrong"), [])

    assert capsys.readouterr().err == (
        "config.toml:1: a: wrong\nconfig.toml:2: b: wrong\n2 problems\n"
    )


def test_unforeseen_error_shows_its_stack_only_when_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    explain(KeyError("gone"), [])
    short = capsys.readouterr().err
    explain(KeyError("gone"), ["--debug"])
    long = capsys.readouterr().err

    assert short.splitlines() == [
        "syncd: this is a mistake in syncd: KeyError: 'gone'",
        "  hint: the same command with --debug shows the stack",
    ]
    assert long.startswith("KeyError")
    assert long.endswith("  hint: the stack is above\n")
