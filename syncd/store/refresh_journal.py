"""The journal of refreshes: answers of a platform that are not stored yet, sealed, on disk.

A refresh token that a platform exchanged is worth nothing any more, and the new one is in our hands
alone until PostgreSQL has it. So an answer goes to disk before anything else is done with it; a
process that is killed, or whose database is away, finds it there again. An entry that was stored
after all does no harm: its version has moved on.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from syncd.errors import RunError
from syncd.model.account import AccountId
from syncd.model.grant import Renewed
from syncd.store.grant_refreshes import Answered
from syncd.store.sealing import Bound, Sealer
from syncd.store.together import Together

NAME = "refreshed.journal"

_LARGEST_FILE = 1_000_000
_FIELD = "answer"

log = structlog.get_logger()

_Key = tuple[AccountId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """An answer as it lies in the journal, sealed."""

    account_id: AccountId
    version: int
    at: datetime
    key_id: str
    sealed: bytes

    @property
    def key(self) -> tuple[AccountId, int]:
        """Return what the answer is about."""
        return self.account_id, self.version


class RefreshJournal:
    """Answers between the moment they came and the moment they are stored.

    Args:
        path: the file, made where it is missing; this process alone writes it.
        sealer: its keys must be at hand before anything is kept.
    """

    def __init__(self, path: Path, sealer: Sealer) -> None:
        self.path = path
        self._sealer = sealer
        self._open: dict[_Key, JournalEntry] | None = None
        # A thread goes on when whoever waits for it is cancelled.
        self._turn = threading.Lock()
        self._keeping = Together(self._keep)

    async def keep(self, answer: Answered) -> None:
        """Have an answer on disk; those that come together cost one write.

        A disk that does not take it is told in the log: the answer is to be stored all the same.
        """
        bound = _bound(answer.account_id, answer.version)
        entry = JournalEntry(
            account_id=answer.account_id,
            version=answer.version,
            at=answer.at,
            key_id=self._sealer.newest,
            sealed=self._sealer.seal(bound, _written(answer.renewed)),
        )
        await self._keeping.ask(entry)

    async def drop(self, account: AccountId, version: int) -> None:
        """Forget an answer: it is stored, or is worth nothing any more."""
        await asyncio.to_thread(self._drop, (account, version))

    async def entries(self, account: AccountId | None = None) -> Sequence[JournalEntry]:
        """Return what is kept, oldest first, of one account or of all.

        Raises:
            RunError: the file is there and cannot be read.
        """
        kept = await asyncio.to_thread(self._kept)
        return [entry for entry in kept if account in {None, entry.account_id}]

    async def open(self, entry: JournalEntry) -> Answered:
        """Return an entry as the answer it was.

        Raises:
            SealBroken: it cannot be opened; it may be when its key is back.
            KeysUnfit: there are no keys.
        """
        await self._sealer.load([entry.key_id])
        text = self._sealer.open(
            _bound(entry.account_id, entry.version), entry.key_id, entry.sealed
        )
        return Answered(
            account_id=entry.account_id,
            version=entry.version,
            renewed=Renewed(**json.loads(text)),
            at=entry.at,
        )

    async def _keep(self, entries: Sequence[JournalEntry]) -> Sequence[None]:
        await asyncio.to_thread(self._append, entries)
        return [None] * len(entries)

    def _append(self, entries: Sequence[JournalEntry]) -> None:
        with self._turn:
            kept = self._loaded()
            try:
                self._write(b"".join(map(_line, entries)), os.O_APPEND)
            except OSError as error:
                log.warning(
                    "refresh_journal.not_written",
                    error=f"cannot write {self.path}: {error.strerror}",
                    hint="make room for it: a new token that is not stored when syncd is "
                    "killed is lost",
                )
            kept.update((entry.key, entry) for entry in entries)

    def _drop(self, key: _Key) -> None:
        with self._turn:
            kept = self._loaded()
            if kept.pop(key, None) is None:
                return
            try:
                if not kept:
                    os.truncate(self.path, 0)
                elif self.path.stat().st_size > _LARGEST_FILE:
                    self._rewrite(list(kept.values()))
            except OSError:
                # What stays in it is found to be stored when it is read.
                log.debug("refresh_journal.not_shortened")

    def _kept(self) -> list[JournalEntry]:
        with self._turn:
            return list(self._loaded().values())

    def _loaded(self) -> dict[_Key, JournalEntry]:
        if self._open is None:
            try:
                lines = self.path.read_bytes().split(b"\n")
            except FileNotFoundError:
                lines = []
            except OSError as error:
                raise RunError(
                    f"cannot read {self.path}: {error.strerror}",
                    hint="let the user syncd runs as read and write it, or move it away: it holds "
                    "new tokens of users that are not stored yet",
                ) from error
            found = [entry for line in lines if line for entry in _entries_of(line)]
            self._open = {entry.key: entry for entry in found}
        return self._open

    def _write(self, content: bytes, flags: int, path: Path | None = None) -> None:
        flags |= os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path or self.path, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)

    def _rewrite(self, entries: Sequence[JournalEntry]) -> None:
        fresh = self.path.with_name(f".{self.path.name}.new")
        self._write(b"".join(map(_line, entries)), os.O_TRUNC, fresh)
        fresh.replace(self.path)


def _bound(account: AccountId, version: int) -> Bound:
    return Bound(account_id=account, platform="", field=f"{_FIELD}-{version}")


def _written(renewed: Renewed) -> str:
    return json.dumps(
        {
            "access_token": renewed.access_token,
            "expires_in_seconds": renewed.expires_in_seconds,
            "refresh_token": renewed.refresh_token,
            "scopes": renewed.scopes,
        }
    )


def _line(entry: JournalEntry) -> bytes:
    """Write an entry. It begins with the end of a line: what was cut off before it stands alone."""
    record = {
        "account": entry.account_id,
        "version": entry.version,
        "at": entry.at.isoformat(),
        "key": entry.key_id,
        "sealed": base64.b64encode(entry.sealed).decode(),
    }
    return b"\n" + json.dumps(record).encode() + b"\n"


def _entries_of(line: bytes) -> Sequence[JournalEntry]:
    """Read a line; none where it was cut off."""
    try:
        record: dict[str, Any] = json.loads(line)
        entry = JournalEntry(
            account_id=AccountId(int(record["account"])),
            version=int(record["version"]),
            at=datetime.fromisoformat(record["at"]),
            key_id=str(record["key"]),
            sealed=base64.b64decode(record["sealed"], validate=True),
        )
    except (ValueError, KeyError, TypeError):
        log.warning("refresh_journal.cut_off", hint="a write was cut off; the others are used")
        return []
    return [entry]
