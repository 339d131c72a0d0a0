from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes.payloads import Recorded, find_all
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import BadPayload
from syncd.model.play import Heard, Play
from syncd.platforms.spotify_plays import read_page

pytest_plugins = ("fakes.payloads",)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = datetime(2026, 2, 25, 20, 15, 20, 497000, tzinfo=UTC)
PAGES = [each for each in find_all("spotify") if "recently_played" in each.file]
TRACK = {
    "id": "3HRuSJ7VheXVBmjlAXaREd",
    "uri": "spotify:track:3HRuSJ7VheXVBmjlAXaREd",
    "artists": [{"id": "artist1"}, {"id": "artist2"}],
    "album": {"id": "album1"},
    "duration_ms": 211_333,
    "external_ids": {"isrc": "GXF972482646"},
}
ITEM = {
    "track": TRACK,
    "played_at": "2026-02-25T20:15:20.497Z",
    "context": {"uri": "spotify:album:1"},
}
LOCAL = {
    "id": None,
    "uri": "spotify:local:Ada:Album:Song:200",
    "artists": [{"id": None, "name": "Ada"}],
    "album": {"id": None},
    "duration_ms": 200_000,
    "external_ids": {},
    "is_local": True,
}


def page(*items: Any, **more: Any) -> dict[str, Any]:
    return {"items": list(items), "next": None, "cursors": None, "limit": 50, **more}


def read(data: Any) -> Heard:
    return read_page(data, "ada", NOW)


def changed(**track: Any) -> dict[str, Any]:
    return {**ITEM, "track": {**TRACK, **track}}


@pytest.mark.parametrize("recorded", PAGES, ids=str)
def test_recorded_page_tells_exactly_its_plays(recorded: Recorded, record_property: Any) -> None:
    data = recorded.json()

    heard = read(data)

    told = [
        (item["track"]["id"], item["track"]["artists"][0]["id"], item["played_at"])
        for item in data["items"]
    ]
    assert told == [
        (play.track_id, play.artist_id, f"{play.played_at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z")
        for play in heard.plays
    ]
    assert [play.isrc for play in heard.plays] == [
        item["track"]["external_ids"]["isrc"] for item in data["items"]
    ]
    assert (heard.skipped, heard.is_full) == (0, True)
    record_property("payload", recorded.file)


@pytest.mark.parametrize("recorded", PAGES, ids=str)
def test_order_of_a_page_does_not_matter(recorded: Recorded) -> None:
    data = recorded.json()
    shuffled = {**data, "items": random.Random(1).sample(data["items"], len(data["items"]))}

    assert set(map(repr, read(shuffled).plays)) == set(map(repr, read(data).plays))


def test_play_tells_all_that_is_kept_of_it() -> None:
    assert read(page(ITEM)).plays == [
        Play(
            track_id="3HRuSJ7VheXVBmjlAXaREd",
            artist_id="artist1",
            artist_ids=("artist1", "artist2"),
            played_at=AT,
            album_id="album1",
            duration_ms=211_333,
            context_uri="spotify:album:1",
            isrc="GXF972482646",
        )
    ]


def test_what_may_be_missing_is_none() -> None:
    track = {"id": "t", "artists": [{"id": "a"}]}

    [play] = read(page({"track": track, "played_at": "2026-02-25T20:15:20.497Z"})).plays

    assert play == Play(track_id="t", artist_id="a", artist_ids=("a",), played_at=AT)


@pytest.mark.parametrize("artists", [None, [], [{"id": None}], [{"name": "Ada"}]])
def test_local_file_is_known_by_its_uri_and_may_have_no_artist(artists: Any) -> None:
    [play] = read(page({**ITEM, "track": {**LOCAL, "artists": artists}})).plays

    assert (play.track_id, play.artist_id, play.artist_ids) == (LOCAL["uri"], "", ())
    assert (play.album_id, play.isrc) == (None, None)


def test_local_file_with_a_long_title_is_known_by_a_short_word_of_its_own() -> None:
    uris = [f"spotify:local:{'%E3%81%82' * 400}:{number}" for number in range(2)]

    plays = read(page(*({**ITEM, "track": {**LOCAL, "uri": uri}} for uri in uris))).plays

    assert len({play.track_id for play in plays}) == 2
    assert all(len(play.track_id) < 100 for play in plays)


@pytest.mark.parametrize(
    "item",
    [
        {**ITEM, "track": None},
        {key: value for key, value in ITEM.items() if key != "track"},
        {**ITEM, "played_at": None},
        {**ITEM, "played_at": " "},
        {key: value for key, value in ITEM.items() if key != "played_at"},
        {**ITEM, "played_at": f"{NOW + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"},
        {},
    ],
)
def test_item_that_tells_of_no_play_is_counted_and_costs_the_others_nothing(item: Any) -> None:
    heard = read(page(item, ITEM))

    assert ([play.played_at for play in heard.plays], heard.skipped) == ([AT], 1)


@pytest.mark.parametrize("data", [page(), page(cursors={"after": None}), {"items": []}])
def test_page_without_items_is_nothing_new(data: Any) -> None:
    assert read(data) == Heard(plays=[])


