"""`syncd dead-letters`, over a real control port that knows the letter 4812."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.daemon import AnswerService, FakeDaemon, fake_daemon


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with fake_daemon(tmp_path, AnswerService()) as daemon:
        yield daemon


async def test_a_letter_that_is_named_twice_is_decided_once(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("dead-letters", "requeue", "4812", "4812")

    assert (code, capsys.readouterr().out) == (0, "1 dead letter requeued\n")


async def test_what_was_decided_before_a_number_failed_is_told(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("dead-letters", "requeue", "4812", "9999")

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "requeued before dead letter 9999 failed: 4812"
