"""Fault G4: kill -9 at every step of a delivery: twice only where it is resent in doubt."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from fakes.post_office import CLAIM, COMMIT, PICK, SETTLE, PostOffice, PostOffices
from fakes.postgres_proxy import Point, When
from fakes.waiting import DEADLINE_SECONDS

from syncd.sandbox.answer import Answer
from syncd.sandbox.faults import hang

pytestmark = pytest.mark.timeout(300)

# Who is told over a channel that resends, and over one that holds; each of other contests.
PEOPLE = {"email": "ada", "webhook": "bo"}
PLATFORMS = {"email": "codeforces", "webhook": "atcoder"}
FOR_EVER = 60.0

AT = {
    "armed": Point(sql=PICK),
    "claiming": Point(sql=COMMIT, within=CLAIM),
    "claimed": Point(sql=COMMIT, within=CLAIM, when=When.COMMITTED),
    "answered": Point(sql=SETTLE),
    "storing": Point(sql=COMMIT, within=SETTLE),
    "stored": Point(sql=COMMIT, within=SETTLE, when=When.COMMITTED),
}
ON_THE_WIRE = ("sent", "taken")


@dataclass(frozen=True, slots=True)
class Fate:
    """How often a delivery arrives, what it is in the end, how often that was not known."""

    arrived: int
    state: str
    unknowns: int


SAFE = Fate(1, "sent", 0)
FATES: Mapping[str, Mapping[str, Fate]] = {
    "webhook": {
        **dict.fromkeys(("armed", "claiming", "stored"), SAFE),
        **dict.fromkeys(("claimed", "sent"), Fate(0, "unknown", 1)),
        **dict.fromkeys(("taken", "answered", "storing"), Fate(1, "unknown", 1)),
    },
    "email": {
        **dict.fromkeys(("armed", "claiming", "stored"), SAFE),
        **dict.fromkeys(("claimed", "sent"), Fate(1, "sent", 1)),
        **dict.fromkeys(("taken", "answered", "storing"), Fate(2, "sent", 1)),
    },
}
EVERY_DAY = (
    ("webhook", "armed"),
    ("webhook", "claimed"),
    ("email", "taken"),
    ("webhook", "answered"),
    ("email", "storing"),
)


async def people(office: PostOffice) -> None:
    for channel, key in PEOPLE.items():
        await office.person(key, channel, platforms=[PLATFORMS[channel]])


async def killed(office: PostOffice, channel: str, step: str) -> None:
    """Kill the daemon at this step of the first of what is due over a channel."""
    only = {"only": [PEOPLE[channel]]}
    if step not in ON_THE_WIRE:
        point = AT[step]
        holding = channel.encode() if step == "armed" else b""
        await office.dies_at(Point(**_fields(point) | {"holding": holding}), **only)
    elif channel == "email":
        sink = office.boxes.sink
        sink.delays(FOR_EVER, at="data" if step == "sent" else "content")
        before = sink.commands.count("DATA"), len(sink.mails)
        wanted = (before[0] + 1, before[1] + (step == "taken"))
        await office.dies_when(
            lambda: (sink.commands.count("DATA"), len(sink.mails)) == wanted, **only
        )
        sink.recovers()
    else:
        hooks = office.boxes.hooks
        if step == "sent":
            hooks.refusals.append(Answer(status=503, delay_seconds=FOR_EVER))
        else:
            hooks.faults.add(hang(), times=1)
        asked = hooks.requests
        await office.dies_when(lambda: hooks.requests > asked, **only)


def _fields(point: Point) -> dict[str, Any]:
    return {name: getattr(point, name) for name in ("sql", "when", "within", "nth")}


async def fate(office: PostOffice, channel: str, contest: str) -> Fate:
    [row] = [
        row
        for row in await office.rows()
        if (row["channel"], row["contest_name"]) == (channel, contest)
    ]
    arrived = office.boxes.arrived()[channel, PEOPLE[channel], contest]
    return Fate(arrived, row["state"], row["unknowns"])


async def struck(office: PostOffice, channel: str, step: str) -> None:
    """Kill a delivery, and see that it and the one behind it come to what they should."""
    name = f"{channel} {step}"
    first, second = f"{name}, the first", f"{name}, the second"
    await office.contest(first, 2, PLATFORMS[channel])
    await office.contest(second, 3, PLATFORMS[channel])
    await killed(office, channel, step)

    run = await office.goes_on()

    assert await fate(office, channel, first) == FATES[channel][step], (name, run)
    assert await fate(office, channel, second) == SAFE, (name, run)
    assert run["outcome"] in {"succeeded", "partial"}, run
    told = {row["contest_name"] for row in await office.listed()}
    assert (first in told) == (FATES[channel][step].state == "unknown"), name
    await office.check()


async def test_delivery_that_was_killed_arrives_twice_only_under_resend_and_never_only_under_hold(
    post_office: PostOffices,
) -> None:
    async with post_office() as office:
        await people(office)
        for channel, step in EVERY_DAY:
            await struck(office, channel, step)

        # Whoever is killed again while it sends once more leaves it to a person.
        await office.contest("Twice", hours=2)
        await killed(office, "email", "answered")
        fell = office.line.strike(AT["answered"], office.daemon_dies)
        # It may be gone before it has answered even once.
        with contextlib.suppress(AssertionError):
            await office.daemon.start(ready=False)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await fell.wait()
        await office.daemon.ended()
        await office.goes_on()

        assert await fate(office, "email", "Twice") == Fate(2, "unknown", 2)
        assert "Twice" in {row["contest_name"] for row in await office.listed()}


@pytest.mark.full
@pytest.mark.parametrize("step", [*AT, *ON_THE_WIRE])
@pytest.mark.parametrize("channel", PEOPLE)
async def test_delivery_that_was_killed_at_any_step(
    post_office: PostOffices, channel: str, step: str
) -> None:
    async with post_office() as office:
        await people(office)
        await struck(office, channel, step)
