"""Numbers, durations and instants as people read them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

NONE = "-"
"""What stands where nothing is known."""

_WIDTH = 79
_TALLIED = ("created", "updated", "unchanged", "deleted", "skipped", "failed")
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def in_words(seconds: float) -> str:
    """Write a duration: `1.9 s`, `18 m 04 s`, `7 h 12 m`, `3 d 4 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    place = next(i for i, (_, size) in enumerate(_UNITS) if whole >= size)
    (large, large_size), (small, small_size) = _UNITS[place], _UNITS[min(place + 1, 3)]
    rest = whole % large_size // small_size
    return f"{whole // large_size} {large} {rest:0{2 if small == 's' else 1}} {small}"


def share_in_words(share: float | None) -> str:
    """Write a share as percent; never 100 % while something is missing."""
    if share is None:
        return NONE
    percent = share * 100
    return "100 %" if share >= 1 else f"{min(percent, 99.9):.1f} %"


def part_in_words(part: int, whole: int) -> str:
    """Write a part as percent: `18 %`, `0.4 %`; never 100 % while something is missing."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 10:
        return f"{max(percent, 0.1):.1f} %"
    return f"{percent if part >= whole else min(percent, 99):.0f} %"


def latency(seconds: float) -> str:
    """Write a duration that may be short: `4 ms`, `1.9 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else in_words(seconds)


def instant(text: str | None) -> datetime | None:
    """Read an instant of the control port; None stays None."""
    return None if text is None else datetime.fromisoformat(text)


def minute(text: str | None) -> str:
    """Write an instant of the control port to the minute, in UTC."""
    at = instant(text)
    return NONE if at is None else f"{at:%Y-%m-%d %H:%M}"


def zone_of(name: str) -> tzinfo:
    """Return a zone by its name; UTC where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def clock_time(at: datetime, zone: tzinfo, now: datetime) -> str:
    """Write an instant as short as it can be told from others: `14:00`, `Sun 14:00`, the date."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    is_near = abs(local.date() - today) < timedelta(days=7)
    return f"{local:%a %H:%M}" if is_near else f"{local:%Y-%m-%d %H:%M}"


def distance(at: datetime, now: datetime) -> str:
    """Write how far away an instant is: `in 7 h 12 m`, `3 m 20 s ago`."""
    seconds = (at - now).total_seconds()
    return f"in {in_words(seconds)}" if seconds >= 0 else f"{in_words(-seconds)} ago"


def counted(count: int, word: str, words: str = "") -> str:
    """Write a count with its word in the right number: `1 problem`, `2 problems`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {words or f'{word}s'}"


def tally(run: Mapping[str, Any]) -> str:
    """Write the counts of a run that are not zero, failures with their outcomes."""
    parts = [f"{run[name]:,} {name}" for name in _TALLIED if run.get(name)]
    failures: Mapping[str, int] = run.get("failures") or {}
    if failures:
        # Failures stand last; what is counted there is what their words explain.
        parts[-1] += f" ({listed(failures)})"
    return ", ".join(parts) or "nothing was due"


def act_in_words(options: Mapping[str, Any]) -> str:
    """Write what else than its usual work a run was asked for: `undo run 12`."""
    about = {"undo": "run", "restore": "backup"}.get(options.get("act") or "")
    words = [str(options.get("act") or ""), *([about, str(options["of"])] if about else [])]
    return " ".join(words)


def cause_in_words(run: Mapping[str, Any]) -> str:
    """Write why a run exists: `retry of 17`, `chained to 18`."""
    word = {"retry": "retry of", "chained": "chained to"}.get(run["cause"])
    return f"{word} {run['origin']}" if word and run.get("origin") else str(run["cause"])


def skip_in_words(run: Mapping[str, Any]) -> str:
    """Write why a fire time did not run, and since which one if it stands for several."""
    since = instant(run.get("fires_since"))
    words = str(run["skip_reason"] or "")
    return words if since is None else f"{words}, all fire times since {since:%Y-%m-%d %H:%M:%S}"


def listed(counts: Mapping[str, int]) -> str:
    """Write counts by word, the largest first."""
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{word} {count:,}" for word, count in ranked if count)


def progress_in_words(parts: Iterable[Mapping[str, Any]]) -> str:
    """Write how far a run is: `62 %  6,231/10,041  14 failed  eta 4 m 02 s  waits for ...`."""
    told = list(parts)
    done, total = (sum(int(part[name]) for part in told) for name in ("done", "total"))
    failed = sum(int(part["failed"]) for part in told)
    # One that waits has no forecast, and the whole is not done before it is.
    under_way = [part for part in told if part["done"] < part["total"]]
    etas = [part["eta_seconds"] for part in under_way if part.get("eta_seconds") is not None]
    words = [f"{done * 100 // total} %" if total else "", f"{done:,}/{total:,}"]
    words += [f"{failed:,} failed"] if failed else []
    words += [f"eta {in_words(max(etas))}"] if etas and len(etas) == len(under_way) else []
    words += [f"waits for {part['waits_for']}" for part in told if part.get("waits_for")]
    return "  ".join(word for word in words if word)


def wrapped(text: str, indent: str, taken: int = 0) -> list[str]:
    """Break a text into lines that fit on 80 columns, some of them taken; later ones indented."""
    return textwrap.wrap(
        text,
        _WIDTH - taken,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def difference_in_words(difference: Mapping[str, Any]) -> str:
    """Write how a job differs from config.toml: `schedule "0 * * * *" in place of "every 1h"`."""
    now = difference["now"]
    match difference["key"]:
        case "enabled":
            return "switched on" if now else "switched off"
        case "paused":
            return "paused"
        case key:
            return f'{key} "{now}" in place of "{difference["config"]}"'


def told_of(delivery: Mapping[str, Any]) -> str:
    """Say what a delivery is about: `reminder 24 h`, `moved`."""
    occasion, lead = str(delivery["occasion"]), delivery["lead_hours"]
    return f"{occasion} {lead} h" if lead else occasion
