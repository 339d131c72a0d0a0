from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

import pytest
from fakes.clock import FakeClock

from syncd.config.models import PlatformSettings
from syncd.errors import RunError
from syncd.model.account import Account
from syncd.model.profile import Fetched, Unchanged
from syncd.platforms.base import Platform
from syncd.telemetry.bus import Bus


class Shy(Platform):
    """Answers six anonymous requests an hour."""

    defaults = PlatformSettings.model_validate({"base_url": "https://api.example.com"})
    handle_rule = re.compile(r"[a-z]+")
    anonymous_quota: ClassVar[int | None] = 6

    async def fetch(self, account: Account) -> Fetched | Unchanged:
        raise AssertionError("nobody asks")


class Open(Shy):
    """Asks no one for a name."""

    anonymous_quota = None


def connect(kind: type[Platform] = Shy, **given: Any) -> Platform:
    settings = PlatformSettings.model_validate({**dict(kind.defaults), **given})
    return connect_all(settings, kind)[0]


def connect_all(settings: PlatformSettings, kind: type[Platform] = Shy) -> Sequence[Platform]:
    return kind.connect("shy", settings, clock=FakeClock(), bus=Bus(), random=Random(1))


TOKEN: Mapping[str, Any] = {"credentials": [{"name": "main", "token": "s3cret"}]}


@pytest.mark.parametrize(
    ("given", "quota"),
    [
        ({}, (6, 3600.0)),
        ({"quota": "5000/h"}, (6, 3600.0)),
        ({"quota": "2/h"}, (2, 3600.0)),
        ({"quota": "24/d"}, (24, 86400.0)),
        ({"quota": "5000/h", **TOKEN}, (5000, 3600.0)),
        (TOKEN, (None, 3600.0)),
    ],
)
def test_without_a_credential_the_quota_is_the_anonymous_one_or_a_smaller_one(
    given: dict[str, Any], quota: tuple[int | None, float]
) -> None:
    limits = connect(**given).limits

    assert (limits.quota, limits.quota_seconds) == quota


def test_more_accounts_than_anonymous_requests_an_hour_are_refused() -> None:
    platform = connect()

    platform.check_size(6)
    with pytest.raises(RunError) as raised:
        platform.check_size(7)

    assert str(raised.value) == (
        "7 shy accounts cannot be kept fresh without a credential: "
        "shy answers 6 anonymous requests an hour"
    )
    assert raised.value.hint == (
        "set credentials of [platforms.shy], or begin with `syncd trigger JOB --limit 6`"
    )


@pytest.mark.parametrize("platform", [connect(**TOKEN), connect(Open)])
def test_any_number_is_taken_with_a_credential_or_where_none_is_needed(platform: Platform) -> None:
    platform.check_size(10**9)


def test_each_credential_has_a_client_and_limits_of_its_own() -> None:
    given = [{"name": "first", "token": "one"}, {"name": "second", "token": "two"}]
    settings = PlatformSettings.model_validate({**dict(Shy.defaults), "credentials": given})

    first, second = connect_all(settings)
    first.client.gate.pauses.pause(90, "secondary limit")

    assert [first.credential, second.credential] == ["first", "second"]
    assert first.waits_for() == "first: shy pause until 00:01:30 UTC (secondary limit)"
    assert (second.paused_until(), second.waits_for()) == (None, "")


def test_fresh_platform_has_asked_nothing_and_waits_for_nothing() -> None:
    platform = connect()

    state = (platform.usage().calls, platform.usage().saved, platform.waits_for())

    assert state == (0, 0, "")
    assert platform.paused_until() is None


def test_pause_is_told_with_its_end() -> None:
    platform = connect()

    platform.client.gate.pauses.pause(90, "secondary limit")

    assert str(platform.paused_until()) == "2026-01-01 00:01:30+00:00"
    assert platform.waits_for() == "shy pause until 00:01:30 UTC (secondary limit)"
