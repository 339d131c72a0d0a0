"""What users want to be told of: given by API and by file, kept, changed and taken back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from fakes.controlled import Desk, controlled, text_for
from fakes.web_port import Call, web_port

from syncd.errors import BadInput
from syncd.model.account import UserEntry
from syncd.model.preferences import NotifyChange
from syncd.store.database import Database

ADA = "/api/users/ada"
WANTS = {
    "platforms": ["atcoder", "codeforces"],
    "leads": [24, 1],
    "timezone": "Asia/Kolkata",
    "quiet": {"from": "22:00", "until": "07:00"},
    "language": "pt-BR",
    "digest": True,
    "channels": {"pigeon": "ada@loft.example"},
}
SECRET = {"loft": "old town", "secret": "loft-key-7"}


@pytest.fixture
async def call(desk: Desk, pigeon: str) -> AsyncIterator[Call]:
    async with web_port(desk) as call:
        yield call


async def stored(call: Call) -> Any:
    _, _, user = await call("GET", ADA)
    return user["notify"]


async def run(desk: Desk, sql: str, *values: Any) -> list[Any]:
    async with desk.core.database.connection() as connection:
        return list(await connection.fetch(sql, *values))


async def imported(desk: Desk, *users: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
    text = "\n".join(map(json.dumps, users))
    return await desk.control.import_users(text, format="json", dry_run=dry_run)


async def test_what_is_put_is_read_in_the_same_shape(call: Call) -> None:
    status, _, put = await call("PUT", ADA, notify=WANTS)

    assert (status, put["notify"]) == (200, WANTS)
    assert await stored(call) == WANTS
    [address] = put["addresses"]
    assert (address["channel"], address["state"]) == ("pigeon", "active")


async def test_who_said_nothing_has_no_preferences(call: Call) -> None:
    await call("PUT", ADA, accounts={})

    assert await stored(call) is None


async def test_a_key_that_is_left_out_stays_and_null_resets_it(call: Call) -> None:
    await call("PUT", ADA, notify=WANTS)

    await call("PUT", ADA, notify={"leads": [2, 2, 48], "quiet": None, "platforms": None})
    await call("PUT", ADA, opted_out=False)

    assert await stored(call) == {**WANTS, "leads": [48, 2], "quiet": None, "platforms": []}


async def test_who_says_little_gets_the_rest_as_it_usually_is(call: Call) -> None:
    await call("PUT", ADA, notify={"channels": {"pigeon": "Ada@loft.example"}})

    assert await stored(call) == {
        "platforms": [],
        "leads": [24],
        "timezone": "UTC",
        "quiet": None,
        "language": "en",
        "digest": False,
        "channels": {"pigeon": "ada@loft.example"},
    }


async def test_channels_are_all_there_are_and_null_takes_everything_back(
    call: Call, desk: Desk
) -> None:
    await call("PUT", ADA, notify=WANTS)

    await call("PUT", ADA, notify={"channels": {}})
    without = await stored(call)
    await call("PUT", ADA, notify=WANTS)
    await call("PUT", ADA, notify=None, accounts={})

    assert without == {**WANTS, "channels": {}}
    assert await stored(call) is None
    assert await run(desk, "SELECT channel FROM notify_addresses") == []


async def test_a_subscription_is_given_and_read_as_an_object(call: Call) -> None:
    await call("PUT", ADA, notify={"channels": {"pigeon": SECRET}})

    assert (await stored(call))["channels"] == {"pigeon": SECRET}


async def test_an_address_is_in_no_audit_and_no_refusal(desk: Desk, call: Call) -> None:
    events: list[str] = []
    with desk.core.bus.subscribed(lambda event: events.append(str(event))):
        good = await call("PUT", ADA, notify={"channels": {"pigeon": SECRET}})
        bad = await call("PUT", ADA, notify={"channels": {"pigeon": "loft-key-7"}})

    assert (good[0], bad[0]) == (200, 422)
    assert events
    assert "loft-key-7" not in " ".join(events) + json.dumps(bad[2])


BAD = [
    ({"leads": [0]}, "notify.leads.0: must be a whole number of hours from 1 to 168"),
    ({"leads": [1, 169]}, "notify.leads.1: must be a whole number of hours from 1 to 168"),
    ({"leads": [1.5]}, "notify.leads.0: must be a whole number of hours from 1 to 168"),
    ({"leads": ["24"]}, "notify.leads.0: must be a whole number of hours from 1 to 168"),
    ({"leads": [True]}, "notify.leads.0: must be a whole number of hours from 1 to 168"),
    ({"leads": 24}, "notify.leads: must be a list"),
    ({"leads": []}, "notify.leads: "),
    ({"leads": list(range(1, 12))}, "notify.leads: "),
    ({"platforms": ["github"]}, "notify.platforms: 'github' announces no contests"),
    ({"platforms": ["codeforce"]}, 'did you mean "codeforces"?'),
    ({"platforms": "atcoder"}, "notify.platforms: must be a list"),
    ({"timezone": "Asia/Calcuta"}, "notify.timezone: must be a time zone"),
    ({"timezone": "../../etc/passwd"}, "notify.timezone: must be a time zone"),
    ({"timezone": ""}, "notify.timezone: must be a time zone"),
    ({"quiet": {"from": "22:00"}}, "notify.quiet.until: is missing"),
    ({"quiet": {"until": "07:00"}}, "notify.quiet.from: is missing"),
    ({"quiet": {"from": "22:00", "until": "24:00"}}, "notify.quiet.until: must be a time"),
    ({"quiet": {"from": "22:00", "until": "22:00"}}, "notify.quiet: from and until must differ"),
    ({"quiet": "22:00"}, "notify.quiet: must be an object"),
    ({"language": "english please"}, "notify.language: must be a language"),
    ({"digest": "yes"}, "notify.digest: must be true or false"),
    ({"channels": {"owl": "ada"}}, "notify.channels.owl: there is no such channel"),
    ({"channels": {"base": "ada"}}, "notify.channels.base: there is no such channel"),
    ({"channels": {"../pigeon": "ada"}}, "notify.channels.../pigeon: there is no such channel"),
    ({"channels": {"pigeon": "ada"}}, "notify.channels.pigeon: must be the name of a loft"),
    ({"channels": {"pigeon": 7}}, "notify.channels.pigeon: must be text, or the object"),
    ({"channels": {"pigeon": "a" * 5000}}, "notify.channels.pigeon: is longer than 4,096"),
    ({"channels": ["pigeon"]}, "notify.channels: must be an object"),
    ({"lead": [1]}, 'notify.lead: unknown key, did you mean "leads"?'),
]


@pytest.mark.parametrize(("notify", "sentence"), BAD)
async def test_what_cannot_be_is_refused_with_one_sentence_and_others_are_served(
    desk: Desk, call: Call, notify: dict[str, Any], sentence: str
) -> None:
    status, _, told = await call("PUT", ADA, notify=notify)
    answer = await imported(
        desk, {"key": "bo", "notify": WANTS}, {"key": "ada", "notify": notify}, {"key": "cy"}
    )

    assert (status, len(told["problems"])) == (422, 1)
    assert sentence in told["problems"][0]
    assert "?;" not in told["problems"][0]
    assert (answer["users"], answer["created"], answer["refused"]) == (2, 2, 1)
    [problem] = answer["problems"]
    assert problem.startswith("line 2: notify.")
    assert sentence in problem
    assert [user["key"] for user in await desk.control.users("", 9)] == ["bo", "cy"]


@pytest.mark.parametrize("state", ["off", "dead"])
async def test_an_address_nothing_is_sent_to_is_active_again_where_its_user_chose_it_anew(
    desk: Desk, call: Call, state: str
) -> None:
    await call("PUT", ADA, notify=WANTS)

    async def stands() -> str:
        [row] = await run(desk, "SELECT state, failed_days FROM notify_addresses")
        return str(row["state"]) + str(len(row["failed_days"]))

    async def fall() -> None:
        sql = "UPDATE notify_addresses SET state = $1, failed_days = '{2026-11-01}'"
        await run(desk, sql, state)

    found = []
    await fall()
    await imported(desk, {"key": "ada", "notify": WANTS})
    found.append(await stands())
    await call("PUT", ADA, notify={"leads": [3]})
    found.append(await stands())
    await call("PUT", ADA, notify=WANTS)
    found.append(await stands())
    await fall()
    await imported(desk, {"key": "ada", "notify": {"channels": {"pigeon": "new@loft.example"}}})
    found.append(await stands())

    assert found == [f"{state}1", f"{state}1", "active0", "active0"]


async def test_what_is_exported_is_imported_as_the_same(desk: Desk, call: Call) -> None:
    await call("PUT", ADA, notify={**WANTS, "channels": {"pigeon": SECRET}})
    before = await stored(call)

    answer = await imported(desk, {"key": "ada", "notify": before})

    assert (answer["changed"], answer["same"]) == (0, 1)
    assert await stored(call) == before


async def test_a_dry_run_stores_nothing(desk: Desk, call: Call) -> None:
    answer = await imported(desk, {"key": "ada", "notify": WANTS}, dry_run=True)

    assert answer["created"] == 1
    assert await run(desk, "SELECT user_id FROM notify_preferences") == []


async def test_twenty_thousand_are_imported_in_seconds_and_again_without_a_write(
    desk: Desk, call: Call
) -> None:
    users = [
        {"key": f"u{n:05}", "notify": {**WANTS, "channels": {"pigeon": f"u{n}@loft.example"}}}
        for n in range(20_000)
    ]
    begun = perf_counter()

    first = await imported(desk, *users)
    took = perf_counter() - begun
    versions = "SELECT max(xmin::text::bigint), count(*) FROM notify_{}"
    before = [await run(desk, versions.format(name)) for name in ("preferences", "addresses")]
    again = await imported(desk, *users)
    after = [await run(desk, versions.format(name)) for name in ("preferences", "addresses")]

    assert (first["created"], again["same"]) == (20_000, 20_000)
    assert before == after
    assert [rows[0]["count"] for rows in after] == [20_000, 20_000]
    assert took < 60


async def test_a_change_of_few_among_many_writes_these(desk: Desk, call: Call) -> None:
    users = [{"key": f"u{n}", "notify": WANTS} for n in range(2_500)]
    await imported(desk, *users)
    users[7] = {"key": "u7", "notify": {**WANTS, "leads": [3]}}
    users[9] = {"key": "u9", "notify": None}

    answer = await imported(desk, *users)

    assert (answer["changed"], answer["same"]) == (2, 2_498)


async def test_a_user_who_is_forgotten_leaves_no_address(desk: Desk, call: Call) -> None:
    await call("PUT", ADA, notify=WANTS)

    answer = await desk.control.forget_user("ada", dry_run=False)

    assert answer["removed"] == {"users": 1, "notify_preferences": 1, "notify_addresses": 1}
    assert await run(desk, "SELECT channel FROM notify_addresses") == []


async def test_of_a_forgotten_user_whose_opt_out_is_kept_nothing_else_is(
    desk: Desk, call: Call
) -> None:
    await call("PUT", ADA, notify=WANTS, opted_out=True)
    await run(desk, "UPDATE users SET is_mirrored = true")

    await desk.control.forget_user("ada", dry_run=False)

    assert await stored(call) is None
    assert await run(desk, "SELECT channel FROM notify_addresses") == []


async def test_preferences_survive_what_happens_to_accounts(desk: Desk, call: Call) -> None:
    await call("PUT", ADA, notify=WANTS, accounts={"github": "ada"})

    await call("PUT", ADA, accounts={"github": ""})
    await desk.control.opt_out("ada", opted_out=True)
    await desk.control.opt_out("ada", opted_out=False)

    assert await stored(call) == WANTS


async def test_the_service_refuses_what_the_web_could_not_know(desk: Desk, pigeon: str) -> None:
    change = NotifyChange(platforms=["github"], addresses={"owl": "x"})

    with pytest.raises(BadInput) as told:
        await desk.control.put_user(UserEntry(key="ada", notify=change))

    assert len(told.value.problems) == 2
    assert await desk.control.users("", 9) == []


PUSH = {"endpoint": "https://{}/x", "keys": {"p256dh": "x", "auth": "y"}}


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("email", "ada"),
        ("email", "Ada <ada@example.com>"),
        ("email", "ada@example.com\r\nBcc: x@example.com"),
        ("email", {"to": "ada@example.com"}),
        ("whatsapp", "0151 234"),
        ("ntfy", "no/such topic"),
        ("webhook", "http://hooks.example.com/x"),
        ("webhook", "https://127.0.0.1/x"),
        ("webpush", "https://push.example.com/x"),
        ("webpush", {**PUSH, "endpoint": "https://10.0.0.7/x"}),
        ("webpush", {**PUSH, "endpoint": "http://push.example.com/x"}),
    ],
)
async def test_an_address_of_the_wrong_kind_is_refused_naming_its_channel(
    call: Call, channel: str, address: Any
) -> None:
    status, _, told = await call("PUT", ADA, notify={"channels": {channel: address}})

    assert (status, len(told["problems"])) == (422, 1)
    assert told["problems"][0].startswith(f"notify.channels.{channel}: ")
    assert "example.com" not in told["problems"][0]


async def test_platforms_are_those_that_announce_contests_themselves(call: Call) -> None:
    _, _, told = await call("PUT", ADA, notify={"platforms": ["clist"]})

    [problem] = told["problems"]
    assert problem.startswith("notify.platforms: 'clist' announces no contests; ")
    assert problem.endswith("these platforms do: atcoder, codechef, codeforces, leetcode")


async def test_where_a_channel_may_be_private_so_may_its_addresses(
    database: Database, base_url: str, tmp_path: Path
) -> None:
    settings = database.settings
    text = text_for(settings.address, settings.schema, base_url)
    text += "\n[channels.webhook]\nallow_private = true\n"
    hook = "http://127.0.0.1:8080/hook"
    async with controlled(text, tmp_path) as desk, web_port(desk) as call:
        await desk.core.health.ready.wait()

        status, _, put = await call("PUT", ADA, notify={"channels": {"webhook": hook}})

    assert (status, put["notify"]["channels"]) == (200, {"webhook": hook})
