"""What must be true after every fault case, whatever was struck: the oracle of the fault matrix.

O1 every fire that was due has one verdict; O2 tables and counts are what the world answered; O3
no run is `running` that nobody executes; O5 no secret stands anywhere; O6 nothing is held open;
O7 the end is quick, quiet and 0. O4 (deliveries) is looked at by `post_office`, O8 (deletes) by
each case that deletes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fakes.daemon_config import JOB
from fakes.daemon_process import DaemonProcess
from fakes.tcp_proxy import TcpProxy
from fakes.waiting import until

from syncd.sandbox.population import Population

PULSE = "pulse"
"""A job that fires all the time and asks nobody: its ledger shows that nothing stood still."""
PULSE_EVERY = timedelta(seconds=2)
# A fire may be the first to find that the database is away, and is tried again after five seconds.
AROUND_OUTAGES = timedelta(seconds=6)

LONGEST_END_SECONDS = 10.0
# What a daemon may have opened since it was first looked at: connections of its pools.
MORE_FILES = 8

PROFILES = """
    SELECT accounts.platform, users.key, profiles.raw, profiles.name, profiles.avatar_url,
           profiles.bio, profiles.followers, profiles.following, profiles.public_repos
    FROM profiles
    JOIN accounts ON accounts.id = profiles.account_id
    JOIN users ON users.id = accounts.user_id
"""
COUNTS = """
    SELECT runs.id, runs.created, runs.updated, runs.skipped, runs.failed, runs.failures,
           count(*) FILTER (WHERE items.outcome = 'created') AS items_created,
           count(*) FILTER (WHERE items.outcome = 'updated') AS items_updated,
           count(*) FILTER (WHERE items.outcome = 'withdrawn') AS items_skipped,
           count(*) FILTER (WHERE items.outcome NOT IN ('created', 'updated', 'withdrawn'))
               AS items_failed
    FROM runs LEFT JOIN item_outcomes AS items ON items.run_id = runs.id
    GROUP BY runs.id
"""
WRITTEN = """
    SELECT string_agg(line, ' ') FROM (
        SELECT to_jsonb(runs)::text FROM runs
        UNION ALL SELECT to_jsonb(item_outcomes)::text FROM item_outcomes
        UNION ALL SELECT to_jsonb(sync_state)::text FROM sync_state
        UNION ALL SELECT to_jsonb(gates)::text FROM gates
        UNION ALL SELECT to_jsonb(pauses)::text FROM pauses
    ) AS lines (line)
"""
HELD = """
    SELECT count(*) FROM pg_stat_activity
    WHERE state LIKE 'idle in transaction%' AND now() - state_change > interval '1 second'
