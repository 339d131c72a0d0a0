"""Following a run over the control port, past lost events and restarts of the daemon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from syncd.web.client import ControlClient, DaemonUnreachable, Json, StreamEvent, api_path

_GOING = frozenset({"claimed", "running", "interrupted"})
_PAUSE_SECONDS = 0.5


def follow_run(
    client: ControlClient,
    run_id: int,
    on_progress: Callable[[Json], None],
    *,
    patience_seconds: float = 60.0,
) -> Json:
    """Return the run once it has ended.

    Args:
        client: the way to the daemon.
        run_id: the run's number.
        on_progress: is given what every `run.progressed` of this run tells.
        patience_seconds: how long to wait for a daemon that went away; it goes on with the run
            when it comes back.

    Raises:
        DaemonUnreachable: it did not come back.
    """
    follower = _Follower(client, run_id, on_progress)
    gone_since: float | None = None
    while True:
        try:
            if (run := follower.watch()) is not None:
                return run
            gone_since = None  # the daemon ended the stream in order
        except DaemonUnreachable as error:
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > patience_seconds:
                raise DaemonUnreachable(
                    f"the daemon went away while run {run_id} was under way: {error}",
                    hint=f"it goes on at the next start; then: syncd show {run_id}",
                ) from error
        time.sleep(_PAUSE_SECONDS)


class _Follower:
    def __init__(
        self, client: ControlClient, run_id: int, on_progress: Callable[[Json], None]
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._on_progress = on_progress

    def watch(self) -> Json | None:
        """Read one event stream; returns the run when it has ended, None when the stream has."""
        for event in self._client.iter_events():
            if self._may_have_ended(event) and (run := self._ended()) is not None:
                return run
        return None

    def _may_have_ended(self, event: StreamEvent | None) -> bool:
        """Pass progress on, and tell whether the run itself must be asked for."""
        if event is None or event.name == "resync":
            # The stream is open (what happened before was not told), silent, or has lost events.
            return True
        if event.name == "run.progressed" and event.data["run_id"] == self._run_id:
            self._on_progress(event.data)
        return event.name == "run.finished" and event.data["run"]["id"] == self._run_id

    def _ended(self) -> Json | None:
        run = self._client.get(api_path("runs", self._run_id))
        progress: dict[str, Any] = run["progress"]
        for platform, told in progress.items():
            self._on_progress({"platform": platform, **told})
        return None if run["outcome"] in _GOING else run
