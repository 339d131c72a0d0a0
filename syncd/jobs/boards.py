"""What [jobs.NAME] of kind "leaderboard" takes: which boards, which table, how careful."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from syncd.config.duration import Duration, PositiveDuration, parse_duration
from syncd.model.leaderboard import LONGEST_ID, Board, Guard, Target

_LONGEST_IDENTIFIER = 63


def _board(name: str) -> str:
    if not (name.isascii() and name.replace("_", "").isalnum() and len(name) <= 32):
        raise ValueError("must be letters, digits and underscores, 32 at most")
    return name


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must hold printable characters only")
    return text


def _identifier(name: str) -> str:
    if not name or not name.isprintable() or len(name.encode()) > _LONGEST_IDENTIFIER:
        raise ValueError(f"must be a name of PostgreSQL: 1 to {_LONGEST_IDENTIFIER} bytes")
    return name


BoardName = Annotated[str, AfterValidator(_board)]
Key = Annotated[str, AfterValidator(_printable)]
Name = Annotated[str, AfterValidator(_identifier)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class GuardOptions(BaseModel):
    """What a run may delete, or change, without being asked; `model.leaderboard.Guard` says how.

    `most_share` is a hard stop: it can be lowered, not raised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(default=20, ge=0, le=1_000_000)
    share: Share = 0.01
    most_share: float = Field(default=0.2, ge=0, le=0.2, allow_inf_nan=False)
    changed_share: Share = 0.9
    runs: int = Field(default=2, ge=1, le=1_000)
    wait: Duration = parse_duration("24h")
    canary: Key = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.share > self.most_share:
            raise ValueError(f"share must be at most most_share, {self.most_share:g}")
        return self


class LeaderboardOptions(BaseModel):
    """What [jobs.NAME] of kind "leaderboard" takes.

    `keys` names boards whose key is not `prefix` and the name. `batch` is how many members Redis is
    asked for at a time, `pause` the time between two such questions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    boards: tuple[BoardName, ...] = Field(
        default=("daily", "weekly", "monthly", "yearly"), min_length=1, max_length=16
    )
    prefix: Key = "leaderboard:"
    keys: Mapping[str, Annotated[Key, Field(min_length=1)]] = Field(default_factory=dict)
    details: Key = "user:details:"
    details_field: Key = "updated_at"
    mode: Literal["full", "incremental"] = "full"
    dirty: Key = "lb:dirty"
    full_every: PositiveDuration = parse_duration("24h")
    schema_name: str = Field(default="", alias="schema", max_length=_LONGEST_IDENTIFIER)
    table: Name = "pomo_leaderboard"
    columns: Mapping[str, Name] = Field(default_factory=dict)
    user_column: Name = "user_id"
    updated_column: Name = "updated_at"
    batch: int = Field(default=1_000, ge=100, le=50_000)
    pause: Duration = parse_duration("0s")
    id_length: int = Field(default=128, ge=1, le=LONGEST_ID)
    guard: GuardOptions = GuardOptions()
    plan_expires: PositiveDuration = parse_duration("24h")
    large_change: Share = 0.5
    backups: Duration = parse_duration("14d")
    tombstones: PositiveDuration = parse_duration("30d")
    stale_replica: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.boards)) < len(self.boards):
            raise ValueError("boards must not name one twice")
        for option, given in (("keys", self.keys), ("columns", self.columns)):
            if unknown := [name for name in given if name not in self.boards]:
                raise ValueError(f"{option} names {unknown[0]!r}, which is none of the boards")
        keys = [board.key for board in self.all_boards()]
        if same := _twice(keys):
            raise ValueError(f"two boards have the key {same!r}")
        if self.dirty in keys:
            raise ValueError(f"dirty must be a set of its own, {self.dirty!r} is a board")
        target = self.target()
        names = [target.user_column, target.updated_column, *target.columns.values()]
        if same := _twice(names):
            raise ValueError(f"two of the columns are {same!r}")
        if self.mode == "incremental" and not self.dirty:
            raise ValueError('mode "incremental" needs dirty, the set that writers add users to')
        return self

    def all_boards(self) -> tuple[Board, ...]:
        """Return the boards with their keys."""
        return tuple(
            Board(name=name, key=self.keys.get(name, f"{self.prefix}{name}"))
            for name in self.boards
        )

    def target(self) -> Target:
        """Return the table that follows the boards."""
        return Target(
            schema=self.schema_name,
            table=self.table,
            user_column=self.user_column,
            updated_column=self.updated_column,
            columns={name: self.columns.get(name, f"{name}_pomo") for name in self.boards},
        )

    def as_guard(self) -> Guard:
        """Return the guard as a value."""
        return Guard(**self.guard.model_dump())


def _twice(names: list[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)
