"""Faults 64-66, 68 and 69: what arrives, what goes later and what never does, as channels fail."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest
from fakes.post_office import PostOffice, PostOffices

from syncd.sandbox.faults import cut
from syncd.sandbox.smtp_failures import CUT

pytestmark = pytest.mark.timeout(120)

PEOPLE = ("ada", "bo", "cy", "dee", "eve", "fay")


async def everybody(office: PostOffice, *channels: str) -> None:
    for key in PEOPLE:
        await office.person(key, *channels)


async def test_mail_server_that_dies_after_some_mails_gets_the_others_when_it_is_back(
    post_office: PostOffices,
) -> None:
    async with post_office() as office:
        sink = office.boxes.sink
        await everybody(office, "email", "ntfy")
        await office.contest("Cup")
        sink.dies_after = 3
        await office.trigger()
        rested = await office.daemon.told("channel.rested", channel="email")
        await office.comes_to("email", sent=3, pending=3)
        await office.comes_to("ntfy", sent=len(PEOPLE))
        code = await office.daemon.stop()
        sink.recovers()
        await office.waits_are_over()
        run = await office.goes_on()
        after = await office.states("email")
        await office.dispatch()

        assert code == 0
        assert "cannot reach the mail server" in rested["error"]
        assert rested["hint"]
        assert (run["outcome"], after) == ("succeeded", dict.fromkeys(PEOPLE, "sent"))
        # What the channel could not do used up no attempt.
        assert {row["attempts"] for row in await office.rows()} == {1}
        assert len(sink.mails) == len(PEOPLE)


async def test_mail_whose_answer_was_lost_goes_once_more_and_what_is_held_does_not(
    post_office: PostOffices,
) -> None:
    async with post_office() as office:
        sink = office.boxes.sink
        await office.person("ada", "email", "webhook")
        await office.contest("Lost")
        sink.fails(CUT, at="content", keeps=True, times=1)
        office.boxes.hooks.faults.add(cut(0), times=1)
        await office.dispatch()
        in_doubt = await office.listed("open")
        await again(office)

        first, second = office.boxes.mails("ada")
        assert {row["channel"]: row["state"] for row in in_doubt} == {
            "email": "pending",
            "webhook": "unknown",
        }
        assert all(row["error"] and row["hint"] for row in in_doubt)
        assert first["Message-ID"] == second["Message-ID"]
        assert await office.states("email") == {"ada": "sent"}
        assert await unknown(office) == {("webhook", "Lost")}

        await office.contest("Twice lost")
        sink.fails(CUT, at="content", keeps=True, times=2)
        await office.dispatch()
        await again(office)

        assert office.boxes.arrived()["email", "ada", "Twice lost"] == 2
        assert await unknown(office) == {("webhook", "Lost"), ("email", "Twice lost")}

        office.daemon.configure({"channels.email": {"on_unknown": "hold"}})
        assert (await office.daemon.command("reload")).code == 0
        await office.contest("Held")
        sink.fails(CUT, at="content", keeps=True, times=1)
        await office.dispatch()
        await again(office)

        assert office.boxes.arrived()["email", "ada", "Held"] == 1
        assert ("email", "Held") in await unknown(office)


async def again(office: PostOffice) -> None:
    """Dispatch twice more, as if enough time had passed each time."""
    for _ in range(2):
        await office.waits_are_over()
        await office.dispatch()


# On the third day nobody is believed to be there.
REFUSED_TWICE = """
    UPDATE notify_addresses SET failed_days = ARRAY[current_date - 2, current_date - 1]
    FROM users WHERE users.id = user_id AND users.key = $1
    RETURNING user_id
