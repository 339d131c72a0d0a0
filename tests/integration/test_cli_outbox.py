"""`syncd outbox`, over a real control port that knows the delivery 12."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.daemon import AnswerService, FakeDaemon, fake_daemon
from fakes.memory_outbox import delivery_answer

from syncd.model.outbox import Order


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with fake_daemon(tmp_path, AnswerService()) as daemon:
        yield daemon


Capture = pytest.CaptureFixture[str]


async def test_deliveries_are_a_table(daemon: FakeDaemon, capsys: Capture) -> None:
    daemon.service.deliveries = [
        delivery_answer(14, contest_name="Cup\u202e of\nTea", state="failed", lead_hours=0),
        delivery_answer(12),
    ]

    code = await daemon.syncd("outbox", "list", "--limit", "1")

    out, err = capsys.readouterr()
    assert code == 0
    assert out.splitlines()[0].split()[:4] == ["ID", "STATE", "USER", "CHANNEL"]
    assert "14" in out
    assert "a***@example.com" in out
    assert "\u202e" not in out
    assert len(out.splitlines()) == 2
    assert err == "there are more: --before 14\n"


async def test_deliveries_are_narrowed_and_told_as_json(
    daemon: FakeDaemon, capsys: Capture
) -> None:
    daemon.service.deliveries += [delivery_answer(13, channel="ntfy", user_key="bo")]

    await daemon.syncd("outbox", "list", "--json", "--channel", "ntfy", "--user", "bo")
    found = json.loads(capsys.readouterr().out)
    await daemon.syncd("outbox", "list", "--state", "sent")

    assert [each["id"] for each in found] == [13]
    assert capsys.readouterr().err == "no sent deliveries\n"


async def test_a_delivery_that_is_named_twice_is_retried_once(
    daemon: FakeDaemon, capsys: Capture
) -> None:
    code = await daemon.syncd("outbox", "retry", "12", "12")

    assert (code, capsys.readouterr().out) == (0, "1 delivery retried\n")
    assert daemon.service.orders == [("decide_delivery", Order.RETRY, 12, "token")]


async def test_all_unknown_are_retried_and_what_is_left_is_told(
    daemon: FakeDaemon, capsys: Capture
) -> None:
    code = await daemon.syncd("outbox", "retry", "--all-unknown", "--channel", "email")

    out, err = capsys.readouterr()
    assert (code, out) == (0, "3 deliveries retried\n")
    assert err.splitlines()[0] == "2 deliveries left: its contest has begun"
    assert daemon.service.orders == [("retry_unknown", "email")]


@pytest.mark.parametrize(
    "arguments", [(), ("12", "--all-unknown"), ("12", "--channel", "email"), ("--channel", "email")]
)
async def test_a_retry_of_nothing_or_of_two_things_is_refused(
    daemon: FakeDaemon, arguments: tuple[str, ...]
) -> None:
    assert await daemon.syncd("outbox", "retry", *arguments) == 2
    assert daemon.service.orders == []


async def test_deliveries_are_dropped(daemon: FakeDaemon, capsys: Capture) -> None:
    code = await daemon.syncd("outbox", "drop", "12", "--json")

    told = json.loads(capsys.readouterr().out)
    assert (code, told["dropped"], told["deliveries"][0]["state"]) == (0, 1, "dropped")


async def test_what_was_done_before_a_number_failed_is_told(
    daemon: FakeDaemon, capsys: Capture
) -> None:
    code = await daemon.syncd("outbox", "drop", "12", "99")

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "drop was done before delivery 99 failed: 12"


async def test_what_cannot_be_retried_is_an_error(daemon: FakeDaemon, capsys: Capture) -> None:
    daemon.service.deliveries = [delivery_answer(state="sent")]

    code = await daemon.syncd("outbox", "retry", "12")

    assert code != 0
    assert "delivery 12 cannot be retried: it is sent" in capsys.readouterr().err


async def test_why_shows_where_a_user_is_told_of_contests_and_what_became_of_it(
    daemon: FakeDaemon, capsys: Capture
) -> None:
    daemon.service.explained = {
        "key": "ada",
        "opted_out": False,
        "mirrored": False,
        "at": "2026-11-23T12:00:00Z",
        "score": {"total": None},
        "accounts": [],
        "notify": {"leads": [24, 1], "platforms": [], "channels": {"email": "ada@example.com"}},
        "silent": ["email reaches nobody since 2026-11-20 10:00: no such mailbox"],
        "notifications": [delivery_answer()],
    }

    code = await daemon.syncd("why", "ada")

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert "told  over email, 24 h, 1 h before contests of all platforms" in lines
    assert "      email reaches nobody since 2026-11-20 10:00: no such mailbox" in lines
    assert lines[-1].split()[2:7] == ["12", "email", "reminder", "24", "h"]
    assert "ada@example.com" not in " ".join(lines)
