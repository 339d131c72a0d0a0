"""What `syncd demo` came to: tables that fit on 80 columns, and the same as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from syncd.cli.words import counted, in_words, listed, wrapped
from syncd.model.run import Report

if TYPE_CHECKING:
    from syncd.config.duration import Rate
    from syncd.daemon.comparison import Pass, Share
    from syncd.daemon.demo import DemoReport
    from syncd.daemon.findings import Listened, Scores
    from syncd.daemon.reminding import Reminded, Turned
    from syncd.daemon.stage import Stage

_COUNTS = ("seen", "created", "updated", "unchanged", "failed", "calls")
_HEADING = ("users", "created", "updated", "unchanged", "failed", "requests", "refused")
_HIGHEST = 5


def beginning(stage: Stage) -> Iterator[str]:
    """Yield what is about to be played, with all limits."""
    others = len(stage.limits) - 2
    yield from wrapped(
        f"{stage.plan.users:,} made-up users of a stand-in for GitHub, {stage.coders:,} of them"
        f" also of {others} coding platforms and of Spotify",
        "  ",
    )
    limits = [
        f"{name} {' and '.join(map(rate_in_words, rates))}" for name, rates in stage.limits.items()
    ]
    yield from wrapped(f"limits scaled x{stage.scale}: {', '.join(limits)}", "  ")


def rate_in_words(rate: Rate) -> str:
    """Write a rate with its thousands apart."""
    count, _, period = str(rate).partition("/")
    return f"{int(count):,}/{period}"


def summary(report: DemoReport) -> Iterator[str]:
    """Yield the lines of the summary."""
    for played in report.passes:
        yield from _pass_table(played)
        yield ""
    yield from _score_lines(report.scores)
    yield ""
    yield from _listening_lines(report.listened)
    yield ""
    yield from _contest_lines(report.reminded)
    yield ""
    requests = sum(played.requests for played in report.passes) + report.reminded.requests
    refused = sum(played.refused for played in report.passes)
    yield f"The stand-ins counted {requests:,} requests; limits provoked: {refused or 'none'}."
    if not report.mismatches:
        yield "Both sides' numbers add up."
    yield f"Logs: {report.stage.log_dir}"


def _pass_table(played: Pass) -> Iterator[str]:
    """Yield a row for each platform and one for all, and below why accounts failed."""
    rows: list[tuple[str, ...]] = [(played.name, *_HEADING)]
    rows += [
        (share.platform, *_counts(share.report), f"{share.seen.refused:,}")
        for share in played.shares
    ]
    rows.append(("all", *_counts(played.report), f"{played.refused:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for label, *cells in rows:
        shown = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        yield "  ".join([label.ljust(widths[0]), *shown])
    for word in sorted(played.report.failures):
        by_platform = {each.platform: each.report.failures.get(word, 0) for each in played.shares}
        yield from wrapped(f"{word}: {listed(by_platform)}", "  ")
    yield from wrapped(" ".join(_remarks(played)), "  ")


def _counts(report: Report) -> tuple[str, ...]:
    return tuple(f"{getattr(report, name):,}" for name in _COUNTS)


def _remarks(played: Pass) -> Iterator[str]:
    yield f"It took {in_words(played.duration_seconds)}."
    for share in played.shares:
        report, seen = share.report, share.seen
        if seen.sweeps:
            yield f"{share.platform}: {counted(seen.sweeps, 'sweep')} (about many users each)."
        elif report.calls < report.seen:
            yield f"{share.platform}: {report.seen:,} users in {counted(report.calls, 'request')}."
        if report.saved:
            yield f"{share.platform}: {counted(report.saved, 'answer')} (304) cost no quota."


def _score_lines(scores: Scores) -> Iterator[str]:
    """Yield the highest totals, and one user's score as it can be done again by hand."""
    ranked = [f"{key} {points:,.1f}" for key, points in islice(scores.totals.items(), _HIGHEST)]
    many = f"{counted(len(scores.totals), 'user')} with a score, {scores.unrated:,} unrated"
    yield from wrapped(f"{many}; the highest: {', '.join(ranked)}", "  ")
    yield from wrapped(f"{scores.example['key']}: {scores.example['score']['arithmetic']}", "  ")
    for account in scores.example["accounts"]:
        lines = account["score"]["arithmetic"] if account["score"] else ()
        for place, line in enumerate(lines):
            label = account["platform"] if place == 0 else ""
            yield from wrapped(f"  {label.ljust(13)}  {line}", " " * 19)


