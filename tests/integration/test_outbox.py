"""Deliveries over the control port: looked at, retried, dropped, read and counted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from fakes.control import TOKEN
from fakes.controlled import Desk
from fakes.web_port import Call, web_port

from syncd.cli.words import told_of
from syncd.errors import LeaseLost
from syncd.model.account import UserEntry
from syncd.model.outbox import Order
from syncd.model.preferences import NotifyChange
from syncd.web.server import ControlServer, ControlSettings

ADDRESS = "ada.lovelace@loft.example"
ADD = """
    INSERT INTO notifications (user_id, contest_id, channel, occasion, lead_hours, schedule_version,
        platform, contest_name, contest_url, starts_at, ends_at, due_at, expires_at, state,
        attempts, sent_at, sent_on, error, updated_at)
    SELECT users.id, $2, $3, 'reminder', 24, 1, 'atcoder', 'ABC', 'https://atcoder.example/',
        $5::timestamptz, $5::timestamptz + interval '2 hours', $5::timestamptz - interval '1 day',
        $5::timestamptz, $4, 5, CASE WHEN $4 = 'sent' THEN $6::timestamptz END,
        CASE WHEN $4 = 'sent' THEN ($6::timestamptz AT TIME ZONE 'UTC')::date END, 'no answer',
        $6::timestamptz
    FROM users WHERE key = $1
    RETURNING id
