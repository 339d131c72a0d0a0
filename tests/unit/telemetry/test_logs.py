from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog
from fakes.clock import FakeClock

from syncd.telemetry.events import Level
from syncd.telemetry.logs import Logs
from syncd.telemetry.purpose import Purpose

MakeLogs = Callable[..., Logs]
Printed = Callable[[], list[str]]


def test_a_line_is_one_json_object_with_time_level_and_event(
    make_logs: MakeLogs, printed: Printed
) -> None:
    make_logs().logger.warning("platform.throttled", platform="github")

    assert [json.loads(line) for line in printed()] == [
        {
            "timestamp": "2026-11-22T06:32:10.123Z",
            "level": "warning",
            "event": "platform.throttled",
            "platform": "github",
        }
    ]


def test_lines_below_the_level_are_not_written(make_logs: MakeLogs, printed: Printed) -> None:
    logs = make_logs(level=Level.WARNING)

    logs.logger.info("run.started")

    assert printed() == []
    assert not logs.is_enabled(Level.INFO)
    assert logs.is_enabled(Level.WARNING)


def test_another_level_reaches_every_logger_at_once(make_logs: MakeLogs, printed: Printed) -> None:
    logs, log = make_logs(level=Level.WARNING), structlog.get_logger()

    logs.set_level(Level.DEBUG)
    logs.logger.debug("items.committed")
    log.info("daemon.started")
    logs.set_level(Level.ERROR)
    log.warning("platform.throttled")

    assert [json.loads(line)["event"] for line in printed()] == [
        "items.committed",
        "daemon.started",
    ]
    assert not logs.is_enabled(Level.WARNING)


def test_loggers_made_before_the_configuration_follow_it(
    make_logs: MakeLogs, printed: Printed
) -> None:
    log = structlog.get_logger()
    make_logs()

    log.info("daemon.started")

    assert '"event":"daemon.started"' in printed()[0]


def test_what_a_run_binds_stands_in_each_of_its_lines(
    make_logs: MakeLogs, printed: Printed
) -> None:
    logs = make_logs()

    with structlog.contextvars.bound_contextvars(job="github-profiles", run_id=4812):
        logs.logger.info("batch.stored")
    logs.logger.info("daemon.stopped")

    inside, outside = (json.loads(line) for line in printed())
    assert (inside["job"], inside["run_id"]) == ("github-profiles", 4812)
    assert "run_id" not in outside


def test_console_lines_are_for_people_and_colourless_in_a_file(
    make_logs: MakeLogs, printed: Printed
) -> None:
    make_logs(format="console").logger.info("run.started", job="a", run_id=7)

    assert printed() == ["2026-11-22T06:32:10.123Z INFO     run.started              job=a run=7"]


def test_files_hold_text_of_the_day_in_the_logging_time_zone(
    make_logs: MakeLogs, clock: FakeClock, tmp_path: Path
) -> None:
    logs = make_logs(dir=tmp_path / "logs", timezone=ZoneInfo("Asia/Kolkata"))
    logs.route("github-profiles", Purpose.GITHUB)
    clock.jump_wall(datetime(2026, 11, 22, 18, 29, 59, tzinfo=UTC) - clock.now())
    logs.logger.info("run.started", job="github-profiles", run_id=1)

    clock.jump_wall(timedelta(seconds=1))
    logs.logger.info("run.finished", job="github-profiles", run_id=1)

    before, after = (tmp_path / "logs" / f"github-2026-11-{day}.log" for day in (22, 23))
    assert before.read_text() == (
        "2026-11-22T18:29:59.000Z INFO     run.started job=github-profiles run=1\n"
    )
    assert after.read_text().startswith("2026-11-22T18:30:00.000Z INFO     run.finished")


def test_an_exception_is_logged_with_its_stack(
    make_logs: MakeLogs, printed: Printed, tmp_path: Path
) -> None:
    logs = make_logs(dir=tmp_path / "logs")

    try:
        int("boom")
    except ValueError:
        logs.logger.exception("run.crashed")

    line = json.loads(printed()[0])
    assert line["level"] == "error"
    assert line["stack"].endswith("with base 10: 'boom'\n")
    text = (tmp_path / "logs" / "cron-current.log").read_text()
    assert text.endswith("with base 10: 'boom'\n")
    assert "\n    Traceback (most recent call last):\n" in text