@pytest.mark.parametrize(
    ("count", "limit", "is_full"),
    [(50, 50, True), (49, 50, False), (50, None, True), (20, 20, True), (60, 100, True)],
)
def test_page_is_full_that_holds_as_many_as_it_may(count: int, limit: Any, is_full: bool) -> None:
    assert read(page(*[ITEM] * count, limit=limit)).is_full is is_full


@pytest.mark.parametrize(
    ("text", "played_at"),
    [
        ("2026-02-25T21:15:20.497+01:00", AT),
        ("2026-02-25T20:15:20.497999Z", AT),
        ("2026-02-25T20:15:20Z", AT.replace(microsecond=0)),
    ],
)
def test_instant_is_utc_to_the_millisecond(text: str, played_at: datetime) -> None:
    [play] = read(page({**ITEM, "played_at": text})).plays

    assert (play.played_at, play.played_at.tzinfo) == (played_at, UTC)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "$ is no object but None"),
        ([], "$ is no object but []"),
        ("x", "$ is no object but 'x'"),
        ({}, "$.items is missing"),
        ({"items": None}, "$.items is missing"),
        ({"items": {}}, "$.items is no list but {}"),
        (page(None), "$.items[0] is no object but None"),
        (page(ITEM, 7), "$.items[1] is no object but 7"),
        (page({**ITEM, "track": []}), "$.items[0].track is no object but []"),
        (page({**ITEM, "played_at": 7}), "$.items[0].played_at is no text: 7"),
        (page({**ITEM, "played_at": "noon"}), "$.items[0].played_at is no date and time: 'noon'"),
        (page({**ITEM, "played_at": "2026-02-25T20:15:20"}), "date and time with its zone"),
        (page({**ITEM, "played_at": "0001-01-01T00:00:00+01:00"}), "is no date and time"),
        (page(changed(id=7)), "$.items[0].track.id is no text: 7"),
        (page(changed(id=None, uri=None)), "$.items[0].track has neither id nor uri"),
        (page(changed(id="x" * 300)), "$.items[0].track.id is no id of Spotify"),
        (page(changed(artists=None)), "$.items[0].track.artists is missing"),
        (page(changed(artists=["x"])), "$.items[0].track.artists[0] is no object but 'x'"),
        (page(changed(artists=[{"id": 1}])), "$.items[0].track.artists[0].id is no text: 1"),
        (page(changed(album="x")), "$.items[0].track.album is no object but 'x'"),
        (page(changed(duration_ms=-1)), "$.items[0].track.duration_ms is no count: -1"),
        (page(changed(duration_ms=2**31)), "duration_ms is no duration of a track"),
        (page(changed(external_ids={"isrc": 1})), "track.external_ids.isrc is no text: 1"),
        (page({**ITEM, "context": {"uri": 1}}), "$.items[0].context.uri is no text: 1"),
        (page(limit="50"), "$.limit is no whole number: '50'"),
    ],
)
def test_odd_page_is_refused_in_one_sentence_that_names_the_place(data: Any, words: str) -> None:
    with pytest.raises(BadPayload) as raised:
        read(data)

    assert str(raised.value).startswith("'ada': $")
    assert words in str(raised.value)


def test_item_that_cannot_be_read_costs_no_play_beside_it() -> None:
    heard = read(page(changed(id=7), ITEM, {**ITEM, "played_at": "noon"}))

    assert [play.played_at for play in heard.plays] == [AT]
    assert (heard.skipped, len(heard.unread)) == (2, 2)
    assert "$.items[0].track.id is no text: 7" in heard.unread[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
INSTANTS = st.datetimes().map(lambda at: f"{at.isoformat()}Z") | st.text() | JSON
TRACKS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text() | JSON,
        "uri": st.text() | JSON,
        "artists": st.lists(st.fixed_dictionaries({"id": st.text() | JSON}), max_size=3) | JSON,
        "album": st.fixed_dictionaries({"id": JSON}) | JSON,
        "duration_ms": JSON,
        "external_ids": st.fixed_dictionaries({"isrc": JSON}) | JSON,
    },
)
ITEMS = st.fixed_dictionaries(
    {}, optional={"track": TRACKS | JSON, "played_at": INSTANTS, "context": JSON}
)
ODD_PAGES = st.fixed_dictionaries({"items": st.lists(ITEMS | JSON, max_size=5)})


@given(data=JSON | ODD_PAGES)
def test_whatever_comes_is_plays_or_refused_and_what_is_kept_can_be_stored(data: Any) -> None:
    try:
        heard = read(data)
    except BadPayload:
        return
    assert len(heard.plays) + heard.skipped == len(data["items"])
    for play in heard.plays:
        assert play.track_id
        assert play.artist_id == (play.artist_ids[0] if play.artist_ids else "")
        assert play.played_at <= NOW + timedelta(days=1)
        assert play.played_at.microsecond % 1000 == 0
        # An entry of the index that keeps plays apart.
        assert len((play.track_id + play.artist_id).encode()) < 2_600