"""


class Box:
    """A desk whose outbox a test fills."""

    def __init__(self, desk: Desk, call: Call) -> None:
        self.desk = desk
        self.call = call
        self._contests = 0

    @property
    def now(self) -> datetime:
        return self.desk.clock.now()

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        async with self.desk.core.database.connection() as connection:
            return list(await connection.fetch(sql, *values))

    async def user(self, key: str, address: str = ADDRESS) -> None:
        change = NotifyChange(addresses={"pigeon": address})
        await self.desk.control.put_user(UserEntry(key=key, notify=change))

    async def add(
        self,
        state: str,
        key: str = "ada",
        *,
        channel: str = "pigeon",
        starts_in: float = 5,
        days_ago: int = 0,
    ) -> int:
        self._contests += 1
        starts_at = self.now + timedelta(hours=starts_in)
        at = self.now - timedelta(days=days_ago)
        found = await self.rows(ADD, key, self._contests, channel, state, starts_at, at)
        return int(found[0]["id"])

    async def add_contest(self, number: int, **changes: Any) -> None:
        """Let there be the contest of a delivery, as it is now."""
        columns = {"schedule_version": 1, "occasion": "announced", "cancelled_at": None} | changes
        await self.rows(
            """
            INSERT INTO contests (id, platform, external_id, name, url, starts_at, ends_at,
                duration_seconds, schedule_version, occasion, occasion_at, source, raw,
                first_seen_at, last_seen_at, changed_at, cancelled_at)
            OVERRIDING SYSTEM VALUE
            VALUES ($1, 'atcoder', $1::bigint::text, 'ABC', '', $2, $2, 0, $3, $4, $2, 'atcoder',
                '{}', $2, $2, $2, $5)
            """,
            number,
            self.now,
            *columns.values(),
        )


@pytest.fixture
async def box(desk: Desk, pigeon: str) -> AsyncIterator[Box]:
    async with web_port(desk) as call:
        box = Box(desk, call)
        await box.user("ada")
        yield box


async def listed(box: Box, query: str = "") -> list[int]:
    _, _, body = await box.call("GET", f"/api/outbox{query}")
    return [each["id"] for each in body["deliveries"]]


async def test_what_was_not_delivered_is_listed_newest_first_and_narrowed(box: Box) -> None:
    await box.user("bo")
    pending, sent, unknown, failed = [
        await box.add(state) for state in ("pending", "sent", "unknown", "failed")
    ]
    other = await box.add("pending", "bo", channel="email")

    assert await listed(box) == [other, failed, unknown, pending]
    assert await listed(box, "?state=sent") == [sent]
    assert await listed(box, "?state=all&limit=2") == [other, failed]
    assert await listed(box, f"?state=all&before={unknown}") == [sent, pending]
    assert await listed(box, "?user=bo") == [other]
    assert await listed(box, "?channel=pigeon&state=unknown") == [unknown]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?channel=owl", 404),
        ("?user=zz", 404),
        ("?state=lost", 422),
        ("?limit=0", 422),
        ("?before=0", 422),
    ],
)
async def test_what_cannot_be_looked_for_is_said(box: Box, query: str, status: int) -> None:
    found, _, body = await box.call("GET", f"/api/outbox{query}")

    assert (found, bool(body["hint"])) == (status, True)


async def test_no_address_is_shown_whole(box: Box) -> None:
    await box.add("failed")

    bodies = [
        (await box.call("GET", path))[2]
        for path in ("/api/outbox", "/api/users/ada/notifications", "/api/users/ada/why")
    ]

    assert bodies[0]["deliveries"][0]["address"] == "a***@loft.example"
    assert "lovelace" not in json.dumps([bodies[0], bodies[1], bodies[2]["notifications"]])


@pytest.mark.parametrize("state", ["failed", "unknown", "expired", "dropped"])
async def test_what_was_not_delivered_is_retried_with_all_attempts(box: Box, state: str) -> None:
    number = await box.add(state)

    status, _, told = await box.call("POST", f"/api/outbox/{number}/retry")
    again, _, _ = await box.call("POST", f"/api/outbox/{number}/retry")

    assert (status, again) == (200, 200)
    assert (told["state"], told["attempts"], told["error"]) == ("pending", 0, "")
    assert datetime.fromisoformat(told["next_attempt_at"]) == box.now


@pytest.mark.parametrize(
    ("state", "why"), [("sending", "it is being sent"), ("sent", "it is sent")]
)
@pytest.mark.parametrize(("order", "word"), [("retry", "retried"), ("drop", "dropped")])
async def test_what_is_sent_or_being_sent_is_neither_retried_nor_dropped(
    box: Box, state: str, why: str, order: str, word: str
) -> None:
    number = await box.add(state)

    status, _, told = await box.call("POST", f"/api/outbox/{number}/{order}")

    assert (status, told["error"]) == (409, f"delivery {number} cannot be {word}: {why}")


async def test_what_lies_in_the_way_of_a_retry_is_said(box: Box) -> None:
    begun = await box.add("unknown", starts_in=-1)
    moved, cancelled = await box.add("failed"), await box.add("failed")
    await box.add_contest(2, schedule_version=2, occasion="moved")
    await box.add_contest(3, occasion="cancelled", cancelled_at=box.now)
    no_address = await box.add("failed", channel="email")
    await box.user("bo")
    opted_out = await box.add("failed", "bo")
    await box.desk.control.opt_out("bo", opted_out=True)
    gone, dead = await box.add("failed"), await box.add("failed")
    await box.rows("UPDATE notifications SET user_id = -1 WHERE id = $1", gone)

    async def ask(number: int) -> str:
        status, _, told = await box.call("POST", f"/api/outbox/{number}/retry")
        assert status == 409
        return str(told["error"]).partition(": ")[2]

    told = [await ask(number) for number in (begun, moved, cancelled, no_address, opted_out, gone)]
    await box.rows("UPDATE notify_addresses SET state = 'dead'")
    told.append(await ask(dead))
    await box.rows("UPDATE notify_addresses SET state = 'off'")
    told.append(await ask(dead))

    assert told == [
        "its contest has begun",
        "its contest moved: other deliveries tell of it",
        "its contest was cancelled",
        "its user has no address there any more",
        "its user opted out",
        "its user is gone",
        "nobody is at that address any more",
        "its user unsubscribed",
    ]
    [row] = await box.rows("SELECT count(*) AS pending FROM notifications WHERE state = 'pending'")
    assert row["pending"] == 0


async def test_all_unknown_are_retried_but_those_that_cannot_be(box: Box) -> None:
    kept = [await box.add("unknown") for _ in range(3)]
    await box.add("unknown", starts_in=-1)
    await box.add("unknown", channel="email")
    failed = await box.add("failed")

    unsaid, _, _ = await box.call("POST", "/api/outbox/retry", channel="pigeon")
    status, _, told = await box.call(
        "POST", "/api/outbox/retry", all_unknown=True, channel="pigeon"
    )

    assert (unsaid, status) == (422, 200)
    assert told == {"retried": 3, "left": {"its contest has begun": 1}}
    assert await listed(box, "?state=pending") == kept[::-1]
    assert await listed(box, "?state=failed") == [failed]


async def test_what_is_dropped_is_never_sent_and_can_be_taken_back(box: Box) -> None:
    number = await box.add("pending")

    status, _, dropped = await box.call("POST", f"/api/outbox/{number}/drop")
    again, _, _ = await box.call("POST", f"/api/outbox/{number}/drop")
    _, _, back = await box.call("POST", f"/api/outbox/{number}/retry")

    assert (status, again) == (200, 200)
    assert (dropped["state"], dropped["error"]) == ("dropped", "dropped by token")
    assert dropped["next_attempt_at"] is None
    assert back["state"] == "pending"


async def test_a_notification_is_read_once(box: Box) -> None:
    number = await box.add("sent")
    begun = box.now

    _, _, first = await box.call("POST", f"/api/notifications/{number}/read")
    await box.desk.clock.advance(60)
    status, _, again = await box.call("POST", f"/api/notifications/{number}/read")

    assert status == 200
    assert datetime.fromisoformat(first["read_at"]) == begun
    assert again["read_at"] == first["read_at"]


async def test_what_was_not_sent_cannot_be_read(box: Box) -> None:
    number = await box.add("pending")

    status, _, told = await box.call("POST", f"/api/notifications/{number}/read")

    assert (status, told["error"]) == (
        409,
        f"delivery {number} cannot have been read: it is still to be sent",
    )


@pytest.mark.parametrize(
    "path", ["/api/outbox/9/retry", "/api/outbox/9/drop", "/api/notifications/9/read"]
)
async def test_a_delivery_that_is_not_there_is_not_known(box: Box, path: str) -> None:
    status, _, told = await box.call("POST", path)

    assert (status, told["error"]) == (404, "there is no delivery 9")


async def test_a_user_sees_everything_they_were_told_newest_first(box: Box) -> None:
    await box.user("bo")
    mine = [await box.add(state) for state in ("sent", "expired", "pending")]
    await box.add("sent", "bo")

    _, _, whole = await box.call("GET", "/api/users/ada/notifications")
    _, _, older = await box.call("GET", f"/api/users/ada/notifications?before={mine[2]}&limit=1")
    nobody, _, _ = await box.call("GET", "/api/users/zz/notifications")

    assert [each["id"] for each in whole["notifications"]] == mine[::-1]
    assert [each["id"] for each in older["notifications"]] == [mine[1]]
    assert nobody == 404


async def test_deliveries_are_counted_by_channel_and_day(box: Box) -> None:
    for state, days_ago in [("sent", 0), ("sent", 0), ("failed", 0), ("unknown", 1), ("sent", 9)]:
        number = await box.add(state, days_ago=days_ago)
    await box.add("expired", channel="email")
    await box.add("pending")
    await box.call("POST", f"/api/notifications/{number - 4}/read")

    _, _, week = await box.call("GET", "/api/notifications/statistics")
    _, _, month = await box.call("GET", "/api/notifications/statistics?days=30")

    none = {"sent": 0, "failed": 0, "unknown": 0, "expired": 0, "dropped": 0, "read": 0}
    today, yesterday = (f"{box.now - timedelta(days=days):%Y-%m-%d}" for days in (0, 1))
    assert week["days"] == [
        {"day": today, "channel": "email", **none, "expired": 1},
        {"day": today, "channel": "pigeon", **none, "sent": 2, "failed": 1, "read": 1},
        {"day": yesterday, "channel": "pigeon", **none, "unknown": 1},
    ]
    assert len(month["days"]) == 4


async def test_who_does_not_lead_changes_nothing(box: Box) -> None:
    number = await box.add("failed")
    control = box.desk.control
    box.desk.core.around.stores.runs.fence.close()

    with pytest.raises(LeaseLost):
        await control.decide_delivery(Order.RETRY, number, actor="me")
    with pytest.raises(LeaseLost):
        await control.retry_unknown(None)
    with pytest.raises(LeaseLost):
        await control.mark_read(number)

    assert await listed(box, "?state=failed") == [number]


async def test_a_stranger_learns_and_changes_nothing(desk: Desk, box: Box) -> None:
    number = await box.add("failed")
    settings = ControlSettings(port=0, token=TOKEN)
    answers = []
    async with (
        ControlServer(desk.control, settings, bus=desk.core.bus, clock=desk.clock) as server,
        aiohttp.ClientSession() as session,
    ):
        base = f"http://127.0.0.1:{server.port}/api"
        for method, path in (
            ("GET", "/outbox"),
            ("GET", "/users/ada/notifications"),
            ("GET", "/notifications/statistics"),
            ("POST", f"/outbox/{number}/drop"),
            ("POST", f"/notifications/{number}/read"),
        ):
            async with session.request(method, base + path) as answer:
                answers.append(answer.status)
        bearer = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.example"}
        async with session.post(f"{base}/outbox/{number}/drop", headers=bearer) as answer:
            answers.append(answer.status)

    assert answers == [401, 401, 401, 401, 401, 403]
    assert await listed(box) == [number]


async def test_why_tells_what_a_user_was_told_and_what_reaches_nobody(box: Box) -> None:
    numbers = [await box.add("sent") for _ in range(7)]
    await box.rows(
        "UPDATE notify_addresses SET state = 'dead', state_reason = 'no such mailbox', "
        "state_since = '2026-11-20 10:00Z'"
    )

    _, _, why = await box.call("GET", "/api/users/ada/why")

    assert [each["id"] for each in why["notifications"]] == numbers[::-1][:5]
    assert {told_of(each) for each in why["notifications"]} == {"reminder 24 h"}
    assert why["silent"] == ["pigeon reaches nobody since 2026-11-20 10:00: no such mailbox"]


async def test_who_is_forgotten_leaves_no_notification(box: Box) -> None:
    await box.add("sent")

    answer = await box.desk.control.forget_user("ada", dry_run=False)

    assert answer["removed"]["notifications"] == 1
    assert await box.rows("SELECT id FROM notifications") == []
