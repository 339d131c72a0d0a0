"""What the control port needs from the rest of syncd: the daemon implements it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from syncd.model.account import UserEntry
from syncd.model.grant import GrantEntry
from syncd.model.leaderboard import PlanState
from syncd.model.letter import Decision, Letters
from syncd.model.override import JobChange
from syncd.model.pause import PauseScope
from syncd.model.run import RunOptions
from syncd.web.deliveries import Deliveries
from syncd.web.reaching import Reaching

Json = dict[str, Any]
"""An answer: whatever `pydantic_core.to_json` can write, aware datetimes included."""


class Service(Deliveries, Reaching, Protocol):
    """The questions and orders that the control port passes on.

    Every method may raise `StoreUnavailable`; what a call names and does not exist is `NotKnown`,
    what it gives and cannot be used `BadInput`. Everything is safe to repeat, except that each
    `trigger` that does not raise starts a run.
    """

    def is_ready(self) -> tuple[bool, str]:
        """Tell whether runs can start, and if not, why. Asks nobody: probes call it often."""

    def is_standby(self) -> bool:
        """Tell whether all is well but for another syncd leading; `is_ready` says who."""

    def check_store(self) -> None:
        """Refuse what needs PostgreSQL while that is known not to answer.

        Raises:
            StoreUnavailable: saying why.
        """

    def check_may_change(self) -> None:
        """Refuse a change where another syncd leads; called before every one.

        Raises:
            NotLeading: naming who leads, and where it listens.
        """

    async def status(self) -> Json:
        """Return the first screen: freshness, jobs, platforms, problems."""

    async def metrics(self) -> bytes:
        """Return the metrics as `telemetry.metrics.CONTENT_TYPE`, whatever does not answer."""

    async def jobs(self) -> list[Json]:
        """Return every job with its last run and its next fire time."""

    async def job(self, job: str) -> Json:
        """Return one job, with what its runs came to on each platform."""

    async def trigger(self, job: str, options: RunOptions, idempotency_key: str | None) -> Json:
        """Start a run now and return it; its number is under `id`.

        Raises:
            AlreadyRunning: a run of the job is active.
        """

    async def pause(
        self, scope: PauseScope, key: str, *, why: str, until: datetime | None, actor: str
    ) -> Json:
        """Keep `key` (or, with scope ALL, everything) from starting until resumed, or `until`.

        Raises:
            BadInput: `key` is a job that another one covers, and there is no reason.
        """

    async def resume(
        self, scope: PauseScope, key: str, *, actor: str, credential: str = ""
    ) -> Json:
        """End a pause; resuming what is not paused changes nothing.

        Of a platform it also lifts what the platform itself asked for, and its breaker; with
        `credential` nothing but that, for this credential.
        """

    async def change_job(self, job: str, change: JobChange, *, actor: str) -> Json:
        """Change a job over config.toml, or go back to that, and return it as it is then."""

    async def reload(self, *, dry_run: bool, actor: str) -> Json:
        """Read config.toml again and apply it, or only tell what is different in it.

        Raises:
            ConfigError: it cannot be used; nothing was changed.
        """

    async def runs(self, job: str | None, before: int | None, limit: int) -> list[Json]:
        """Return runs, newest first, numbered below `before`."""

    async def run(self, run_id: int) -> Json:
        """Return one run, with what it came to on each platform."""

    async def run_items(self, run_id: int, outcome: str | None, limit: int) -> list[Json]:
        """Return what came of a run's items."""

    async def cancel(self, run_id: int) -> Json:
        """Ask a run to stop at its next item; cancelling a finished run changes nothing."""

    async def ended_run(self, run_id: int, seconds: float) -> Json:
        """Return a run once it has ended, or after so many seconds as it is then."""

    def first_leaderboard(self) -> str:
        """Name the first job of kind leaderboard.

        Raises:
            NotKnown: there is none.
        """

    def first_of(self, kind: str) -> str:
        """Name the first job of a kind.

        Raises:
            NotKnown: there is none.
        """

    async def leaderboard_service(self) -> Json:
        """Return how the first leaderboard job stands, whatever does not answer.

        Its keys are `job`, `enabled`, `is_stopped` (somebody paused the job, without an end),
        `is_running` (it is on, not paused, and syncd fires) or else `why` not, `is_alive` (it runs,
        and a syncd leads that fires it), `redis_connected`, `postgres_connected`, `synced_at`
        (None: never, or not known) and `next_fire_time`.
        """

    async def leaderboard_counts(self) -> Json:
        """Return how many users the first leaderboard job's table and boards have now.

        `postgres_users` is a number, `boards` a number by board; None where one cannot be asked.
        """

    async def check_cache(self) -> None:
        """Refuse what needs Redis while that does not answer.

        Raises:
            CacheUnavailable: saying why.
        """

    async def platforms(self) -> list[Json]:
        """Return every platform with its limits and pauses."""

    async def users(self, after: str, limit: int) -> list[Json]:
        """Return users in the order of their keys, those behind `after`."""

    async def user(self, key: str) -> Json:
        """Return a user with their accounts."""

    async def rescore(self) -> Json:
        """Let every score be computed again out of stored numbers; `rescoring` tells how far."""

    async def rescoring(self) -> Json:
        """Return how far the computing of scores is, or what the last one came to."""

    async def test_alert(self) -> Json:
        """Send a test to where alerts go, and return what came back, good or bad.

        Raises:
            BadInput: alerts go nowhere.
        """

    async def stale(self, platform: str, limit: int) -> Json:
        """Return the followed accounts without a good answer for longest."""

    async def why(self, key: str, attempts: int) -> Json:
        """Return a user's accounts with their newest attempts and what happens next."""

    async def dead_letters(self, chosen: Letters, before: int | None, limit: int) -> list[Json]:
        """Return dead letters, newest first, numbered below `before`."""

    async def dead_letter(self, letter_id: int) -> Json:
        """Return one dead letter."""

    async def decide_letter(self, decision: Decision, letter_id: int, *, actor: str) -> Json:
        """Requeue or discard one dead letter, and return it.

        Raises:
            WrongState: its item is settled.
        """

    async def decide_letters(self, decision: Decision, chosen: Letters, *, actor: str) -> int:
        """Requeue or discard every open dead letter of a choice; return how many there were."""

    async def plans(self, job: str | None, state: PlanState | None, limit: int) -> list[Json]:
        """Return what leaderboard jobs held for a person, newest first."""

    async def plan(self, plan_id: int) -> Json:
        """Return one plan with its first rows and the run that held it."""

    async def approve_plan(
        self,
        plan_id: int,
        digest: str,
        deletes: int | None,
        *,
        actor: str,
        seen: PlanState | None = None,
    ) -> Json:
        """Let the next full run do what a plan says, and start that run where nothing forbids it.

        Returns `plan`, `run` (None where none was started) and `note`, which says why not.

        `seen` is how the plan stood when they looked, None: however.

        Raises:
            WrongState: it was another plan that they saw, or it does not wait for an approval.
        """

    async def reject_plan(
        self, plan_id: int, *, why: str, actor: str, seen: PlanState | None = None
    ) -> Json:
        """Keep the rows of a plan, and return it.

        Raises:
            WrongState: it does not wait for anything, or a run may be applying it.
        """

    def check_leaderboard(self, job: str) -> None:
        """Refuse a job that has no leaderboards.

        Raises:
            BadInput: naming what it is instead.
        """

    async def job_to_undo(self, run_id: int) -> str:
        """Name the job of a run whose deletions can be taken back.

        Raises:
            NotKnown: no such run, or nothing of what it deleted is left.
            BadInput: its job has no leaderboards.
        """

    async def backups(self, job: str | None) -> list[Json]:
        """Return the copies of tables from before large changes, newest first."""

    async def job_to_restore(self, backup_id: int) -> str:
        """Name the job of a copy that is kept.

        Raises:
            NotKnown: there is none of that number.
            BadInput: its job has no leaderboards.
        """

    async def put_user(self, entry: UserEntry) -> Json:
        """Create or update a user."""

    async def forget_user(self, key: str, *, dry_run: bool) -> Json:
        """Remove everything that is stored about a user, or count it, and say what is left."""

    async def opt_out(self, key: str, opted_out: bool) -> Json:
        """Stop following a user, or follow them again."""

    async def sync_user(self, key: str) -> Json:
        """Fetch a user's accounts now.

        Raises:
            ConsentWithdrawn: the user opted out.
            AlreadyRunning: that is under way already.
            TooSoon: it was done a moment ago.
        """

    async def import_users(self, text: str, *, format: str, dry_run: bool) -> Json:  # noqa: A002 - the word of the API
        """Create or update the users of a CSV or JSON text, all but whose `notify` is wrong."""

    async def tokens(self, after: str, limit: int, state: str | None) -> list[Json]:
        """Return how grants stand, in the order of their users' keys, those behind `after`."""

    async def import_tokens(self, text: str, *, format: str, dry_run: bool) -> Json:  # noqa: A002 - the word of the API
        """Take the grants of a CSV or JSON text, all or none."""

    async def put_token(self, entry: GrantEntry) -> Json:
        """Take one grant, and return how it stands."""

    async def rotate_key(self) -> Json:
        """Make a new key and seal every token with it; goes on where it was cut off."""

    async def disconnect(self, key: str, platform: str, *, forget: bool) -> Json:
        """Remove a user's grant and account on a platform, then perhaps what they listened to."""
