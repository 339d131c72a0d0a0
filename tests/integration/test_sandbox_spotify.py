"""The stand-in of Spotify over real HTTP: shapes as recorded, tokens as documented, every fault."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from fakes.clock import FakeClock
from fakes.payloads import find_recorded
from fakes.spotify_world import RECORDED, SpotifyWorld, doubles, plays_in, recorded_items
from fakes.waiting import until

from syncd.errors import BadInput, NotKnown
from syncd.sandbox.spotify import SpotifyStandIn
from syncd.sandbox.spotify_accounts import CLIENT_ID, CLIENT_SECRET
from syncd.sandbox.spotify_grants import SCOPES
from syncd.sandbox.spotify_plays import row_of
from syncd.store.database import Database

RecordProperty = Callable[[str, object], None]

SOMEBODY = 3
PLAYED = "/v1/me/player/recently-played"
TOKEN = "/accounts/api/token"
BASIC = {"Authorization": f"Basic {b64encode(f'{CLIENT_ID}:{CLIENT_SECRET}'.encode()).decode()}"}


@dataclass(frozen=True)
class Told:
    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> tuple[int, str]:
        """The status and words of an error of the API."""
        error = self.json()["error"]
        assert error["status"] == self.status
        return self.status, error["message"]


class App:
    """Asks as the app does that the users granted something."""

    def __init__(self, world: SpotifyWorld, session: aiohttp.ClientSession) -> None:
        self.world = world
        self.standin: SpotifyStandIn = world.standin
        self.session = session

    async def renew(
        self, refresh_token: str, headers: Mapping[str, str] = BASIC, **form: str
    ) -> Told:
        whole = {"grant_type": "refresh_token", "refresh_token": refresh_token, **form}
        return await self.post(whole, headers)

    async def post(self, form: Mapping[str, str], headers: Mapping[str, str] = BASIC) -> Told:
        async with self.session.post(TOKEN, data=form, headers=headers) as response:
            return Told(response.status, response.headers, await response.text())

    async def renewed(self, index: int = SOMEBODY) -> dict[str, Any]:
        told = await self.renew(self.standin.grants.refresh_token(index))
        assert told.status == 200, told.text
        return dict(told.json())

    async def ask(self, access_token: str, **query: object) -> Told:
        headers = {"Authorization": f"Bearer {access_token}"} if access_token else {}
        params = {key: str(value) for key, value in query.items()}
        async with self.session.get(PLAYED, params=params, headers=headers) as response:
            return Told(response.status, response.headers, await response.text())

    async def page(self, index: int = SOMEBODY, **query: object) -> Told:
        return await self.ask(self.standin.grants.make_access(index), **query)

    async def change(self, change: str, **arguments: Any) -> Any:
        body = {"change": change, **arguments}
        async with self.session.post("/_sandbox/change", json=body) as response:
            assert response.status == 200, await response.text()
            return (await response.json())["result"]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def app(clock: FakeClock) -> AsyncIterator[App]:
    async with (
        SpotifyWorld(20, clock=clock).served() as world,
        aiohttp.ClientSession(world.base_url) as session,
    ):
        yield App(world, session)


def times(told: Told) -> list[str]:
    return [item["played_at"] for item in told.json()["items"]]


def shape(value: Any) -> Any:
    """Return the keys and types of a JSON value, of lists those of their first element."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


@pytest.mark.parametrize("file", RECORDED)
async def test_recorded_page_is_served_with_its_plays_and_its_cursors(
    app: App, file: str, record_property: RecordProperty
) -> None:
    recorded = find_recorded(file).json()
    await app.change("hear", index=SOMEBODY, items=recorded_items(file))
    await app.change("set_quirk", has_quirk="2017" in file)

    told = (await app.page(limit=recorded["limit"])).json()

    assert told["items"] == recorded["items"]
    assert told["cursors"] == recorded["cursors"]
    assert f"before={recorded['cursors']['before']}" in told["next"]
    assert {*told} == {*recorded}
    record_property("payload", file)