def _listening_lines(listened: Listened) -> Iterator[str]:
    """Yield what came of those who listen."""
    yield from wrapped(
        f"spotify: {counted(listened.plays, 'play')} of {counted(listened.users, 'user')}, each"
        f" once; {counted(listened.gaps, 'gap')} (more plays between two runs than can be had)",
        "  ",
    )
    for key, why in listened.lost.items():
        yield from wrapped(f"{key} must connect again: {why}", "  ")


def _contest_lines(reminded: Reminded) -> Iterator[str]:
    """Yield what became of contests and who was told, and one mail as its reader saw it."""
    coming = counted(sum(reminded.coming.values()), "contest")
    yield f"{coming} to come on {counted(len(reminded.coming), 'platform')}"
    for turn in reminded.turns:
        yield from wrapped(f"  {turn.occasion}: {turn.contest}, {_times(turn)}", "    ")
    if reminded.renewed:
        yield f"  {counted(reminded.renewed, 'reminder')} of its new start"
    sent = f"{sum(reminded.sent.values()):,} sent to {counted(reminded.users, 'user')}"
    received = f"{sum(reminded.received.values()):,} received by the stand-ins"
    twice = f"{reminded.repeated:,} twice" if reminded.repeated else "none twice"
    told = f"{sent} ({listed(reminded.sent)}), {received} ({listed(reminded.received)}), {twice}"
    yield from wrapped(f"messages: {told}", "  ")
    if reminded.example:
        yield "one of the mails:"
    for line in reminded.example.splitlines():
        yield from wrapped(f"  | {line}", "  | ") or ["  |"]


def _times(turn: Turned) -> str:
    """Write from when to when it moved, or when it would have been."""
    at = f"{turn.starts_at:%a %d %b %H:%M} UTC"
    before = turn.previous_starts_at
    return f"was to start {at}" if before is None else f"from {before:%a %d %b %H:%M} to {at}"


def answer(report: DemoReport) -> dict[str, Any]:
    """Return the summary as JSON."""
    stage, scores = report.stage, report.scores
    told: dict[str, Any] = {
        "users": stage.plan.users,
        "coders": stage.coders,
        "seed": stage.plan.seed,
        "scale": stage.scale,
        "limits": {name: list(map(str, rates)) for name, rates in stage.limits.items()},
        "passes": [_pass_answer(played) for played in report.passes],
        "scores": {"totals": scores.totals, "unrated": scores.unrated, "example": scores.example},
        "listening": dataclasses.asdict(report.listened),
        "contests": dataclasses.asdict(report.reminded),
        "refused": sum(played.refused for played in report.passes),
        "most_in_a_minute": report.most_in_a_minute,
        "mismatches": report.mismatches,
        "log_dir": stage.log_dir,
    }
    if report.address:
        config = stage.config
        served = {"listen": report.address, "token_file": config.web.token_file}
        told |= served | {"config": config.path}
    return told


def _pass_answer(played: Pass) -> dict[str, Any]:
    return {
        "name": played.name,
        "runs": [{"run": run.id, "job": run.job, "outcome": run.outcome} for run in played.runs],
        "duration_seconds": played.duration_seconds,
        **_report_answer(played.report),
        "platforms": {share.platform: _share_answer(share) for share in played.shares},
    }


def _share_answer(share: Share) -> dict[str, Any]:
    return {**_report_answer(share.report), "stand_in": dataclasses.asdict(share.seen)}


def _report_answer(report: Report) -> dict[str, Any]:
    return {"seen": report.seen, **dataclasses.asdict(report)}


def ways_in(report: DemoReport) -> Sequence[str]:
    """Say how to look around while it stays."""
    config, user = report.stage.config, report.scores.example["key"]
    return (
        f"serving http://{report.address} until Ctrl-C; the token is in {config.web.token_file}",
        f"try: syncd status --config {config.path}",
        f"     syncd why {user} --config {config.path}",
    )
