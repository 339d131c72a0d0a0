"""The control port's questions about freshness: what is oldest, and why a user is as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from syncd.daemon.answers import Json
from syncd.daemon.arithmetic import part_answer, score_answer
from syncd.daemon.core import Core
from syncd.daemon.facts import FactFinder, Row, find_facts, reading_of
from syncd.daemon.letters import letter_in_words
from syncd.daemon.listening import KIND, listener_answer, needs_grants
from syncd.daemon.outbox import silent_in_words, told_answer
from syncd.daemon.why import Step, holds, next_step, state_in_words
from syncd.model.notification import DeliveryState
from syncd.model.outbox import Wanted
from syncd.store.grant_report import GrantReport
from syncd.store.outbox import OutboxStore

# Rows that are put into words before others get their turn.
_AT_ONCE = 50
_GAPS_SHOWN = 5
_TOLD_SHOWN = 5


class Inquiry:
    """Answers `stale` and `why`; changes nothing."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def stale(self, platform: str, limit: int) -> Json:
        """Return the accounts without a good answer for longest, and how many are overdue.

        Raises:
            NotKnown: there is no such platform.
        """
        if platform:
            self._core.check_platform(platform)
        finder = await find_facts(self._core)
        readings = [each for each in finder.readings() if platform in {"", each[1]}]
        bounds = {each: finder.bound(each) for each in readings}
        since = {
            each: None if bound is None else finder.now - bound for each, bound in bounds.items()
        }
        rows = await self._core.freshness.stalest(readings, limit)
        overdue = await self._core.freshness.count_stale(since)
        accounts: list[Json] = []
        for start in range(0, len(rows), _AT_ONCE):
            accounts += _stale_answers(finder, rows[start : start + _AT_ONCE])
            await asyncio.sleep(0)
        return {"at": finder.now, "stale": overdue, "accounts": accounts}

    async def why(self, user: Json, attempts: int) -> Json:
        """Return everything that is known about a user's accounts, and what happens next."""
        finder = await find_facts(self._core)
        rows = await self._core.freshness.accounts_of(user["key"], finder.readings())
        accounts = [row["id"] for row in rows]
        recorded = await self._core.freshness.attempts(accounts, attempts)
        letters = await self._core.letters.of_accounts(accounts)
        scores = self._core.around.stores.scores
        score = await scores.read(user["key"])
        listeners = await self._listeners(user["key"], rows, finder.now)
        return {
            "key": user["key"],
            "opted_out": user["opted_out"],
            "mirrored": user["mirrored"],
            "at": finder.now,
            "score": score_answer(score),
            "notify": user["notify"],
            "silent": list(silent_in_words(user["addresses"])),
            "notifications": told_answer(await self._told(user["key"])),
            "accounts": [
                {
                    **_account_answer(finder, row),
                    "score": part_answer(score, row, counts=scores.counts(row["platform"])),
                    "dead_letter": _letter_answer(letters.get((row["id"], row["kind"]))),
                    "attempts": _attempts_answer(row, recorded)[:attempts],
                    KIND: listeners.get(row["id"]),
                }
                for row in rows
            ],
        }

    async def _told(self, key: str) -> list[Json]:
        wanted = Wanted(states=tuple(DeliveryState), user_key=key)
        return await OutboxStore(self._core.database).read_page(wanted, None, _TOLD_SHOWN)

    async def _listeners(self, key: str, rows: Sequence[Row], now: datetime) -> dict[int, Json]:
        """Return what is known of grants and plays, by the accounts that are read by a grant."""
        platforms, stores = self._core.around.platforms, self._core.around.stores
        accounts = [row["id"] for row in rows if needs_grants(platforms, row["platform"])]
        if not accounts:
            return {}
        found = await GrantReport(self._core.database).of_accounts(accounts)
        gaps = await stores.listening.gaps(key, _GAPS_SHOWN)
        return {number: listener_answer(each, gaps, now) for number, each in found.items()}


def _stale_answers(finder: FactFinder, rows: Sequence[Row]) -> Iterator[Json]:
    for row in rows:
        yield {
            "user_key": row["user_key"],
            "platform": row["platform"],
            "handle": row["handle"],
            "state": row["state"],
            **_freshness_answer(row, finder.bound(reading_of(row)), finder.now),
            "outcome": row["outcome"],
            "error": row["error"],
            "next": _step_answer(next_step(finder.facts(row))),
        }


def _account_answer(finder: FactFinder, row: Row) -> Json:
    facts = finder.facts(row)
    return {
        "platform": row["platform"],
        "handle": row["handle"],
        "linked_as": row["linked_as"],
        "external_id": row["external_id"],
        "state": row["state"],
        "state_in_words": state_in_words(facts),
        "jobs": [reader.job for reader in facts.readers],
        **_freshness_answer(row, finder.bound(reading_of(row)), finder.now),
        "fresh_run": row["fresh_run"],
        "holds": holds(facts, finder.now),
        "next": _step_answer(next_step(facts)),
    }


def _freshness_answer(row: Row, bound: timedelta | None, now: datetime) -> Json:
    fresh_at: datetime | None = row["succeeded_at"]
    age = now - (fresh_at or row["linked_at"])
    return {
        "kind": row["kind"],
        "linked_at": row["linked_at"],
        "fresh_at": fresh_at,
        "age_seconds": None if fresh_at is None else age.total_seconds(),
        "bound_seconds": None if bound is None else bound.total_seconds(),
        "is_stale": row["state"] == "active" and bound is not None and age > bound,
        "attempted_at": row["attempted_at"],
        "fail_streak": row["fail_streak"],
    }


def _letter_answer(letter: Row | None) -> Json | None:
    if letter is None:
        return None
    names = ("id", "state", "attempts", "first_at", "changed_at", "actor")
    return {**{name: letter[name] for name in names}, "text": letter_in_words(letter)}


def _step_answer(step: Step) -> Json:
    return {"text": step.text, "at": step.at, "job": step.job}


def _attempts_answer(row: Row, recorded: Sequence[Row]) -> list[Json]:
    """List an account's attempts, newest first: the recorded ones, and how it stands now.

    An answer that changed nothing is recorded nowhere but there.
    """
    names = ("run_id", "job", "cause", "outcome", "error", "at")
    found = [
        {name: item[name] for name in names}
        for item in recorded
        if (item["account_id"], item["kind"]) == (row["id"], row["kind"])
    ]
    newest = found[0]["at"] if found else None
    if row["retry_run"] is not None:
        found.insert(0, _current(row, at=None, run_id=row["retry_run"]))
    elif row["outcome"] and row["attempted_at"] != newest:
        found.insert(0, _current(row, at=row["attempted_at"], run_id=None))
    return found


def _current(row: Row, *, at: datetime | None, run_id: int | None) -> Json:
    """Describe the attempt that sync_state knows of; a good one with the run that had it."""
    is_good = at is not None and at == row["succeeded_at"]
    return {
        "run_id": row["fresh_run"] if is_good else run_id,
        "job": row["fresh_job"] if is_good else None,
        "cause": row["fresh_cause"] if is_good else None,
        "outcome": row["outcome"],
        "error": row["error"],
        "at": at,
    }