async def test_made_up_item_has_the_keys_and_types_of_a_recorded_one(app: App) -> None:
    items = recorded_items(RECORDED[2])
    recorded = {json.dumps(shape({**item, "context": None}), sort_keys=True) for item in items}
    contexts = [item["context"] for item in items]
    app.standin.listeners.listen(SOMEBODY, times=50)

    told = (await app.page(limit=50)).json()["items"]

    made = {json.dumps(shape({**item, "context": None}), sort_keys=True) for item in told}
    without_isrc = {each.replace('{"isrc": "str"}', "{}") for each in recorded}
    assert made <= recorded | without_isrc
    assert made & recorded
    assert [*told[0]] == [*items[0]]
    assert [*told[0]["track"]] == [*items[0]["track"]]
    assert {*map(tuple, filter(None, (item["context"] for item in told)))} == {tuple(contexts[0])}
    assert all(len(item["track"]["id"]) == 22 for item in told)


async def test_good_answer_of_the_token_endpoint_has_the_documented_keys(
    app: App, record_property: RecordProperty
) -> None:
    documented = find_recorded("spotify/token_refresh_200_doc.json").json()
    await app.change("set_rotation", rotates=True)

    told = await app.renewed()

    assert shape(told) == shape(documented)
    assert (told["token_type"], told["scope"], told["expires_in"]) == ("Bearer", SCOPES, 3600)
    record_property("payload", "spotify/token_refresh_200_doc.json")


async def test_all_secrets_can_be_found_by_one_word(app: App) -> None:
    await app.change("set_rotation", rotates=True)

    told = await app.renewed()

    values = (told["access_token"], told["refresh_token"], CLIENT_SECRET)
    assert all("canary-" in value for value in values)


async def test_rotated_refresh_token_is_refused_in_the_recorded_words_and_the_new_one_is_good(
    app: App, record_property: RecordProperty
) -> None:
    recorded = find_recorded("spotify/token_refresh_400_invalid_grant.json")
    await app.change("set_rotation", rotates=True)
    before = app.standin.grants.refresh_token(SOMEBODY)
    after = (await app.renewed())["refresh_token"]

    old, new = await app.renew(before), await app.renew(after)

    assert (old.status, old.json()) == (400, recorded.json())
    assert new.status == 200
    assert app.standin.counters.refreshes(SOMEBODY) == 3
    assert app.standin.counters.refresh_refused == {"invalid_grant": 1}
    record_property("payload", recorded.file)


async def test_refresh_token_stays_for_an_app_with_a_secret_and_rotates_for_one_without(
    app: App,
) -> None:
    refresh_token = app.standin.grants.refresh_token(SOMEBODY)

    proven = await app.renew(refresh_token)
    public = await app.renew(refresh_token, {}, client_id=CLIENT_ID)

    assert "refresh_token" not in proven.json()
    assert public.json()["refresh_token"] == app.standin.grants.refresh_token(SOMEBODY)
    assert public.json()["refresh_token"] != refresh_token


@pytest.mark.parametrize(
    ("form", "headers", "error"),
    [
        ({}, {"Authorization": f"Basic {b64encode(b'standin-client:x').decode()}"}, "client"),
        ({}, {"Authorization": "Basic ***"}, "client"),
        ({}, {}, "client"),
        ({"client_id": "another"}, {}, "client"),
        ({"refresh_token": ""}, BASIC, "request"),
        ({"refresh_token": "canary-refresh-3-0-0-0000000000000000"}, BASIC, "grant"),
        ({"refresh_token": "x"}, BASIC, "grant"),
    ],
)
async def test_call_that_is_not_right_is_refused_as_documented(
    app: App, form: dict[str, str], headers: dict[str, str], error: str
) -> None:
    whole = {"refresh_token": app.standin.grants.refresh_token(SOMEBODY), **form}

    told = await app.post({"grant_type": "refresh_token", **whole}, headers)

    assert (told.status, told.json()["error"]) == (400, f"invalid_{error}")


