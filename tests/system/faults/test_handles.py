"""Check S33: what cannot be a handle is refused before anything is asked, however it comes in."""

from __future__ import annotations

import csv
import io
import json

from fakes.daemon_config import JOB
from fakes.storm import Storms

UNFIT = [
    *("../user/1", "..", "a/../b", "a/b", "a\\b", "a?b=c", "?", "a#b", "#", "a%2fb", "%2e%2e"),
    *("a" * 300, "a\0b", "a\nb", "a\r\nHost: b", "a b", "-a", "\u0430da", "a\u202eb", "\uff41da"),
]


def as_csv(handle: str) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([["key", "github"], ["unfit", handle]])
    return text.getvalue()


async def test_unfit_handle_is_refused_by_every_way_in_and_nothing_is_asked(storm: Storms) -> None:
    async with storm() as world:
        await world.calm()
        world.door.requests.clear()
        linked: dict[str, list[int]] = {}
        for handle in UNFIT:
            put = await world.daemon.api(
                "PUT", "/api/users/unfit", {"accounts": {"github": handle}}
            )
            line = json.dumps({"key": "unfit", "accounts": {"github": handle}})
            given = await world.daemon.api(
                "POST", "/api/users/import", {"format": "json", "content": line}
            )
            linked[handle] = [put.status, given.status]
            assert "github" in put.body["error"], put
        file = world.daemon.folder / "users.csv"
        codes = {}
        for handle in ("../user/1", "a%2fb", "a\0b", "a" * 300):
            file.write_text(as_csv(handle))
            said = await world.daemon.command("users", "import", str(file))
            codes[handle] = said.code
            assert "line 2" in said.err, said
        only = await world.daemon.api("POST", f"/api/jobs/{JOB}/trigger", {"only": ["../user/1"]})
        asked = list(world.door.requests)
        users = (await world.daemon.get("/api/users"))["users"]
        await world.oracle.check()

    assert {status for both in linked.values() for status in both} <= {400, 422}, linked
    assert set(codes.values()) <= {1, 2, 4}, codes
    assert only.status in {400, 404, 422}, only
    assert asked == []
    assert "unfit" not in [user["key"] for user in users]