"""
COLUMNS = ("name", "avatar_url", "bio", "followers", "following", "public_repos")


class Books:
    """What is stored, beside what should be: O2 and O3, of any syncd that can be asked by SQL.

    Args:
        fetch: asks its database.
    """

    def __init__(self, fetch: Callable[..., Awaitable[list[Any]]]) -> None:
        self._fetch = fetch

    async def check_profiles(self, model: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        """O2: rows are what was answered last; nothing odd replaced anything good.

        Args:
            model: the document of each platform and user.
        """
        stored = {(row["platform"], row["key"]): row for row in await self._fetch(PROFILES)}
        assert stored.keys() == model.keys(), "O2: rows"
        for place, document in model.items():
            raw = _decoded(stored[place]["raw"])
            assert raw == document, f"O2: {place}: {_differences(raw, document)}"
            columns = {key: stored[place][key] for key in COLUMNS}
            assert columns == {key: document[key] for key in COLUMNS}, f"O2: {place}"

    async def check_counts(self) -> None:
        """O2: what a run counted is what it wrote down item by item."""
        for row in await self._fetch(COUNTS):
            for word in ("created", "updated", "skipped", "failed"):
                assert row[word] == row[f"items_{word}"], f"O2: run {row['id']}: {word}"
            failures = sum(_decoded(row["failures"]).values())
            assert failures == row["failed"] + row["skipped"], f"O2: run {row['id']}: failures"

    async def check_running(self, *jobs: str) -> None:
        """O3: no open row of jobs that nobody executes."""
        rows = await self._fetch(
            "SELECT id, job, outcome FROM runs "
            "WHERE job = ANY($1) AND outcome IN ('claimed', 'running')",
            list(jobs),
        )
        assert rows == [], "O3"


class Oracle:
    """Looks at a daemon from outside; `learn` tells it what must be stored from now on.

    Args:
        daemon: who is looked at.
        worlds: who answers on each platform.
        people: indexes of the users `u0`, `u1`, ...: they are followed on every platform.
        secrets: what must be told nowhere.
        door: the way to the platform that is struck.
    """

    def __init__(
        self,
        daemon: DaemonProcess,
        worlds: Mapping[str, Population],
        people: Sequence[int],
        *,
        secrets: Iterable[str],
        door: TcpProxy,
    ) -> None:
        self._daemon = daemon
        self._books = Books(daemon.fetch)
        self._worlds = worlds
        self._people = people
        self._secrets = tuple(secrets)
        self._door = door
        self._model: dict[tuple[str, str], dict[str, Any]] = {}
        self._files: int | None = None

    def learn(self, platform: str, *people: int) -> None:
        """Expect of these, or of everybody, what the platform answers about them now."""
        for index in people or self._people:
            self._model[platform, f"u{index}"] = self._worlds[platform].document(index)

    def keep_secret(self, *words: str) -> None:
        """Expect these to be told nowhere either."""
        self._secrets += words

    async def check(self) -> None:
        """Look at everything while the daemon is up and no run of its job is."""
        await self._check_ledger()
        await self._books.check_profiles(self._model)
        await self._books.check_counts()
        await self._books.check_running(JOB)
        await self._check_secrets()
        await self._check_held()

    async def check_end(self) -> None:
        """Ask the daemon to end, and look at what it leaves."""
        began = time.monotonic()
        code = await self._daemon.stop()
        took = time.monotonic() - began

        assert (code, took < LONGEST_END_SECONDS) == (0, True), f"O7: {code} after {took:.1f} s"
        # An exception nobody took, or a connection nobody closed, would stand here.
        assert (self._daemon.errors(), self._daemon.noise) == ("", []), "O6, O7"
        assert self._door.connections == 0, "O6: connections outlive the daemon"
        async with self._daemon.database_up():
            await self._books.check_running(JOB, PULSE)
        self._check_files()

    async def _check_ledger(self) -> None:
        """O1: a row for every fire since the last start up to now, and no second one."""

        async def is_up_to_date() -> bool:
            rows = await self._daemon.fetch(
                "SELECT now() - max(fire_time) < $2 AS ok FROM runs WHERE job = $1",
                PULSE,
                2 * PULSE_EVERY,
            )
            return bool(rows[0]["ok"])

        async def is_back() -> bool:
            return len(self._daemon.said("store.lost")) == len(self._daemon.said("store.recovered"))

        await until(is_back, what="O1: the end of an outage")
        await until(is_up_to_date, what="O1: the fires that are due")
        told = self._daemon.said("job.registered", job=PULSE)[-1]["timestamp"]
        started = datetime.fromisoformat(told)
        rows = await self._daemon.fetch(
            "SELECT fire_time FROM runs WHERE job = $1 AND fire_time > $2 ORDER BY fire_time",
            PULSE,
            started,
        )
        times = [row["fire_time"] for row in rows]
        # Just after a start there is none yet.
        due = _grid(started, times) if times else set[datetime]()
        assert set(times) <= due, f"O1: {times}"
        missing = [time for time in due.difference(times) if not self._was_away(time)]
        assert missing == [], f"O1: no row of {missing}"

    def _was_away(self, fire_time: datetime) -> bool:
        """Tell whether the database was away at a fire: the latest one stands for such fires."""
        lost, back = (
            [datetime.fromisoformat(line["timestamp"]) for line in self._daemon.said(event)]
            for event in ("store.lost", "store.recovered")
        )
        return any(
            start - AROUND_OUTAGES <= fire_time <= end + AROUND_OUTAGES
            for start, end in zip(lost, back, strict=True)
        )

    async def _check_secrets(self) -> None:
        """O5: in no body, no table and no file."""
        for path, body in (await self.bodies()).items():
            self._check_told(path, body)
        (row,) = await self._daemon.fetch(WRITTEN)
        self._check_told("the database", row[0])
        self._check_files()

    async def bodies(self) -> dict[str, str]:
        """Return what the control port tells of everything."""
        newest = (await self._daemon.get(f"/api/runs?job={JOB}"))["runs"][0]["id"]
        paths = ["/metrics", "/health", "/api/status", "/api/runs", "/api/platforms", "/api/stale"]
        paths += ["/api/users", f"/api/runs/{newest}/items"]
        paths += [f"/api/users/u{index}/why" for index in self._people]
        return {path: json.dumps(await self._daemon.get(path)) for path in paths}

    def _check_files(self) -> None:
        for path in self._daemon.folder.rglob("*"):
            if (
                path.is_file()
                and not path.is_symlink()
                and path != self._daemon.state_dir / "token"
            ):
                self._check_told(str(path), path.read_text(errors="replace"))

    def _check_told(self, place: str, text: str) -> None:
        for secret in (*self._secrets, self._daemon.token):
            assert secret not in text, f"O5: {secret} stands in {place}"

    async def _check_held(self) -> None:
        """O6: no transaction, no request and no connection is held."""

        async def is_free() -> bool:
            (row,) = await self._daemon.fetch(HELD)
            platforms = (await self._daemon.get("/api/platforms"))["platforms"]
            held = [each["in_flight"] + each["waiting"] for each in platforms]
            return row[0] == 0 and sum(held) == 0

        await until(is_free, what="O6: nothing held")
        files = _open_files(self._daemon.pid)
        self._files = self._files or files
        assert files <= self._files + MORE_FILES, f"O6: {files} files open, {self._files} before"


def _grid(started: datetime, times: Sequence[datetime]) -> set[datetime]:
    """Return every fire since the start up to the last of these."""
    passed = (times[-1] - started) // PULSE_EVERY + 1
    return {times[-1] - number * PULSE_EVERY for number in range(passed)}


def _open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _decoded(value: Any) -> Any:
    """Return a jsonb column, whether or not the connection decodes it."""
    return json.loads(value) if isinstance(value, str) else value


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    keys = one.keys() | other.keys()
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}