async def test_other_grant_type_is_refused(app: App) -> None:
    told = await app.post({"grant_type": "authorization_code", "code": "x"})

    assert (told.status, told.json()["error"]) == (400, "unsupported_grant_type")


async def test_access_token_expires_after_its_time_and_a_new_one_is_good(
    app: App, clock: FakeClock
) -> None:
    await app.change("set_token_seconds", seconds=90)
    told = await app.renewed()

    fresh = await app.ask(told["access_token"])
    await clock.advance(90)
    ended = await app.ask(told["access_token"])
    again = await app.ask((await app.renewed())["access_token"])

    assert (told["expires_in"], fresh.status, again.status) == (90, 200, 200)
    assert ended.error == (401, "The access token expired")


async def test_access_tokens_can_be_ended_before_their_time(app: App) -> None:
    mine, others = (app.standin.grants.make_access(index) for index in (SOMEBODY, 4))

    await app.change("expire_access", index=SOMEBODY)

    assert (await app.ask(mine)).error == (401, "The access token expired")
    assert (await app.ask(others)).status == 200


@pytest.mark.parametrize(
    ("token", "words"), [("", "No token provided"), ("made-up", "Invalid access token")]
)
async def test_unknown_access_token_is_401(app: App, token: str, words: str) -> None:
    told = await app.ask(token)

    assert told.error == (401, words)
    assert app.standin.counters.unauthorised == 1


async def test_consent_ends_after_six_months_whatever_rotates(app: App, clock: FakeClock) -> None:
    await app.change("set_rotation", rotates=True)
    consent = await app.change(
        "consent", index=SOMEBODY, granted_at=datetime(2025, 8, 31, tzinfo=UTC).isoformat()
    )
    await clock.advance(timedelta(days=57, hours=23).total_seconds())

    last = await app.renew(consent["refresh_token"])
    await clock.advance(3600)
    ended = await app.renew(last.json()["refresh_token"])
    await app.change("consent", index=SOMEBODY)
    anew = await app.renewed()

    assert (last.status, ended.status) == (200, 400)
    assert ended.json()["error"] == "invalid_grant"
    assert "canary-access" in anew["access_token"]


@pytest.mark.parametrize("change", ["withdraw", "vanish"])
async def test_who_takes_the_consent_back_or_leaves_is_read_no_more(app: App, change: str) -> None:
    access_token = (await app.renewed())["access_token"]

    await app.change(change, index=SOMEBODY)

    told = await app.renew(app.standin.grants.refresh_token(SOMEBODY))
    assert (told.status, told.json()["error"]) == (400, "invalid_grant")
    assert (await app.ask(access_token)).status == 401


async def test_outage_that_refuses_everybody_ends_no_token(app: App) -> None:
    await app.change("set_rotation", rotates=True)
    tokens = [app.standin.grants.refresh_token(index) for index in range(4)]

    await app.change("refuse_refreshes")
    refused = [(await app.renew(token)).json()["error"] for token in tokens]
    await app.change("accept_refreshes")
    well = [(await app.renew(token)).status for token in tokens]

    assert refused == ["invalid_grant"] * 4
    assert well == [200] * 4


@pytest.mark.parametrize(
    ("error", "status"),
    [("invalid_client", 400), ("server_error", 500), ("temporarily_unavailable", 503)],
)
async def test_refreshes_of_one_user_are_refused_as_often_as_asked_for(
    app: App, error: str, status: int
) -> None:
    await app.change("refuse_refreshes", error=error, index=SOMEBODY, times=2)

    tokens = [app.standin.grants.refresh_token(index) for index in (SOMEBODY, 4)]
    told = [await app.renew(token) for token in [*tokens, *tokens[:1], *tokens[:1]]]

    assert [each.status for each in told] == [status, 200, status, 200]
    assert told[0].json()["error"] == error
    assert app.standin.counters.as_json()["refresh_refused"] == {error: 2}


