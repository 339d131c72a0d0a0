"""`syncd why`: every attempt, cause and next step for one user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.listening import listener_rows
from syncd.cli.reach import connect
from syncd.cli.words import NONE, distance, in_words, instant, told_of, wrapped
from syncd.web.client import Json, api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Why(Command):
    """Tell why a user is as they are.

    How each account is, every attempt on record, what holds it back and what happens next; times
    are UTC.
    """

    parameters = (
        click.Argument(["key"], metavar="USER"),
        click.Option(["--attempts"], type=click.IntRange(1, 500), default=10, show_default=True),
    )
    key: str
    attempts: int

    def run(self, console: Console) -> Exit:
        """Ask the daemon."""
        path = api_path("users", self.key, "why")
        answer = connect(console).get(path, {"attempts": self.attempts})
        if console.is_json:
            console.show_json(answer)
            return Exit.OK
        words = ["mirrored by [users] query"] if answer["mirrored"] else []
        words += ["opted out"] if answer["opted_out"] else []
        console.show("  ".join([f"user {answer['key']}", *words]))
        if answer["score"]["total"] is not None or any(
            each["score"] for each in answer["accounts"]
        ):
            console.show(*wrapped(f"score  {_score_in_words(answer['score'])}", " " * 7))
        now = instant(answer["at"])
        assert now is not None  # the contract of the control port
        for account in answer["accounts"]:
            _show(console, account, now)
        if not answer["accounts"]:
            console.show("no account is linked: nothing is asked about this user")
        _show_told(console, answer)
        return Exit.OK


def _show_told(console: Console, answer: Json) -> None:
    """Show where the user is told of contests, what is wrong with that, and the last messages."""
    notify = answer.get("notify")
    if notify is None:
        return
    leads = ", ".join(f"{lead} h" for lead in notify["leads"])
    of = ", ".join(notify["platforms"]) or "all platforms"
    over = ", ".join(notify["channels"]) or "no channel"
    console.show("", *wrapped(f"told  over {over}, {leads} before contests of {of}", " " * 6))
    console.show(*(f"      {words}" for words in answer["silent"]))
    if answer["notifications"]:
        header = ("AT", "ID", "CHANNEL", "WHAT", "STATE", "CONTEST", "ERROR")
        console.show_table([header, *map(_message, answer["notifications"])])


def _message(told: Json) -> tuple[str, ...]:
    return (
        _instant(told["updated_at"]),
        str(told["id"]),
        told["channel"],
        told_of(told),
        told["state"],
        told["contest_name"][:60],
        told["error"] or NONE,
    )


def _show(console: Console, account: Json, now: datetime) -> None:
    console.show("")
    console.show_table(list(_in_lines(list(_facts(account, now)))))
    if account["attempts"]:
        header = ("AT", "RUN", "JOB", "CAUSE", "OUTCOME", "ERROR")
        console.show_table([header, *map(_attempt, account["attempts"])])


def _in_lines(facts: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Break what is long into lines that fit; the label stands beside the first.

    What names a command stays whole: somebody will copy it.
    """
    taken = max(len(label) for label, _ in facts) + 2
    for label, text in facts:
        first, *rest = [text] if "`" in text else wrapped(text, "  ", taken)
        yield label, first
        yield from (("", line) for line in rest)


def _facts(account: Json, now: datetime) -> Iterator[tuple[str, str]]:
    yield account["platform"], _link_in_words(account)
    yield "state", account["state_in_words"]
    yield "fresh", _freshness_in_words(account)
    yield from listener_rows(account.get("listening"), now)
    for line in account["score"]["arithmetic"] if account["score"] else ():
        yield "score", line
    if account["dead_letter"]:
        yield "dead letter", account["dead_letter"]["text"]
    if account["fail_streak"]:
        yield "failures", f"{account['fail_streak']} in a row"
    for held in account["holds"] or ["nothing holds it back"]:
        yield "now", held
    at = instant(account["next"]["at"])
    yield "next", account["next"]["text"] + (f" ({distance(at, now)})" if at else "")


def _score_in_words(score: Json) -> str:
    words = str(score["arithmetic"])
    if score["total"] is None:
        return words
    return f"{words}, formula {score['formula_version']} of {_instant(score['computed_at'])}"


def _link_in_words(account: Json) -> str:
    words = [account["handle"]]
    if account["linked_as"] != account["handle"]:
        words.append(f"linked as {account['linked_as']}")
    if account["external_id"]:
        words.append(f"id {account['external_id']}")
    words.append(f"since {_instant(account['linked_at'])}")
    return ", ".join(words)


def _freshness_in_words(account: Json) -> str:
    bound = account["bound_seconds"]
    promise = "" if bound is None else f", {'older' if account['is_stale'] else 'younger'} than "
    promise += "" if bound is None else f"the {in_words(bound)} promised"
    if account["fresh_at"] is None:
        return "never had a good answer" + (promise if account["is_stale"] else "")
    run = "" if account["fresh_run"] is None else f" by run {account['fresh_run']}"
    since = f"{_instant(account['fresh_at'])}{run}, {in_words(account['age_seconds'])} old"
    return since + (promise if account["state"] == "active" else "")


def _attempt(attempt: Json) -> tuple[str, ...]:
    return (
        _instant(attempt["at"]),
        NONE if attempt["run_id"] is None else str(attempt["run_id"]),
        attempt["job"] or NONE,
        attempt["cause"] or NONE,
        attempt["outcome"],
        attempt["error"] or NONE,
    )


def _instant(text: str | None) -> str:
    at = instant(text)
    return NONE if at is None else f"{at:%Y-%m-%d %H:%M}"
