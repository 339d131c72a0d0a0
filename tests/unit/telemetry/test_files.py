from __future__ import annotations

import os
import resource
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from syncd.telemetry.files import DatedFiles, DatedName
from syncd.telemetry.purpose import Purpose

TODAY = date(2026, 11, 22)
TOMORROW = TODAY + timedelta(days=1)


def dated(directory: Path, *, max_size: int = 1000, total: int = 10_000) -> DatedFiles:
    return DatedFiles(directory, keep=timedelta(days=30), max_size=max_size, max_total=total)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse to make any file larger, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_line_goes_to_the_file_of_its_purpose_and_day(directory: Path) -> None:
    files = dated(directory)

    files.write(Purpose.GITHUB, TODAY, b"one\n")
    files.write(Purpose.CRON, TODAY, b"two\n")
    files.write(Purpose.GITHUB, TOMORROW, b"three\n")

    assert (directory / "github-2026-11-22.log").read_text() == "one\n"
    assert (directory / "cron-2026-11-22.log").read_text() == "two\n"
    assert (directory / "github-2026-11-23.log").read_text() == "three\n"


def test_a_clock_that_steps_back_appends_to_the_file_of_that_day(directory: Path) -> None:
    files = dated(directory)

    for day, line in ((TODAY, b"1\n"), (TOMORROW, b"2\n"), (TODAY, b"3\n")):
        files.write(Purpose.CRON, day, line)

    assert (directory / "cron-2026-11-22.log").read_text() == "1\n3\n"


def test_current_points_to_the_file_being_written(directory: Path) -> None:
    files = dated(directory)
    current = directory / "cron-current.log"

    files.write(Purpose.CRON, TODAY, b"1\n")
    first = current.readlink()
    files.write(Purpose.CRON, TOMORROW, b"2\n")

    assert (str(first), str(current.readlink())) == ("cron-2026-11-22.log", "cron-2026-11-23.log")


def test_a_file_that_has_the_name_of_the_link_is_left_alone(directory: Path) -> None:
    directory.mkdir()
    (directory / "cron-current.log").write_text("mine")

    dated(directory).write(Purpose.CRON, TODAY, b"1\n")

    assert (directory / "cron-current.log").read_text() == "mine"
    assert (directory / "cron-2026-11-22.log").read_text() == "1\n"


def test_only_owner_and_group_can_read_what_is_written(directory: Path) -> None:
    dated(directory).write(Purpose.CRON, TODAY, b"1\n")

    assert stat.S_IMODE(directory.stat().st_mode) & 0o027 == 0
    assert stat.S_IMODE((directory / "cron-2026-11-22.log").stat().st_mode) & ~0o640 == 0


def test_a_full_file_is_continued_in_the_next_number_and_nothing_is_lost(directory: Path) -> None:
    files = dated(directory, max_size=10)

    for number in range(6):
        files.write(Purpose.CRON, TODAY, b"line %d\n" % number)

    names = ["cron-2026-11-22.log", "cron-2026-11-22.1.log", "cron-2026-11-22.2.log"]
    assert [(directory / name).read_text() for name in names] == [
        "line 0\nline 1\n",
        "line 2\nline 3\n",
        "line 4\nline 5\n",
    ]


def test_a_new_process_goes_on_in_the_last_file_of_the_day(directory: Path) -> None:
    for number in range(3):
        files = dated(directory, max_size=10)
        files.write(Purpose.CRON, TODAY, b"line %d\n" % number)
        files.close()

    assert (directory / "cron-2026-11-22.1.log").read_text() == "line 2\n"


def test_old_files_of_ours_are_deleted_and_nothing_else(directory: Path) -> None:
    directory.mkdir()
    theirs = ["other-2020-01-01.log", "cron-2020-01-01.log.gz", "cron-2020-13-01.log", "notes"]
    for name in [*theirs, "cron-2026-10-22.log", "audit-2026-10-23.log"]:
        (directory / name).write_text("x")
    (directory / "http-2020-01-01.log").symlink_to("notes")

    dated(directory).write(Purpose.CRON, TODAY, b"1\n")

    left = {path.name for path in directory.iterdir()}
    assert left == {
        *theirs,
        "http-2020-01-01.log",
        "audit-2026-10-23.log",
        "cron-2026-11-22.log",
        "cron-current.log",
    }


def test_beyond_the_total_the_oldest_files_go_first(directory: Path) -> None:
    directory.mkdir()
    for day in (19, 20, 21):
        (directory / f"cron-2026-11-{day}.log").write_bytes(b"x" * 40)

    dated(directory, total=100).write(Purpose.CRON, TODAY, b"1\n")

    assert not (directory / "cron-2026-11-19.log").exists()
    assert (directory / "cron-2026-11-20.log").exists()


def test_a_removed_directory_is_made_again_with_the_next_line(directory: Path) -> None:
    files = dated(directory)
    files.write(Purpose.CRON, TODAY, b"1\n")

    shutil.rmtree(directory)
    files.write(Purpose.CRON, TODAY, b"2\n")

    assert (directory / "cron-2026-11-22.log").read_text() == "2\n"


def test_after_reopening_lines_go_to_where_the_directory_is_now(directory: Path) -> None:
    files = dated(directory)
    files.write(Purpose.CRON, TODAY, b"1\n")
    directory.rename(directory.with_name("moved"))

    files.close()
    files.write(Purpose.CRON, TODAY, b"2\n")

    assert (directory / "cron-2026-11-22.log").read_text() == "2\n"


def test_a_full_disk_raises_and_the_next_line_is_whole_again(directory: Path) -> None:
    files = dated(directory)

    with files_no_larger_than(8), pytest.raises(OSError, match="No space left"):
        files.write(Purpose.CRON, TODAY, b"cut in the middle\n")
    files.write(Purpose.CRON, TODAY, b"whole\n")

    assert (directory / "cron-2026-11-22.log").read_text() == "cut in t\nwhole\n"


def test_a_symlinked_directory_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    directory.symlink_to("elsewhere")

    with pytest.raises(OSError, match="symbolic link"):
        dated(directory).write(Purpose.CRON, TODAY, b"1\n")


def test_a_symlinked_file_is_refused(directory: Path, tmp_path: Path) -> None:
    directory.mkdir()
    (tmp_path / "victim").write_text("untouched")
    (directory / "cron-2026-11-22.log").symlink_to(tmp_path / "victim")

    with pytest.raises(OSError, match="symbolic links"):
        dated(directory).write(Purpose.CRON, TODAY, b"1\n")

    assert (tmp_path / "victim").read_text() == "untouched"


def test_what_is_no_regular_file_is_refused_without_waiting(directory: Path) -> None:
    directory.mkdir()
    os.mkfifo(directory / "cron-2026-11-22.log")

    with pytest.raises(OSError, match="No such device"):
        dated(directory).write(Purpose.CRON, TODAY, b"1\n")


def test_names_sort_by_age_and_numbers_count_as_numbers() -> None:
    names = ["cron-2026-11-22.10.log", "cron-2026-11-22.2.log", "http-2026-11-21.log"]

    found = sorted(name for text in names if (name := DatedName.parse(text)))

    assert [str(name) for name in found] == list(reversed(names))