async def test_revoked_secret_is_an_invalid_client(app: App) -> None:
    await app.change("revoke", token=CLIENT_SECRET)

    told = await app.renew(app.standin.grants.refresh_token(SOMEBODY))

    assert (told.status, told.json()["error"]) == (400, "invalid_client")


async def test_answer_that_is_lost_has_rotated_the_token(app: App) -> None:
    await app.change("set_rotation", rotates=True)
    before = app.standin.grants.refresh_token(SOMEBODY)
    await app.change("fault", fault="cut", arguments={"after": 0}, path=TOKEN, times=1)

    with pytest.raises(aiohttp.ClientError):
        await app.renew(before)

    assert (await app.renew(before)).json()["error_description"] == "Refresh token revoked"
    assert (await app.renewed())["access_token"]


async def test_answers_of_one_user_can_be_lost_alone(app: App) -> None:
    arguments = {"after": 0}
    await app.change("fault_of", index=SOMEBODY, fault="cut", arguments=arguments, at=TOKEN)

    with pytest.raises(aiohttp.ClientError):
        await app.renewed()

    assert (await app.renewed(4))["access_token"]
    assert (await app.page()).status == 200


async def test_late_answer_has_rotated_the_token_when_the_app_dies_of_waiting(
    app: App, clock: FakeClock
) -> None:
    await app.change("set_rotation", rotates=True)
    before = app.standin.grants.refresh_token(SOMEBODY)
    await app.change("fault", fault="latency", arguments={"seconds": 60}, path=TOKEN, times=1)

    waiting = asyncio.ensure_future(app.renew(before))
    await until(lambda: answered(app.standin.counters.renewed), what="tokens that were made")
    waiting.cancel()

    assert (await app.renew(before)).json()["error"] == "invalid_grant"


async def test_refreshes_of_one_user_at_the_same_time_are_counted(
    app: App, clock: FakeClock
) -> None:
    await app.change("fault", fault="latency", arguments={"seconds": 1}, path=TOKEN)
    token, other = (app.standin.grants.refresh_token(index) for index in (SOMEBODY, 4))

    asked = asyncio.gather(*(app.renew(each) for each in [token] * 5 + [other]))
    await until(lambda: answered(app.standin.counters.renewed == 6), what="six calls under way")
    await clock.run(asked_all(asked))
    await app.change("clear_faults")
    await app.renewed(4)

    counters = app.standin.counters.as_json()
    assert counters["most_refreshes_at_once"] == 5
    assert counters["refresh_calls"] == 7
    assert counters["users_by_refreshes"] == {"5": 1, "2": 1}
    assert await app.change("refreshes") == {"3": 5, "4": 2}


async def test_page_is_newest_first_and_both_bounds_are_exclusive(app: App) -> None:
    app.standin.listeners.silence(SOMEBODY)
    instants = app.standin.listeners.listen(SOMEBODY, times=30)
    newest_first = [*reversed(times(await app.page(limit=50)))]

    plain = await app.page()
    after = await app.page(after=instants[26], limit=2)
    before = await app.page(before=instants[2])

    assert times(plain) == [*reversed(newest_first[10:])]
    assert times(after) == [newest_first[29], newest_first[28]]
    assert times(before) == [newest_first[1], newest_first[0]]
    assert after.json()["cursors"] == {"after": str(instants[29]), "before": str(instants[28])}


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 51}, {"limit": "x"}, {"after": "x"}, {"after": 1, "before": 2}],
)
async def test_impossible_query_is_400(app: App, query: dict[str, Any]) -> None:
    assert (await app.page(**query)).error[0] == 400


async def test_nothing_new_is_an_empty_page_or_no_content(app: App) -> None:
    newest = app.standin.listeners.listen(SOMEBODY)[-1]

    empty = await app.page(after=newest)
    await app.change("set_no_content", is_empty=True)
    nothing = await app.page(after=newest)

    told = empty.json()
    assert (told["items"], told["cursors"], told["next"]) == ([], None, None)
    assert (nothing.status, nothing.text) == (204, "")


