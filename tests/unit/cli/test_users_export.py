from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncd.cli.users_export import csv_lines, json_lines
from syncd.daemon.people import read_users
from syncd.daemon.preferences import NotifyRules
from syncd.model.account import UserEntry
from syncd.model.preferences import NotifyChange
from syncd.platforms.base import Platform
from syncd.platforms.github import GitHub
from syncd.web.routes import is_name

PLATFORMS: dict[str, list[Platform]] = {"github": [GitHub.__new__(GitHub)]}
LEADS = st.sampled_from(["", "'", "''", "=", "'=", "+", "-", "@", '"', ","])
RULES = NotifyRules(zones=frozenset({"UTC"}), platforms=())
# What is stored is told with every key.
WANTS = NotifyChange(
    platforms=[],
    leads=[24, 1],
    timezone="UTC",
    quiet=(),
    language="en",
    wants_digest=True,
    addresses={},
)
NOTIFY = {
    "platforms": [],
    "leads": [24, 1],
    "timezone": "UTC",
    "quiet": None,
    "language": "en",
    "digest": True,
    "channels": {},
}
KEYS = st.tuples(LEADS, st.text(max_size=20)).map("".join).filter(is_name)
ENTRIES = st.lists(
    st.builds(
        UserEntry,
        key=KEYS,
        accounts=st.one_of(st.just({}), st.just({"github": "ada-l"})),
        opted_out=st.booleans(),
        last_login_at=st.none()
        | st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
        notify=st.sampled_from([None, WANTS]),
    ),
    unique_by=lambda entry: entry.key,
    max_size=5,
)


def answer(entry: UserEntry) -> dict[str, Any]:
    """The user as the control port answers."""
    at = entry.last_login_at
    return {
        "key": entry.key,
        "accounts": [{"platform": name, "handle": each} for name, each in entry.accounts.items()],
        "opted_out": entry.opted_out,
        "last_login_at": None if at is None else at.isoformat().replace("+00:00", "Z"),
        "notify": None if entry.notify is None else NOTIFY,
    }


@given(ENTRIES)
def test_what_is_exported_as_csv_is_imported_as_it_was(entries: list[UserEntry]) -> None:
    text = "\n".join(csv_lines(map(answer, entries), ["github"]))

    assert read_users(text, "csv", PLATFORMS, RULES).entries == entries


@given(ENTRIES)
def test_what_is_exported_as_json_is_imported_as_it_was(entries: list[UserEntry]) -> None:
    exported = list(json_lines(map(answer, entries)))

    assert read_users("\n".join(exported), "json", PLATFORMS, RULES).entries == entries
    assert (
        read_users(json.dumps([*map(json.loads, exported)]), "json", PLATFORMS, RULES).entries
        == entries
    )
