"""From what is known about an account to sentences: how it is, what holds it back, what is next.

Pure: everything comes in as facts, so that every sentence can be tested in a table.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from syncd.model.pause import Pause, PauseScope

_HASTE = "plays may be lost"
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
_ENDED = {
    "gone": "gone since {since}: {reason}; looked at again once a week",
    "quarantined": "quarantined since {since}: {reason}; looked at again once a week",
    "opted_out": "opted out since {since}",
    "paused": "paused since {since}: {reason}",
    "reauth_required": "has to be connected again since {since}: {reason}",
}

_HOLDS = {
    "gone": "it is gone",
    "quarantined": "it is quarantined",
    "opted_out": "the user opted out",
    "paused": "it is paused",
    "reauth_required": "it has to be connected again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A job that reads the account's platform, as far as this account is concerned.

    `run_id` is its active run that has not come to the account yet, `asks_at` its first fire time
    that asks for the account, `retries_at` when it tries again what its last run left undone.
    """

    job: str
    enabled: bool = True
    pause: Pause | None = None
    run_id: int | None = None
    asks_at: datetime | None = None
    retries_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about an account and one kind of jobs that read it.

    `pauses` are those of the account and of its platform that a person asked for, `server_pause`
    the one the platform asked for, with its cause; `refusal` says that it refuses the credential
    which the account is bound to. `retry_run` is the active run that failed with the
    account and tries it again at `due_at`; `is_hasty` says that it is to be looked at then in spite
    of a good answer.
    """

    user_key: str
    platform: str
    state: str = "active"
    state_reason: str = ""
    state_since: datetime | None = None
    attempted_at: datetime | None = None
    due_at: datetime | None = None
    retry_run: int | None = None
    is_hasty: bool = False
    fail_streak: int = 0
    is_in_flight: bool = False
    is_firing: bool = True
    pauses: tuple[Pause, ...] = ()
    server_pause: tuple[datetime, str] | None = None
    refusal: str = ""
    readers: tuple[Reader, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens next: a sentence, and where it is known when and by which job."""

    text: str
    at: datetime | None = None
    job: str | None = None


def state_in_words(facts: Facts) -> str:
    """Say how the account is."""
    if facts.state == "active":
        return "followed"
    since = "an unknown time" if facts.state_since is None else _instant(facts.state_since)
    reason = facts.state_reason or "no reason on record"
    return _ENDED[facts.state].format(since=since, reason=reason)


def holds(facts: Facts, now: datetime) -> list[str]:
    """List what keeps the account from being asked for now; empty when nothing does."""
    found = [] if facts.state == "active" else [_HOLDS[facts.state]]
    found += ["a run asks for it right now"] if facts.is_in_flight else []
    found += [_pause_in_words(pause) for pause in facts.pauses]
    if facts.server_pause is not None:
        until, cause = facts.server_pause
        found.append(f"{facts.platform} asked syncd to wait until {_instant(until)} ({cause})")
    found += [facts.refusal] if facts.refusal else []
    for reader in facts.readers:
        found += [] if reader.enabled else [f"{reader.job} is off"]
    pauses = dict.fromkeys(reader.pause for reader in facts.readers if reader.pause is not None)
    found += [_pause_in_words(pause) for pause in pauses]
    rests_until = None if facts.is_hasty else facts.due_at
    if facts.state == "active" and rests_until is not None and rests_until > now:
        # Only retries rest: a run at a fire time, or of a person, asks all the same.
        others = "" if facts.retry_run is not None else "; other runs do not"
        rest = f"{_instant(rests_until)}{_rest_in_words(facts)}"
        found.append(f"retries wait until {rest}{others}")
    return found


def next_step(facts: Facts) -> Step:
    """Say what happens next with the account, in one sentence with a time where there is one."""
    if not facts.readers:
        hint = "name it in `platforms` of a job in config.toml"
        return _ended(facts) or Step(text=f"nothing: no job reads {facts.platform}; {hint}")
    return _ended(facts) or _under_way(facts) or _held(facts) or _planned(facts) or _by_hand(facts)


def _ended(facts: Facts) -> Step | None:
    """Return the step of an account that no run asks for."""
    key = shlex.quote(facts.user_key)
    match facts.state:
        case "opted_out":
            return Step(text=f"nothing: opted out; `syncd users opt-out {key} --undo`")
        case "reauth_required":
            return Step(text=f"nothing until the user connects {facts.platform} again")
        case "paused":
            return Step(text="nothing while the account is paused")
        case _:
            return None


def _under_way(facts: Facts) -> Step | None:
    """Return the step where a run is about to ask, or asks."""
    if facts.is_in_flight:
        return Step(text="its answer is stored when the request under way comes back")
    if facts.retry_run is not None and facts.due_at is not None:
        text = f"run {facts.retry_run} tries it again at {_instant(facts.due_at)}"
        return Step(text=text, at=facts.due_at)
    return None