def test_a_secret_reaches_neither_stdout_nor_the_files(
    make_logs: MakeLogs, printed: Printed, tmp_path: Path
) -> None:
    logs = make_logs(dir=tmp_path / "logs")
    logs.secrets.add('s3cr"et')

    logs.logger.error("store.lost", error='bad password s3cr"et', deep=[ValueError('s3cr"et')])

    text = (tmp_path / "logs" / "cron-current.log").read_text()
    assert "s3cr" not in printed()[0] + text
    assert json.loads(printed()[0])["error"] == "bad password ***"


def test_what_libraries_warn_of_becomes_a_line(make_logs: MakeLogs, printed: Printed) -> None:
    make_logs()

    logging.getLogger("asyncio").error("took %s", "long")
    logging.getLogger("aiohttp.access").info("GET /")

    line = json.loads(printed()[0])
    assert (line["event"], line["message"], line["library"]) == (
        "library.warned",
        "took long",
        "asyncio",
    )
    assert len(printed()) == 1


def test_a_full_disk_costs_lines_and_fails_nobody(
    make_logs: MakeLogs, clock: FakeClock, capfd: pytest.CaptureFixture[str]
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    logs = make_logs(onto=full)

    for _ in range(3):
        logs.logger.info("run.started")

    assert logs.lines_dropped == 3
    assert capfd.readouterr().err == (
        "syncd: log lines are being lost (1 so far): [Errno 28] No space left on device\n"
    )
    os.close(full)


async def test_it_complains_once_a_minute(
    make_logs: MakeLogs, clock: FakeClock, capfd: pytest.CaptureFixture[str]
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    logs = make_logs(onto=full)

    for seconds in (0, 59, 1, 30):
        await clock.advance(seconds)
        logs.logger.info("run.started")

    assert capfd.readouterr().err.count("log lines are being lost") == 2
    os.close(full)


def test_files_go_on_when_nobody_reads_stdout(make_logs: MakeLogs, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    logs = make_logs(onto=writer, dir=tmp_path / "logs")

    logs.logger.info("run.started")

    assert logs.lines_dropped == 1
    assert "run.started" in (tmp_path / "logs" / "cron-current.log").read_text()
    os.close(writer)


def test_stdout_goes_on_while_the_log_directory_cannot_be_made(
    make_logs: MakeLogs, printed: Printed, tmp_path: Path
) -> None:
    (tmp_path / "logs").write_text("a file stands in the way")
    logs = make_logs(dir=tmp_path / "logs")

    logs.logger.info("run.started")
    (tmp_path / "logs").unlink()
    logs.logger.info("run.finished")

    assert len(printed()) == 2
    assert logs.lines_dropped == 1
    assert "run.finished" in (tmp_path / "logs" / "cron-current.log").read_text()


def test_reopening_follows_a_directory_that_was_moved(make_logs: MakeLogs, tmp_path: Path) -> None:
    logs = make_logs(dir=tmp_path / "logs")
    logs.logger.info("run.started")
    shutil.move(tmp_path / "logs", tmp_path / "moved")

    logs.reopen()
    logs.logger.info("run.finished")

    assert "run.finished" in (tmp_path / "logs" / "cron-current.log").read_text()


async def test_lines_of_tasks_that_run_at_once_stay_whole(
    make_logs: MakeLogs, printed: Printed
) -> None:
    logs = make_logs()

    async def work(number: int) -> None:
        with structlog.contextvars.bound_contextvars(run_id=number):
            for _ in range(20):
                await asyncio.sleep(0)
                logs.logger.info("item.stored", text="x" * 500)

    await asyncio.gather(*(work(number) for number in range(10)))

    runs = [json.loads(line)["run_id"] for line in printed()]
    assert sorted(runs) == sorted(list(range(10)) * 20)


def test_after_closing_structlog_is_as_it_was(make_logs: MakeLogs) -> None:
    handlers = list(logging.getLogger().handlers)
    logs = make_logs()

    logs.close()

    assert not structlog.is_configured()
    assert logging.getLogger().handlers == handlers