"""


async def unknown(office: PostOffice) -> set[tuple[str, str]]:
    return {(row["channel"], row["contest_name"]) for row in await office.listed()}


async def test_refusals_of_a_mail_server_put_off_fail_or_bury_only_whom_they_are_about(
    post_office: PostOffices,
) -> None:
    async with post_office() as office:
        sink = office.boxes.sink
        await everybody(office, "email")
        await office.daemon.fetch(REFUSED_TWICE, "cy")
        sink.fails("451 4.7.1 Greylisted, try again later", at="rcpt", recipient="bo@*", times=1)
        sink.fails("550 5.1.1 No such mailbox", at="rcpt", recipient="cy@*")
        sink.fails("552 5.2.2 Mailbox full", at="rcpt", recipient="dee@*")
        await office.contest("Cup")
        run = await office.dispatch()
        first = {row["key"]: row for row in await office.rows()}
        await office.waits_are_over()
        await office.dispatch()
        later = await office.states("email", "Cup")

        assert {key: row["state"] for key, row in first.items()} == {
            **dict.fromkeys(PEOPLE, "sent"),
            "bo": "pending",
            "cy": "failed",
            "dee": "failed",
        }
        assert (run["outcome"], run["created"], run["failed"]) == ("partial", 3, 2)
        assert "451" in first["bo"]["error"]
        assert "552" in first["dee"]["error"]
        assert later == {**dict.fromkeys(PEOPLE, "sent"), "cy": "failed", "dee": "failed"}
        died = office.daemon.said("address.died")
        assert [line["user_key"] for line in died] == ["cy"]

        # A server that closes is asked by nobody for a while, and nobody is blamed for it.
        sink.fails("421 4.3.2 Closing", at="rcpt", recipient="ada@*", times=1)
        await office.contest("Trophy")
        await office.trigger()
        await office.daemon.told("channel.rested", channel="email")
        await office.daemon.restart()
        await office.waits_are_over()
        await office.dispatch()
        await office.comes_to("email", sent=8, failed=3)

        good = dict.fromkeys(PEOPLE, "sent")
        del good["cy"]
        assert await office.states("email", "Trophy") == {**good, "dee": "failed"}


async def test_contests_that_began_in_an_outage_are_not_told_and_the_others_once(
    post_office: PostOffices,
) -> None:
    async with post_office() as office:
        await office.person("ada", "email", leads=[1])
        await office.person("bo", "email")
        await office.contest("Begun", hours=2)
        await office.contest("Nearly", hours=3.5)
        await office.contest("Far", hours=10)
        office.boxes.sink.fails("451 4.7.1 Later", at="rcpt", recipient="bo@*", times=1)
        await office.dispatch(limit=3)
        before = {(row["key"], row["contest_name"]): row["state"] for row in await office.rows()}
        await office.daemon.fetch(
            "UPDATE notifications SET next_attempt_at = now() + interval '10 minutes'"
            " WHERE state = 'pending'"
        )
        office.daemon.kill(signal.SIGKILL)
        await office.daemon.ended()
        await office.time_passes(timedelta(hours=3))
        await office.daemon.start()
        run = await office.dispatch()
        await office.dispatch()
        after = {(row["key"], row["contest_name"]): row["state"] for row in await office.rows()}

        assert before == {
            ("bo", "Begun"): "pending",
            ("bo", "Nearly"): "sent",
            ("bo", "Far"): "sent",
        }
        assert after == {
            ("ada", "Begun"): "expired",
            ("ada", "Nearly"): "sent",
            ("bo", "Begun"): "expired",
            ("bo", "Nearly"): "sent",
            ("bo", "Far"): "sent",
        }
        assert (run["created"], run["skipped"]) == (1, 1)
        armed = office.daemon.said("notifications.armed")[-2]
        assert (armed["deliveries"], armed["missed"]) == (2, 1)


async def test_dead_browsers_go_and_a_channel_that_refuses_costs_no_other_a_message(
    post_office: PostOffices,
) -> None:
    async with post_office() as office:
        boxes = office.boxes
        for key in ("ada", "bo", "cy"):
            await office.person(key)
        boxes.browsers["ada"].is_gone = True
        del boxes.push.browsers[boxes.browsers["bo"].name]
        boxes.cloud.refuse(429, "slow down", Retry_After="90")
        await office.contest("Cup")
        run = await office.dispatch()
        first = {name: await office.states(name, "Cup") for name in ALL}
        asked = boxes.push.requests, boxes.cloud.requests

        assert run["outcome"] == "partial"
        assert first["webpush"] == {"ada": "failed", "bo": "failed", "cy": "sent"}
        assert set(first["whatsapp"].values()) == {"pending"}
        for name in ("email", "ntfy", "webhook"):
            assert set(first[name].values()) == {"sent"}, name
        assert asked == (3, 1)

        await office.daemon.restart()
        boxes.cloud.answers[boxes.numbers["ada"]] = REFUSED_TEMPLATE
        boxes.cloud.answers[boxes.numbers["bo"]] = REFUSED_TEMPLATE
        boxes.cloud.answers[boxes.numbers["cy"]] = REFUSED_TEMPLATE
        await office.contest("Trophy")
        await office.waits_are_over()
        await office.dispatch()
        await office.comes_to("whatsapp", pending=6)
        second = {name: await office.states(name, "Trophy") for name in ALL}

        died = office.daemon.said("address.died")
        assert sorted(line["user_key"] for line in died) == ["ada", "bo"]
        assert boxes.push.requests == asked[0] + 1
        assert second["webpush"] == {"cy": "sent"}
        assert set(second["whatsapp"].values()) == {"pending"}
        for name in ("email", "ntfy", "webhook"):
            assert set(second[name].values()) == {"sent"}, name
        # One refusal speaks for the template: nobody else was tried with it.
        assert boxes.cloud.requests == asked[1] + 1

        await office.daemon.restart()
        boxes.cloud.answers.clear()
        await office.waits_are_over()
        await office.dispatch()
        await office.comes_to("whatsapp", sent=6)


ALL = ("email", "whatsapp", "webpush", "ntfy", "webhook")
REFUSED_TEMPLATE = 132_001
