"""The addresses of users: the platform tells us who they are and what they linked."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from syncd.model.account import UserEntry
from syncd.web.instant import Instant
from syncd.web.preferences import NotifyInput, change_of
from syncd.web.routes import Call, Input, Nothing, Route, Routes, Text
from syncd.web.service import Json, Service

# A file of 10 MB grows when it is put into JSON.
LARGEST_IMPORT = 21_000_000

Platform = Annotated[Text, Field(min_length=1, max_length=64)]
Handle = Annotated[Text, Field(max_length=256)]


class UsersQuery(Input):
    """Which users; `after` continues behind the last key of a page."""

    after: Annotated[Text, Field(max_length=128)] = ""
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class UserInput(Input):
    """What is known about a user; what is left out stays as it is, an empty handle unlinks."""

    unlogged: ClassVar[frozenset[str]] = frozenset({"notify"})
    accounts: Annotated[dict[Platform, Handle], Field(max_length=64, default_factory=dict)]
    opted_out: bool | None = None
    last_login_at: Instant | None = None
    notify: NotifyInput | None = None


class OptOutInput(Input):
    """Whether the user wants to be left alone."""

    opted_out: bool


class ForgetInput(Input):
    """Whether to tell only what would be removed."""

    dry_run: bool = False


class ImportInput(Input):
    """A file of users; `content` is the text of the file itself."""

    unlogged: ClassVar[frozenset[str]] = frozenset({"content"})
    format: Literal["csv", "json"]
    content: str
    dry_run: bool = False


class Users:
    """Answers under `/api/users`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """Return this subject's addresses; those without a key go first."""
        return (
            Route(
                method="GET",
                path="/api/users",
                summary="Users in the order of their keys",
                takes=UsersQuery,
                answer=self._list,
            ),
            Route(
                method="POST",
                path="/api/users/import",
                summary="Create or update the users of a file, all but those whose notify is wrong",
                takes=ImportInput,
                answer=self._import,
                largest_body=LARGEST_IMPORT,
            ),
            *self._of_one(),
        )

    def _of_one(self) -> Routes:
        return (
            Route(
                method="GET",
                path="/api/users/{key}",
                summary="A user with their accounts",
                takes=Nothing,
                answer=self._show,
            ),
            Route(
                method="PUT",
                path="/api/users/{key}",
                summary="Create or update a user",
                takes=UserInput,
                answer=self._put,
            ),
            Route(
                method="DELETE",
                path="/api/users/{key}",
                summary="Forget a user: remove everything stored about them, or count it",
                takes=ForgetInput,
                answer=self._forget,
                answer_seconds=600.0,
            ),
            Route(
                method="POST",
                path="/api/users/{key}/sync",
                summary="Fetch a user's accounts now; 409 while that runs, 429 if it just did",
                takes=Nothing,
                answer=self._sync,
                status=HTTPStatus.ACCEPTED,
            ),
            Route(
                method="POST",
                path="/api/users/{key}/opt-out",
                summary="Stop following a user, or follow them again",
                takes=OptOutInput,
                answer=self._opt_out,
            ),
        )

    async def _list(self, call: Call[UsersQuery]) -> Json:
        return {"users": await self._service.users(call.given.after, call.given.limit)}

    async def _import(self, call: Call[ImportInput]) -> Json:
        given = call.given
        return await self._service.import_users(
            given.content, format=given.format, dry_run=given.dry_run
        )

    async def _show(self, call: Call[Nothing]) -> Json:
        return await self._service.user(call.name("key"))

    async def _put(self, call: Call[UserInput]) -> Json:
        given = call.given
        entry = UserEntry(
            key=call.name("key"),
            accounts=given.accounts,
            opted_out=given.opted_out,
            last_login_at=given.last_login_at,
            notify=change_of(given.notify) if "notify" in given.model_fields_set else None,
        )
        return await self._service.put_user(entry)

    async def _forget(self, call: Call[ForgetInput]) -> Json:
        return await self._service.forget_user(call.name("key"), dry_run=call.given.dry_run)

    async def _opt_out(self, call: Call[OptOutInput]) -> Json:
        return await self._service.opt_out(call.name("key"), call.given.opted_out)

    async def _sync(self, call: Call[Nothing]) -> Json:
        return await self._service.sync_user(call.name("key"))
