"""What a run came to besides its counts, where the boards and their table were compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.cli.console import Console
from syncd.cli.words import counted, in_words, latency, part_in_words
from syncd.web.client import Json

Told = Mapping[str, Any]
"""A `Reconciliation` of model/leaderboard.py, as the control port has it."""

_SHORT_ID = 8
_BOARDS = ("BOARD", "REDIS USERS", "SUM", "POSTGRES USERS", "SUM")


def show_reconciliation(console: Console, run: Json) -> None:
    """Show it below the line that sums up a run; nothing where nothing was compared."""
    rows = list(reconciliation_rows(run))
    if rows:
        console.show_table(rows)
    show_boards(console, run)


def show_boards(console: Console, run: Json) -> None:
    """Show both sides of every board after the run, as a table."""
    boards = ((run.get("reconciliation") or {}).get("drift") or {}).get("boards") or {}
    if boards:
        console.show("")
        console.show_table([_BOARDS, *(_board(name, board) for name, board in boards.items())])


def reconciliation_rows(run: Json) -> Iterator[tuple[str, str]]:
    """Yield what is known besides the counts, each with its name."""
    told: Told | None = run.get("reconciliation")
    if not told:
        return
    yield "compared", compared(told)
    if told["source"]:
        yield "source", source(told)
    yield from _held_back(told)
    yield from _troubles(told)
    if told["backup"]:
        yield "backup", f"{told['backup']}: `syncd restore {told['backup']}` puts it back"
    if told["drift"] and told["mode"] == "full":  # else it is about those only who were read
        yield "drift", drift(told["drift"])
    if told["seconds"]:
        phases = [f"{phase} {latency(seconds)}" for phase, seconds in told["seconds"].items()]
        yield "phases", ", ".join(phases)
    yield from (("note", note) for note in told["notes"])


def compared(told: Told) -> str:
    """Write what was compared with what: `1,180 rows with 968 users; full, complete`."""
    is_whole = told["mode"] == "full"
    words = [told["mode"]]
    words += ["complete" if told["is_complete"] else "incomplete, nothing deleted"] * is_whole
    words += ["dry run"] * bool(told["is_dry"])
    sides = f"{counted(told['base'], 'row')} with {counted(told['users'], 'user')}"
    return f"{sides}; {', '.join(words)}"


def source(told: Told) -> str:
    """Write what Redis told of itself: `redis 8f1c2d3e, up 3 d 4 h, 968 members (daily 968)`."""
    facts = told["source"]
    boards = {name: int(board["members"]) for name, board in facts["boards"].items()}
    words = [f"redis {facts['server_id'][:_SHORT_ID]}", f"up {in_words(facts['uptime_seconds'])}"]
    words += ["a replica"] * bool(facts["is_replica"])
    words += ["its master does not answer"] * bool(facts["is_stale"])
    words += ["may evict keys"] * bool(facts["evicts"])
    listed = ", ".join(f"{name} {members:,}" for name, members in boards.items())
    return ", ".join([*words, f"{counted(sum(boards.values()), 'member')} ({listed})"])


def missing(told: Told) -> str:
    """Write the missing rows with what the guard allows: `212 missing (18 % of 1,180; guard 20)`.

    Rows that are kept or protected are among them.
    """
    count, base = told["missing"], told["base"]
    return (
        f"{count:,} missing ({part_in_words(count, base)} of {base:,}; guard {told['allowance']:,})"
    )


def drift(told: Told) -> str:
    """Write how far the table is from the boards, what waits told apart."""
    waits = [
        f"{name} {told[name]:,}"
        for name in ("held", "waiting", "kept", "protected")
        if told.get(name)
    ]
    rows = f"{counted(told['rows'], 'row')} differ" if told["rows"] else "none"
    users = f"{told['redis_users']:,} in Redis, {told['postgres_users']:,} in PostgreSQL"
    besides = f"; besides {', '.join(waits)}" if waits else ""
    return f"{rows} ({users}){besides}"


def _held_back(told: Told) -> Iterator[tuple[str, str]]:
    if told["verdict"]["reasons"] or told["held"]:
        yield "held", missing(told) if told["missing"] else counted(told["held"], "row")
        yield from (("", reason) for reason in told["verdict"]["reasons"])
    if told["plan"]:
        plan = told["plan"]
        yield "plan", f"{plan}: `syncd plans {plan}` shows it, `approve` or `reject` decides"
    if told["waiting"]:
        yield "waiting", f"{told['waiting']:,} until they were missing long enough"


def _troubles(told: Told) -> Iterator[tuple[str, str]]:
    if told["conflicts"]:
        yield "conflicts", f"{told['conflicts']:,} changed in PostgreSQL meanwhile and were left"
    if told["errors"]:
        letters = f"`syncd dead-letters list --job {told['job']}`"
        yield "errors", f"{counted(told['errors'], 'user')} set aside: {letters}"
    if told["unreadable_details"]:
        yield "details", f"{told['unreadable_details']:,} could not be read: the run's time stands"
    if told["inexact"]:
        yield "inexact", f"{told['inexact']:,} scores are larger than a double tells apart"


def _board(name: str, told: Told) -> tuple[str, ...]:
    return (
        name,
        f"{told['redis_users']:,}",
        f"{told['redis_sum']:,.10g}",
        f"{told['postgres_users']:,}",
        f"{told['postgres_sum']:,.10g}",
    )
