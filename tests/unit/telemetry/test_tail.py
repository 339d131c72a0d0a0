from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import FakeClock

from syncd.errors import BadInput
from syncd.telemetry.events import Level
from syncd.telemetry.logs import Logs
from syncd.telemetry.purpose import Purpose
from syncd.telemetry.tail import LogQuery, LogReader

MakeLogs = Callable[..., Logs]


@pytest.fixture
def logs(make_logs: MakeLogs, tmp_path: Path) -> Logs:
    made = make_logs(dir=tmp_path / "logs", max_size=300)
    made.route("github-profiles", Purpose.GITHUB)
    made.logger.info("daemon.started")
    return made


def reader(tmp_path: Path, **query: Any) -> LogReader:
    return LogReader(tmp_path / "logs", LogQuery(**query))


def say(logs: Logs, number: int, **keys: str) -> None:
    event = f"number.{number}"
    logs.logger.info(event, **keys)


def events(lines: Any) -> list[str]:
    return [line.split()[2] for line in lines]


def test_lines_of_all_purposes_are_merged_by_time(
    logs: Logs, clock: FakeClock, tmp_path: Path
) -> None:
    for number in range(12):
        clock.jump_wall(timedelta(seconds=1))
        purpose = ("cron", "http", "audit")[number % 3]
        say(logs, number, purpose=purpose, text="x" * 80)

    found = events(reader(tmp_path).history())

    assert found == ["daemon.started", *(f"number.{number}" for number in range(12))]


def test_a_purpose_can_be_named(logs: Logs, tmp_path: Path) -> None:
    logs.logger.info("run.started", job="github-profiles", run_id=1)

    found = events(reader(tmp_path, purpose=Purpose.GITHUB).history())

    assert found == ["run.started"]


def test_lines_can_be_narrowed_to_a_run_and_a_level(logs: Logs, tmp_path: Path) -> None:
    logs.logger.info("quiet.line", run_id=4812)
    logs.logger.warning("wanted.line", run_id=4812)
    logs.logger.warning("other.run", run_id=48)
    logs.logger.warning("forged.line", error="x run=4812")

    found = events(reader(tmp_path, run=4812, level=Level.WARNING).history())

    assert found == ["wanted.line"]


def test_a_stack_shares_the_fate_of_its_line(logs: Logs, tmp_path: Path) -> None:
    logs.logger.error("one.crashed", stack="Traceback\nKeyError", run_id=1)
    logs.logger.error("two.crashed", stack="Traceback\nValueError", run_id=2)

    found = list(reader(tmp_path, run=2).history())

    assert [line.strip() for line in found[1:]] == ["Traceback", "ValueError"]


def test_the_last_lines_reach_back_over_days(logs: Logs, clock: FakeClock, tmp_path: Path) -> None:
    for number in range(4):
        say(logs, number)
        clock.jump_wall(timedelta(days=1))

    found = events(reader(tmp_path).history(last=3))

    assert found == ["number.1", "number.2", "number.3"]


async def test_following_begins_after_the_history_and_crosses_midnight_and_full_files(
    logs: Logs, clock: FakeClock, tmp_path: Path
) -> None:
    clock.jump_wall(datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC) - clock.now())
    say(logs, 0)
    tail = reader(tmp_path)
    history = events(tail.history(last=1))
    lines = tail.follow(clock)
    found = []
    for number in range(1, 8):
        clock.jump_wall(timedelta(milliseconds=400))
        say(logs, number, text="x" * 200)
        found.append(await clock.run(anext(lines)))

    assert history == ["number.0"]
    assert events(found) == [f"number.{number}" for number in range(1, 8)]
    assert (tmp_path / "logs" / "cron-2026-11-23.1.log").exists()


async def test_following_survives_a_directory_that_is_removed_and_made_again(
    logs: Logs, clock: FakeClock, tmp_path: Path
) -> None:
    tail = reader(tmp_path)
    list(tail.history())
    lines = tail.follow(clock)

    shutil.rmtree(tmp_path / "logs")
    logs.logger.info("back.again")

    assert events([await clock.run(anext(lines))]) == ["back.again"]


def test_an_unfinished_line_waits_for_its_end(logs: Logs, tmp_path: Path) -> None:
    tail = reader(tmp_path)
    list(tail.history())
    with (tmp_path / "logs" / "cron-current.log").open("a") as file:
        file.write("2026-11-22T06:32:11.000Z INFO     half")
        file.flush()
        before = list(tail.history())
        file.write(".line\n")
        file.flush()

    assert before == []
    assert events(tail.history()) == ["half.line"]


def test_control_characters_in_a_file_never_reach_a_terminal(logs: Logs, tmp_path: Path) -> None:
    with (tmp_path / "logs" / "cron-current.log").open("ab") as file:
        file.write(b"2026-11-22T06:32:11.000Z INFO     bad \x1b[31m \xff \xc2\x9b\n")

    assert all(line.isprintable() for line in reader(tmp_path).history())


def test_without_a_directory_it_says_what_to_do() -> None:
    with pytest.raises(BadInput) as caught:
        LogReader(None, LogQuery())

    assert caught.value.hint == ("set [logging] dir, or read the journal with journalctl -u syncd")


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read the log directory .*/logs: No such file"):
        reader(tmp_path)


@pytest.mark.parametrize(("purpose", "level"), [("githab", ""), ("", "loud")])
def test_unknown_words_are_refused_with_the_known_ones(purpose: str, level: str) -> None:
    with pytest.raises(BadInput) as caught:
        LogQuery.parse(purpose, None, level)

    assert "one of" in (caught.value.hint or "")


def test_words_a_person_types_become_a_query() -> None:
    query = LogQuery.parse("github", 7, "WARNING")

    assert query == LogQuery(purpose=Purpose.GITHUB, run=7, level=Level.WARNING)
