"""Users in and out of the command line."""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.daemon import AnswerService, FakeDaemon, fake_daemon, user_answer


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with fake_daemon(tmp_path, AnswerService()) as daemon:
        yield daemon


async def test_import_says_what_changed(
    daemon: FakeDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "team.csv"
    file.write_text("key,github\nada,octocat\n", "utf-8")

    code = await daemon.syncd("users", "import", str(file), "--dry-run")

    assert code == 0
    assert daemon.service.orders == [("import_users", 23, "csv", True)]
    assert capsys.readouterr().out == (
        "1,204 users: 1,180 would be created, 19 changed, 5 same; "
        "1,190 accounts linked, 1 unlinked\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "layout"),
    [("a.jsonl", "", "json"), ("a.txt", '[{"key": "ada"}]', "json"), ("a", "key\nada", "csv")],
)
async def test_layout_is_told_by_the_name_or_the_content(
    daemon: FakeDaemon, tmp_path: Path, name: str, content: str, layout: str
) -> None:
    (tmp_path / name).write_text(content, "utf-8")

    await daemon.syncd("users", "import", str(tmp_path / name))

    assert daemon.service.orders == [("import_users", len(content), layout, False)]


async def test_lines_left_out_for_their_preferences_are_named_and_the_others_taken(
    daemon: FakeDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "team.csv"
    file.write_text("key\n", "utf-8")
    daemon.service.left_out = ["line 7: notify.leads.0: must be more", "line 7: notify: \u202e"]

    code = await daemon.syncd("users", "import", str(file))

    out, err = capsys.readouterr()
    assert (code, out.partition(":")[0]) == (4, "1,204 users")
    assert err.splitlines() == [
        "refused  line 7: notify.leads.0: must be more",
        "refused  line 7: notify: \\u202e",
        "1 line left out, all others taken",
        "  hint: mend these lines and import the file again; what was taken stays the same",
    ]


async def test_refused_lines_are_named_and_nothing_is_imported(
    daemon: FakeDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "team.csv"
    file.write_text("key\n", "utf-8")
    daemon.service.refused = ("line 7: bad \u202e name", "line 9: twice")

    code = await daemon.syncd("users", "import", str(file))

    out, err = capsys.readouterr()
    assert (code, out) == (4, "")
    assert err.splitlines() == [
        "refused  line 7: bad \\u202e name",
        "refused  line 9: twice",
        "nothing was imported: 2 problems",
    ]


async def test_refused_file_comes_with_what_to_do(
    daemon: FakeDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "team.csv"
    file.write_text("key;github\n", "utf-8")
    daemon.service.refused = ("line 1: the columns are separated by ';'",)
    daemon.service.advice = "separate the columns by commas"

    await daemon.syncd("users", "import", str(file))

    assert capsys.readouterr().err.splitlines()[-1] == "  hint: separate the columns by commas"


async def test_refused_lines_are_data_for_a_program(
    daemon: FakeDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "team.csv"
    file.write_bytes(b"key\nada\n\xff\xfe\n")

    code = await daemon.syncd("users", "import", str(file), "--json")

    assert code == 4
    assert json.loads(capsys.readouterr().out)["problems"] == ["line 3: is not UTF-8 text"]
    assert daemon.service.orders == []


async def test_file_that_is_too_large_never_leaves(
    daemon: FakeDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "team.csv"
    file.write_bytes(b"x" * 10_000_001)

    code = await daemon.syncd("users", "import", str(file))

    assert code == 4
    assert "larger than 10 MB" in capsys.readouterr().err


async def test_file_that_is_not_there_ends_with_2(
    daemon: FakeDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("users", "import", str(tmp_path / "nothing.csv"))

    assert code == 2
    assert "No such file" in capsys.readouterr().err


async def test_users_can_come_through_a_pipe(daemon: FakeDaemon) -> None:
    syncd = [sys.executable, "-m", "syncd", "--config", str(daemon.config)]

    ended = await asyncio.to_thread(
        subprocess.run,
        [*syncd, "users", "import", "-"],
        input=b'{"key": "ada"}\n',
        capture_output=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert daemon.service.orders == [("import_users", 15, "json", False)]


async def test_export_is_a_table_that_no_spreadsheet_computes(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.people = [
        user_answer('=HYPERLINK("x")', "octocat"),
        user_answer("'tis", ""),
        user_answer("ada, the first", "", opted_out=True, last_login_at="2026-01-01T00:00:00Z"),
    ]
    daemon.service.people[2]["notify"] = {"leads": [24]}

    code = await daemon.syncd("users", "export")

    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert code == 0
    assert rows == [
        ["key", "opted_out", "last_login_at", "github", "notify"],
        ['\'=HYPERLINK("x")', "false", "", "octocat", ""],
        ["''tis", "false", "", "", ""],
        ["ada, the first", "true", "2026-01-01T00:00:00Z", "", '{"leads": [24]}'],
    ]


async def test_json_export_has_every_user_on_a_line(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.people = [user_answer(f"u{number:05}") for number in range(2_500)]

    code = await daemon.syncd("users", "export", "--format", "json")

    lines = capsys.readouterr().out.splitlines()
    assert (code, len(lines)) == (0, 2_500)
    assert json.loads(lines[-1]) == {
        "key": "u02499",
        "accounts": {"github": "octocat"},
        "opted_out": False,
        "last_login_at": None,
    }


async def test_list_stops_at_its_limit_and_says_how_to_go_on(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.people = [user_answer("ada"), user_answer("bob", ""), user_answer("eve")]

    code = await daemon.syncd("users", "list", "--limit", "2")

    out, err = capsys.readouterr()
    assert code == 0
    assert [line.split("  ")[0].strip() for line in out.splitlines()] == ["USER", "ada", "bob"]
    assert err == "there are more: --after bob\n"


async def test_opt_out_can_be_undone(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [
        await daemon.syncd("users", "opt-out", "ada"),
        await daemon.syncd("users", "opt-out", "ada", "--undo"),
    ]

    assert codes == [0, 0]
    assert daemon.service.orders == [("opt_out", "ada", True), ("opt_out", "ada", False)]
    assert capsys.readouterr().out.splitlines() == [
        "user ada opted out and is left alone",
        "user ada is followed again",
    ]


async def test_forget_says_what_was_removed_and_what_cannot_be_reached(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("users", "forget", "ada", "bob", "ada")

    assert code == 0
    assert daemon.service.orders == [("forget_user", "ada", False), ("forget_user", "bob", False)]
    assert capsys.readouterr().out.splitlines() == [
        "user ada: removed",
        "          1  accounts",
        "      1,204  listening_data",
        "user bob: removed",
        "          1  accounts",
        "      1,204  listening_data",
        "not reached:",
        "  log lines that named the user: /var/log/syncd",
    ]


async def test_forget_goes_on_after_somebody_who_is_not_known(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("users", "forget", "nobody", "bob", "--dry-run", "--json")

    out, err = capsys.readouterr()
    assert (code, err) == (4, "syncd: there is no user 'nobody'\n")
    assert [user["key"] for user in json.loads(out)["users"]] == ["bob"]
    assert daemon.service.orders[-1] == ("forget_user", "bob", True)