async def test_cursor_of_2017_leads_to_the_newest_play_again(app: App) -> None:
    app.standin.listeners.listen(SOMEBODY)
    told = [await app.page(after=(await app.page()).json()["cursors"]["after"])]

    await app.change("set_quirk", has_quirk=True)

    told.append(await app.page(after=(await app.page()).json()["cursors"]["after"]))
    assert [len(times(each)) for each in told] == [0, 1]


async def test_only_the_last_fifty_plays_can_be_had(app: App) -> None:
    instants = app.standin.listeners.listen(SOMEBODY, times=60)

    newest = await app.page(limit=50)
    older = await app.page(before=newest.json()["cursors"]["before"])

    assert len(times(newest)) == 50
    assert newest.json()["cursors"]["before"] == str(instants[10])
    assert older.json()["items"] == []
    assert len(app.world.plays([SOMEBODY])) >= 60


async def test_plays_that_are_shown_late_are_shown_at_their_time(
    app: App, clock: FakeClock
) -> None:
    await app.change("lag", seconds=7200)
    newest = app.standin.listeners.listen(SOMEBODY)[-1]
    hidden = await app.page(after=newest - 1)

    await clock.advance(7200)

    assert (times(hidden), len(times(await app.page(after=newest - 1)))) == ([], 1)


@pytest.mark.parametrize("kind", ["local", "null", "no_isrc", "no_date", "bare"])
async def test_odd_items_are_told_of_as_they_were_seen(app: App, kind: str) -> None:
    before = len(app.world.plays([SOMEBODY]))

    await app.change("listen", index=SOMEBODY, kind=kind)

    [item] = (await app.page(limit=1)).json()["items"]
    track = item["track"] or {}
    seen = {
        "local": track.get("id") is None and track.get("uri", "").startswith("spotify:local:"),
        "null": item["track"] is None,
        "no_isrc": "isrc" not in track.get("external_ids", {"isrc": ""}),
        "no_date": item["played_at"] is None,
        "bare": "is_local" not in track and "external_ids" not in track and "id" in track,
    }
    assert seen[kind]
    assert len(app.world.plays([SOMEBODY])) - before == (kind not in {"null", "no_date"})


async def test_missing_scope_is_403_in_words(app: App) -> None:
    await app.change("consent", index=SOMEBODY, scopes="user-read-email")

    assert (await app.page()).error == (403, "Insufficient client scope")
    assert (await app.page(4)).status == 200


@pytest.mark.parametrize("as_text", [True, False])
async def test_user_whom_the_app_does_not_name_is_403_as_text_or_json(
    app: App, as_text: bool
) -> None:
    arguments = {"as_text": as_text}
    await app.change("fault_of", index=SOMEBODY, fault="not_registered", arguments=arguments)

    told, other = await app.page(), await app.page(4)
    await app.change("cure")

    words = "User not registered in the Developer Dashboard"
    assert (told.status, told.text if as_text else told.error[1]) == (403, words)
    assert told.headers["Content-Type"].startswith("text/plain" if as_text else "application/json")
    assert (other.status, (await app.page()).status) == (200, 200)


@pytest.mark.parametrize("retry_after", [0, 2, 80_000, None])
async def test_storm_tells_its_wait_or_does_not(
    app: App, retry_after: int | None, record_property: RecordProperty
) -> None:
    recorded = find_recorded("spotify/error_429.json")
    await app.change("fault", fault="rate_limited", arguments={"retry_after": retry_after})

    told = await app.page()

    assert (told.status, told.json()) == (429, recorded.json())
    assert told.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))
    record_property("payload", recorded.file)


async def test_quota_that_is_used_up_says_so_in_the_body(app: App) -> None:
    await app.change("fault", fault="quota used up", times=1)

    told = await app.page()

    assert told.json()["error"]["reason"] == "QUOTA_EXCEEDED"
    assert told.headers["Retry-After"] == "80000"
    assert (await app.page()).status == 200


