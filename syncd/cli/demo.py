"""`syncd demo`: everything at work on this machine, against a stand-in for GitHub."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.progress import ProgressView
from syncd.cli.words import in_words
from syncd.errors import RunError

if TYPE_CHECKING:
    from syncd.config.duration import Rate
    from syncd.daemon.demo import DemoReport
    from syncd.daemon.rehearsal import Pass
    from syncd.daemon.stage import Stage
    from syncd.telemetry.events import RunProgressed

_NEXT = (
    "What to do next:",
    "  1. edit config.toml: a GitHub token, and your PostgreSQL if syncd should not run its own",
    "  2. start the daemon: syncd run",
    "  3. tell it whom to follow: syncd users import FILE (a CSV with the columns key,github)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo(Command):
    """Show everything at work, without an account anywhere.

    Starts a PostgreSQL and a Valkey of its own and a stand-in for GitHub, imports made-up users,
    syncs them twice and shows what came of it. Only the logs are left behind.
    """

    parameters = (
        click.Option(
            ["--users"],
            type=click.IntRange(1, 100_000),
            default=1_000,
            show_default=True,
            help="How many users are made up.",
        ),
        click.Option(
            ["--seed"],
            type=click.IntRange(0),
            default=1,
            show_default=True,
            help="What they are made from: the same seed makes the same users.",
        ),
        click.Option(["--stay"], is_flag=True, help="Then serve the control port until Ctrl-C."),
    )
    users: int
    seed: int
    stay: bool

    def run(self, console: Console) -> Exit:
        """Play it and show the summary."""
        from syncd.daemon.demo import run_demo  # noqa: PLC0415 - it is the whole daemon
        from syncd.daemon.stage import DemoPlan  # noqa: PLC0415 - the same

        plan = DemoPlan(users=self.users, seed=self.seed, stays=self.stay)
        with ExitStack() as display:
            report = run_demo(plan, _Audience(console, display))
        if report is None:
            console.say("stopped; nothing is left behind")
            return Exit.SIGNAL
        if report.mismatches:
            raise RunError(
                f"the numbers do not add up: {'; '.join(report.mismatches)}",
                hint="what happened stands in the logs named above",
            )
        return Exit.OK


class _Audience:
    """Shows the demo: talk and progress on standard error, the summary on standard output."""

    def __init__(self, console: Console, display: ExitStack) -> None:
        self._console = console
        self._display = display
        self._views: dict[str, ProgressView] = {}

    def begin(self, stage: Stage) -> None:
        self._console.say(
            f"{stage.plan.users:,} made-up users of a stand-in for GitHub,"
            f" {_limits_in_words(stage)}",
            f"logs: {stage.log_dir}",
            "starting PostgreSQL and Valkey",
        )

    def follow(self, name: str, progress: RunProgressed) -> None:
        if name not in self._views:
            self._display.close()
            self._views[name] = self._display.enter_context(ProgressView(self._console))
        self._views[name].update({**dataclasses.asdict(progress), "platform": name})

    def end(self, report: DemoReport) -> None:
        self._display.close()
        if self._console.is_json:
            self._console.show_json(_answer(report))
        else:
            self._console.show(*_table(report.passes), "", *_remarks(report), "", *_NEXT)
        if report.address:
            self._console.say("", *_ways_in(report))


def _limits_in_words(stage: Stage) -> str:
    limits = ", ".join(_rate_in_words(limit) for limit in (stage.rate, stage.quota))
    return f"limits scaled x{stage.scale}: {limits}"


def _rate_in_words(rate: Rate) -> str:
    count, _, period = str(rate).partition("/")
    return f"{int(count):,}/{period}"


def _table(passes: Sequence[Pass]) -> Iterator[str]:
    """Yield the lines of the summary: a column per pass, a line per count."""
    rows = [("", [each.name for each in passes]), *_rows(passes)]
    label_width = max(len(label) for label, _ in rows)
    width = max(len(cell) for _, cells in rows for cell in cells)
    for label, cells in rows:
        yield "  ".join([label.ljust(label_width), *(cell.rjust(width) for cell in cells)])


def _rows(passes: Sequence[Pass]) -> Iterator[tuple[str, list[str]]]:
    reports = [each.report for each in passes]
    yield _row("users asked for", (each.seen for each in reports))
    yield _row("created", (each.created for each in reports))
    yield _row("updated", (each.updated for each in reports))
    yield _row("unchanged", (each.unchanged for each in reports))
    yield _row("failed", (each.failed for each in reports))
    for word in sorted({word for each in reports for word in each.failures}):
        yield _row(f"  {word}", (each.failures.get(word, 0) for each in reports))
    yield _row("API calls", (each.calls for each in reports))
    yield _row("  sweeps (many users each)", (each.sweeps for each in passes))
    yield _row("  saved (304, no quota)", (each.saved for each in reports))
    yield "took", [in_words(each.duration_seconds) for each in passes]
    yield _row("requests per second", (round(each.rate) for each in passes))


def _row(label: str, counts: Iterable[int]) -> tuple[str, list[str]]:
    return label, [f"{count:,}" for count in counts]


def _remarks(report: DemoReport) -> Iterator[str]:
    requests = sum(each.requests for each in report.passes)
    used = sum(each.quota_used for each in report.passes)
    yield (
        f"The stand-in counted {requests:,} requests; {used:,} of them cost quota"
        f" (of {_rate_in_words(report.stage.quota)}); limits provoked: {report.refused or 'none'}."
    )
    if not report.mismatches:
        yield "Both sides' numbers add up."
    yield f"Logs: {report.stage.log_dir}"


def _ways_in(report: DemoReport) -> Iterator[str]:
    config = report.stage.config
    yield f"serving http://{report.address} until Ctrl-C; the token is in {config.web.token_file}"
    yield f"try: syncd status --config {config.path}"


def _answer(report: DemoReport) -> dict[str, Any]:
    stage = report.stage
    answer: dict[str, Any] = {
        "users": stage.plan.users,
        "seed": stage.plan.seed,
        "scale": stage.scale,
        "rate": str(stage.rate),
        "quota": str(stage.quota),
        "passes": [_pass_answer(each) for each in report.passes],
        "refused": report.refused,
        "most_in_a_minute": report.most_in_a_minute,
        "mismatches": report.mismatches,
        "log_dir": stage.log_dir,
    }
    if report.address:
        config = stage.config
        served = {"listen": report.address, "token_file": config.web.token_file}
        answer |= served | {"config": config.path}
    return answer


def _pass_answer(played: Pass) -> dict[str, Any]:
    return {
        "run": played.run.id,
        "outcome": played.run.outcome,
        "seen": played.report.seen,
        **dataclasses.asdict(played.report),
        "duration_seconds": played.duration_seconds,
        "requests_per_second": round(played.rate, 1),
        "stand_in": {
            "requests": played.requests,
            "sweeps": played.sweeps,
            "quota_used": played.quota_used,
        },
    }
