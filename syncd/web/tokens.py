"""The addresses of grants: in by file or one by one, how they stand, and never a token out."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from syncd.model.grant import GrantEntry
from syncd.web.instant import OffsetInstant
from syncd.web.routes import Call, Input, Nothing, Route, Routes, Text
from syncd.web.service import Json, Service
from syncd.web.users import LARGEST_IMPORT, Handle, ImportInput

ROTATE_SECONDS = 600.0
"""How long a call of `rotate-key` may work; what is left then is done by the next one."""

Standing = Literal["ok", "suspect", "dead", "expiring", "active", "reauth_required", "opted_out"]


class TokensQuery(Input):
    """Which grants; `after` continues behind the last key of a page."""

    after: Annotated[Text, Field(max_length=128)] = ""
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
    state: Standing | None = None


class GrantInput(Input):
    """One grant as the platform gave it; `granted_at` is when the user consented.

    Without `handle` the account stays linked as it is.
    """

    unlogged: ClassVar[frozenset[str]] = frozenset({"refresh_token", "access_token"})
    refresh_token: str = Field(repr=False)
    access_token: str = Field("", repr=False)
    access_expires_at: OffsetInstant | None = None
    scopes: Annotated[Text, Field(max_length=1_024)] = ""
    granted_at: OffsetInstant
    handle: Handle = ""


class DisconnectQuery(Input):
    """What becomes of what the user listened to."""

    history: Literal["keep", "forget"] = "keep"


class Tokens:
    """Answers under `/api/tokens` and `/api/users/{key}/tokens`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (
            Route(
                method="GET",
                path="/api/tokens",
                summary="How grants stand, in the order of their users' keys; never a token",
                takes=TokensQuery,
                answer=self._list,
            ),
            Route(
                method="POST",
                path="/api/tokens/import",
                summary="Take the grants of a file, all or none",
                takes=ImportInput,
                answer=self._import,
                largest_body=LARGEST_IMPORT,
            ),
            Route(
                method="POST",
                path="/api/tokens/rotate-key",
                summary="Make a new key and seal every token with it",
                takes=Nothing,
                answer=self._rotate,
                answer_seconds=ROTATE_SECONDS,
            ),
            *self._of_one(),
        )

    def _of_one(self) -> Routes:
        path = "/api/users/{key}/tokens/{platform}"
        return (
            Route(
                method="PUT",
                path=path,
                summary="Take a user's grant, after they connected the platform or did so again",
                takes=GrantInput,
                answer=self._put,
            ),
            Route(
                method="DELETE",
                path=path,
                summary="Disconnect a platform: its tokens go first, then the history if asked",
                takes=DisconnectQuery,
                answer=self._disconnect,
            ),
        )

    async def _list(self, call: Call[TokensQuery]) -> Json:
        given = call.given
        return {"tokens": await self._service.tokens(given.after, given.limit, given.state)}

    async def _import(self, call: Call[ImportInput]) -> Json:
        given = call.given
        return await self._service.import_tokens(
            given.content, format=given.format, dry_run=given.dry_run
        )

    async def _rotate(self, _call: Call[Nothing]) -> Json:
        return await self._service.rotate_key()

    async def _put(self, call: Call[GrantInput]) -> Json:
        entry = GrantEntry(key=call.name("key"), platform=call.name("platform"), **dict(call.given))
        return await self._service.put_token(entry)

    async def _disconnect(self, call: Call[DisconnectQuery]) -> Json:
        return await self._service.disconnect(
            call.name("key"), call.name("platform"), forget=call.given.history == "forget"
        )