@pytest.mark.parametrize("name", list(SpotifyStandIn.odd_answers))
async def test_every_odd_answer_strikes_the_plays_and_no_token(app: App, name: str) -> None:
    odd = SpotifyStandIn.odd_answers[name]
    app.standin.listeners.listen(SOMEBODY)
    good = (await app.page()).text
    await app.change("fault", fault=name, path=odd.path)

    told = await app.page()

    assert told.text != good
    assert (await app.renewed())["access_token"]


async def test_pages_can_tell_plays_twice_and_in_any_order(app: App) -> None:
    app.standin.listeners.listen(SOMEBODY, times=10)
    plain = times(await app.page(limit=10))

    await app.change("fault", fault="doubled", times=1)
    twice = times(await app.page(limit=10))
    await app.change("fault", fault="shuffled", times=1)
    mixed = times(await app.page(limit=10))

    assert twice == plain * 2
    assert (sorted(mixed), mixed == plain) == (sorted(plain), False)


async def test_who_asks_too_fast_is_refused_at_the_host_that_was_asked(clock: FakeClock) -> None:
    async with (
        SpotifyWorld(5, clock=clock, scale=1).served() as world,
        aiohttp.ClientSession(world.base_url) as session,
    ):
        app = App(world, session)
        statuses = [(await app.page()).status for _ in range(182)]

        assert statuses == [200] * 180 + [429] * 2
        assert (await app.renewed())["access_token"]
        assert world.standin.counters.refused == {"rate": 2}


async def test_same_seed_tells_the_same_plays_and_tokens_in_any_process(app: App) -> None:
    same = SpotifyWorld(20)

    told = (await app.page(limit=50)).json()["items"]

    assert {row_of(item)["track_id"] for item in told} == {
        play.track_id for play in same.plays([SOMEBODY])
    }
    assert same.entry(SOMEBODY).refresh_token == app.world.entry(SOMEBODY).refresh_token


def test_ten_thousand_users_of_whom_a_fifth_listen_keep_little() -> None:
    world = SpotifyWorld(10_000)

    chosen = world.standin.changes()["change_some"](0.2)

    counts = [len(world.standin.listeners.instants(index)) for index in range(200)]
    assert len(chosen) == 2_000
    assert 0 in counts
    assert max(counts) <= 37
    assert len(world.import_file(range(10)).splitlines()) == 10


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        ("listen", {"index": 3, "kind": "podcast"}),
        ("listen", {"index": 3, "played_at": "yesterday"}),
        ("listen", {"index": 99}),
        ("consent", {"index": 3, "granted_at": "2026-01-01T00:00:00"}),
        ("refuse_refreshes", {"error": "no such"}),
        ("fault_of", {"index": 3, "fault": "no such"}),
    ],
)
def test_impossible_change_is_refused(change: str, arguments: dict[str, Any]) -> None:
    with pytest.raises((BadInput, NotKnown), match=r"no such|nothing of|no instant|nobody has"):
        SpotifyWorld(20).standin.changes()[change](**arguments)


async def test_what_is_stored_is_told_as_the_standin_knows_it(database: Database, app: App) -> None:
    app.standin.listeners.silence(SOMEBODY)
    app.standin.listeners.listen(SOMEBODY)
    [play] = app.standin.listeners.plays(SOMEBODY)
    async with database.connection() as connection:
        await connection.execute("INSERT INTO users (key) VALUES ('u3')")
        await connection.execute(
            "INSERT INTO listening_data (user_id, artist_id, track_id, played_at, ingested_run)"
            " SELECT id, $1, $2, $3, 1 FROM users",
            *(play[key] for key in ("artist_id", "track_id", "played_at")),
        )

    assert await plays_in(database) == app.world.plays([SOMEBODY])
    assert await doubles(database) == []


def answered(value: object) -> Awaitable[bool]:
    async def answer() -> bool:
        return bool(value)

    return answer()


async def asked_all(asked: Awaitable[Any]) -> None:
    await asked
