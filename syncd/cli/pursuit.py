"""Following a run to its end in front of whoever asked for it."""

from __future__ import annotations

from syncd.cli.base import Exit
from syncd.cli.console import Console
from syncd.web.client import ControlClient, Json

_EXITS = (
    ("succeeded", Exit.OK),
    ("skipped", Exit.OK),
    ("partial", Exit.PROBLEMS),
    ("held", Exit.HELD),
)


def pursue(console: Console, client: ControlClient, run: Json) -> Json:
    """Show the progress of a run and return it once it has ended.

    Raises:
        KeyboardInterrupt: nobody looks any more; the run goes on.
        DaemonUnreachable: the daemon went away and did not come back.
    """
    from syncd.cli.follow import follow_run  # noqa: PLC0415 - only when following
    from syncd.cli.progress import ProgressView  # noqa: PLC0415 - the same

    console.say(f"run {run['id']} of {run['job']} started")
    try:
        with ProgressView(console) as view:
            return follow_run(client, run["id"], view.update)
    except KeyboardInterrupt:
        console.say(f"run {run['id']} goes on", f"  hint: syncd cancel {run['id']} stops it")
        raise


def finish(console: Console, run: Json) -> Exit:
    """Show what came of a run that has ended, and return what that means to a script."""
    if console.is_json:
        console.show_json(run)
    else:
        show_end(console, run)
    return exit_of(run)


def show_end(console: Console, run: Json) -> None:
    """Show what came of a run, what was compared with it, and what to do."""
    from syncd.cli.progress import summary  # noqa: PLC0415 - only where a run was waited for
    from syncd.cli.reconciliation import show_reconciliation  # noqa: PLC0415 - the same

    console.show(summary(run))
    show_reconciliation(console, run)
    if run["hint"]:
        console.say(f"  hint: {run['hint']}")


def exit_of(run: Json) -> Exit:
    """Return what the end of a run means to a script."""
    return dict(_EXITS).get(run["outcome"], Exit.FAILED)
