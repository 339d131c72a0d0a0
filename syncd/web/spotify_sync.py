"""The address of the replaced Spotify sync: it acts on the first job of kind listening."""

from __future__ import annotations

from http import HTTPStatus

from syncd.model.run import RunOptions
from syncd.web.jobs import Triggers
from syncd.web.routes import Call, Nothing, Route, Routes
from syncd.web.service import Json, Service

PATH = "/api/spotify/sync-all-users"


class SpotifySync:
    """Answers `/api/spotify/sync-all-users`."""

    def __init__(self, service: Service, triggers: Triggers) -> None:
        self._service = service
        self._triggers = triggers

    def routes(self) -> Routes:
        """Return this subject's address."""
        return (
            Route(
                method="POST",
                path=PATH,
                summary="Look for new plays of all users now; 409 with its number while one runs",
                takes=Nothing,
                answer=self._sync,
                status=HTTPStatus.ACCEPTED,
            ),
        )

    async def _sync(self, call: Call[Nothing]) -> Json:
        job = self._service.first_of("listening")
        run = await self._triggers.start(job, RunOptions(), call.idempotency_key)
        return {"success": True, "message": "Sync started for all users", "run": run}
