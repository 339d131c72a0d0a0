from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from syncd.daemon.listening import grant_notes, listener_answer

NOW = datetime(2026, 11, 22, 18, tzinfo=UTC)
ENDS = datetime(2026, 12, 2, 18, tzinfo=UTC)


def job(state: str = "ok", **counts: int) -> dict[str, Any]:
    none = {"ok": 0, "suspect": 0, "reauth_required": 0, "ungranted": 0, "expiring": 0}
    told = {**none, **counts, "first_expires_at": ENDS}
    return {"name": "listening", "state": state, "listening": {"grants": {"spotify": told}}}


def test_a_person_is_told_who_has_to_connect_again_and_whose_consent_ends_soon() -> None:
    notes = grant_notes([job(reauth_required=3, ungranted=1, expiring=2)])

    assert notes == [
        {
            "what": "spotify: 3 users have to connect it again",
            "hint": "syncd tokens list --state reauth_required",
        },
        {
            "what": "spotify: 1 user is linked without a grant",
            "hint": "syncd tokens import FILE",
        },
        {
            "what": "spotify: 2 consents end within 30 days, the first on 2026-12-02",
            "hint": "syncd tokens list --state expiring",
        },
    ]


def test_a_platform_that_two_jobs_read_is_told_once() -> None:
    assert len(grant_notes([job(expiring=1), job(expiring=1)])) == 1


def test_nothing_is_told_of_good_grants_nor_by_a_job_that_is_off() -> None:
    assert grant_notes([job(ok=100), job(state="off", expiring=3)]) == []
    assert grant_notes([{"name": "other", "state": "ok", "listening": None}]) == []


def test_an_account_without_a_grant_says_so_and_keeps_its_plays() -> None:
    names = (
        *("health", "health_reason", "scopes", "granted_at", "refresh_expires_at"),
        *("access_expires_at", "refreshed_at", "suspect_since"),
    )
    counts = {"platform": "spotify", "stored": 12, "newest_at": NOW}
    gap = {"platform": "radio", "after": NOW, "before": NOW, "run_id": 3, "found_at": NOW}

    assert listener_answer({**dict.fromkeys(names), **counts}, [gap], NOW) == {
        "grant": None,
        "plays": {"stored": 12, "newest_at": NOW},
        "gaps": [],
    }
