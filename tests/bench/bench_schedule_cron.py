"""Cron: one look for a fire time beside croniter with a zone and cronsim, and 10,000 jobs at once.

Run it as `python tests/bench/bench_schedule_cron.py`. Prints CPU microseconds of one evaluation in
a zone with daylight saving, from 64 instants that lie further apart than what syncd remembers, the
least of some rounds; then what 10,000 jobs with 32 different schedules cost to read and to move on
to their next fire time, with how often a fire time was looked for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import process_time
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim, CronSimError

from syncd.schedule.cron import CronSchedule, parse_cron

ZONE = ZoneInfo("America/New_York")
START = datetime(2026, 1, 1, tzinfo=UTC)
INSTANTS = [START + n * timedelta(days=61, hours=7, minutes=13) for n in range(64)]
RARE = [START + n * timedelta(days=10_300) for n in range(64)]
ROUNDS = 7
JOBS = 10_000
EXPRESSIONS = [
    *("* * * * *", "*/15 * * * *", "0 */6 * * *", "0 2 * * *", "30 4 1,15 * 5"),
    *("0 9 15W * *", "0 0 29 2 *", "* * 29 2 */7"),
]
ZONES = ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "UTC"]

NextAfter = Callable[[datetime], datetime | None]


def least(next_after: NextAfter, expression: str) -> float:
    """Return the CPU microseconds of one evaluation."""
    instants = RARE if " 29 2 " in expression else INSTANTS
    taken = []
    for _ in range(ROUNDS):
        begun = process_time()
        for instant in instants:
            next_after(instant)
        taken.append(process_time() - begun)
    return min(taken) / len(instants) * 1e6


def with_croniter(expression: str) -> NextAfter:
    """Return croniter as most use it: with the zone, its position passed in every time."""
    reader = croniter(expression, START.astimezone(ZONE), max_years_between_matches=50)
    return lambda instant: reader.get_next(datetime, start_time=instant.astimezone(ZONE))


def with_cronsim(expression: str) -> NextAfter:
    """Return cronsim, which is made anew for every start."""
    return lambda instant: next(CronSim(expression, instant.astimezone(ZONE)))


def measured(make: Callable[[str], NextAfter], expression: str) -> str:
    """Measure one of them; a dash where it cannot read the expression."""
    try:
        return f"{least(make(expression), expression):8.0f}"
    except (ValueError, StopIteration, CronSimError):
        return f"{'-':>8}"


def one_by_one() -> None:
    """Print what one evaluation costs."""
    print(f"{'CPU us of one evaluation':26}{'syncd':>8}{'croniter':>10}{'cronsim':>10}")
    for expression in EXPRESSIONS:
        schedule = parse_cron(expression, ZONE.key)
        before = schedule.evaluations
        ours = least(schedule.next_after, expression)
        looks = (schedule.evaluations - before) / ROUNDS
        others = (
            f"{measured(with_croniter, expression):>10}{measured(with_cronsim, expression):>10}"
        )
        print(
            f"{expression:26}{ours:8.0f}{others}   {looks:.0f} looks for {len(INSTANTS)} instants"
        )


def all_at_once() -> None:
    """Print what 10,000 jobs cost."""
    pairs = [(each, zone) for each in EXPRESSIONS for zone in ZONES]
    begun = process_time()
    jobs = [parse_cron(*pairs[n % len(pairs)], f"job {n}") for n in range(JOBS)]
    read = process_time()
    looks = sum(job.evaluations for job in jobs[: len(pairs)])
    move(jobs)
    moved = process_time()
    looks = sum(job.evaluations for job in jobs[: len(pairs)]) - looks
    print(
        f"\n{JOBS:,} jobs, {len(pairs)} schedules: read {(read - begun) * 1e3:.0f} ms, "
        f"next {(moved - read) * 1e3:.0f} ms, {looks} looks"
    )
    begun = process_time()
    for n in range(JOBS):
        expression, zone = pairs[n % len(pairs)]
        local = INSTANTS[9].astimezone(ZoneInfo(zone))
        croniter(expression, local, max_years_between_matches=50).get_next(datetime)
    print(f"croniter with a zone, one per job: {(process_time() - begun) * 1e3:.0f} ms")


def move(jobs: list[CronSchedule]) -> None:
    """Ask every job for its next fire time, each a little later, as a busy loop does."""
    late = timedelta(microseconds=3)
    for n, job in enumerate(jobs):
        job.next_after(INSTANTS[9] + n * late)


if __name__ == "__main__":
    one_by_one()
    all_at_once()