def _held(facts: Facts) -> Step | None:
    """Return the step where a pause without an end is in the way of every job."""
    for pause in facts.pauses:
        if pause.until is None:
            if pause.scope is PauseScope.PLATFORM:
                resume = f"until `syncd resume --platform {shlex.quote(pause.key)}`"
                return Step(text=f"nothing {resume}")
            return Step(text="nothing while the account is paused")
    return None


def _planned(facts: Facts) -> Step | None:
    """Return what comes first: a run under way, a retry, a fire time."""
    for reader in facts.readers:
        if reader.run_id is not None and (reader.pause is None or reader.pause.until is not None):
            text = f"asked by run {reader.run_id} of {reader.job}, which has not come to it yet"
            return Step(text=text + _not_before(facts, None), job=reader.job)
    plans = [plan for reader in facts.readers for plan in _plans(facts, reader)]
    if not plans:
        return None
    at, job, is_retry = min(plans)
    when = _instant(at)
    if is_retry and facts.is_hasty:
        text = f"asked again at {when} at the earliest by {job}, sooner than others: {_HASTE}"
    elif is_retry:
        word = "retried" if facts.fail_streak else "asked"
        text = f"{word} at {when} at the earliest by {job}{_rest_in_words(facts)}"
    elif facts.state != "active":
        text = f"looked at again with the run at {when} by {job}"
    elif facts.attempted_at is None:
        text = f"asked for the first time with the run at {when} by {job}"
    else:
        word = "tried" if facts.fail_streak else "asked"
        text = f"{word} again with the run at {when} by {job}"
    return Step(text=text + _not_before(facts, at), at=at, job=job)


def _plans(facts: Facts, reader: Reader) -> Iterator[tuple[datetime, str, bool]]:
    """Yield when a job asks for the account by itself, and whether that is a retry."""
    pause = reader.pause
    if not reader.enabled or (pause is not None and pause.until is None):
        return
    if reader.asks_at is not None:
        yield reader.asks_at, reader.job, False
    if reader.retries_at is not None and facts.state == "active":
        ends = [facts.due_at, None if pause is None else pause.until]
        yield max([reader.retries_at, *(end for end in ends if end)]), reader.job, True


def _not_before(facts: Facts, at: datetime | None) -> str:
    """Say what the platform or a person still asks to wait for behind `at`."""
    ends = [(pause.until, _scope_in_words(pause)) for pause in facts.pauses]
    if facts.server_pause is not None:
        ends.append((facts.server_pause[0], facts.platform))
    known = [(end, what) for end, what in ends if end is not None and (at is None or end > at)]
    if not known:
        return ""
    end, what = max(known)
    return f", but not before {_instant(end)}: {what} is paused"


def _by_hand(facts: Facts) -> Step:
    """Say why nothing happens by itself, and what would make it happen."""
    enabled = [reader for reader in facts.readers if reader.enabled]
    if not enabled:
        jobs = ", ".join(reader.job for reader in facts.readers)
        order = f"`syncd enable {shlex.quote(facts.readers[0].job)}`"
        return Step(text=f"nothing: switched off: {jobs}; {order}")
    for reader in enabled:
        if reader.pause is not None and reader.pause.until is None:
            is_all = reader.pause.scope is PauseScope.ALL
            what = "--all" if is_all else shlex.quote(reader.job)
            return Step(text=f"nothing until `syncd resume {what}`", job=reader.job)
    job = enabled[0].job
    why = f"{job} runs only when triggered" if facts.is_firing else "[daemon] schedule = false"
    order = f"`syncd trigger {shlex.quote(job)} --only {shlex.quote(facts.user_key)}`"
    return Step(text=f"nothing by itself: {why}; {order}", job=job)


def _pause_in_words(pause: Pause) -> str:
    end = "until resumed" if pause.until is None else f"until {_instant(pause.until)}"
    by = f" by {pause.actor}" if pause.actor else ""
    why = f": {pause.why}" if pause.why else ""
    return f"{_scope_in_words(pause)} is paused {end}{by}{why}"


def _scope_in_words(pause: Pause) -> str:
    return "everything" if pause.scope is PauseScope.ALL else pause.key


def _rest_in_words(facts: Facts) -> str:
    """Say how long the account rests after so many failures; empty where it does not."""
    if not facts.fail_streak or facts.due_at is None or facts.attempted_at is None:
        return ""
    if facts.retry_run is not None:
        return ""
    rest = facts.due_at - facts.attempted_at
    return f" ({_ordinal(facts.fail_streak)} failure in a row rests {_duration(rest)})"


def _ordinal(number: int) -> str:
    is_teen = number % 100 in {11, 12, 13}
    return f"{number}{'th' if is_teen else _ORDINALS.get(number % 10, 'th')}"


def _duration(rest: timedelta) -> str:
    minutes = round(rest.total_seconds() / 60)
    hours, left = divmod(minutes, 60)
    return f"{minutes} min" if not hours else f"{hours} h" + (f" {left} min" if left else "")


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
