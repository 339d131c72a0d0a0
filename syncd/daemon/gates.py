"""Gives the gates of all platforms a memory: what they must not forget goes to the database."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Self

from syncd.clock import Clock
from syncd.errors import LeaseLost, NotKnown, StoreUnavailable, SyncdError
from syncd.model.gate import GateState
from syncd.outbound.client import PlatformClient
from syncd.outbound.credentials import FINGERPRINT_CHARACTERS
from syncd.store.gates import GateStore
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ConditionNoticed

_BACKOFF_SECONDS = (1.0, 60.0)
_LAST_WRITE_SECONDS = 3.0
_LEAD_SECONDS = 1.0


class GateKeeper:
    """Writes what gates tell, the last word of each, and gives it back after a restart.

    Only the leader writes. What is not written when the context is left is lost: `flush` before.

    Args:
        clients: every way out, one per (platform, credential).
        store: where the states are kept.
        clock: where time comes from.
        bus: where it is told that something was lost.
    """

    def __init__(
        self, clients: Sequence[PlatformClient], store: GateStore, clock: Clock, bus: Bus
    ) -> None:
        self._clients = clients
        self._store = store
        self._clock = clock
        self._bus = bus
        self._told: dict[tuple[str, str], GateState] = {}
        self._unwritten: dict[tuple[str, str], GateState] = {}
        self._noted = asyncio.Event()
        self.may_write: Callable[[], bool] = lambda: True
        self._listen()

    def _listen(self) -> None:
        for client in self._clients:
            client.gate.remember = partial(self._note, client)

    async def know(self, clients: Sequence[PlatformClient]) -> None:
        """Keep the memory of these gates from now on; new ones go on as they were left."""
        before = {client.gate for client in self._clients}
        for gate in before:
            gate.remember = _forget  # one that is left has nothing to say about its successor
        self._clients = clients
        self._listen()
        with contextlib.suppress(StoreUnavailable):
            await self._restore([one for one in clients if one.gate not in before])

    async def __aenter__(self) -> Self:
        """Return the keeper; nothing is read before the database was reached."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write the rest, where we may; tell of what is lost."""
        await self.flush()
        if self._unwritten:
            names = ", ".join(sorted({platform for platform, _ in self._unwritten}))
            condition = f"what {names} asked us to wait for could not be written down"
            hint = "after the restart syncd asks once and is told again"
            self._bus.emit(ConditionNoticed(condition=condition, hint=hint))

    async def flush(self) -> None:
        """Write what is not written yet, unless `may_write` says that the database is away."""
        # What fails is told when the context is left, as what could not even be tried.
        with contextlib.suppress(SyncdError, TimeoutError):
            if self.may_write():
                async with asyncio.timeout(_LAST_WRITE_SECONDS):
                    await self._write()

    async def restore(self) -> None:
        """Let every gate go on as it was; to be done before the first request leaves.

        What another process lifted or saw ended while it led is ended here as well.
        What belongs to a credential or an address that is another one now is left alone, and so is
        what was told here and is not written yet, or was told while the states were read.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached; to be tried again.
        """
        await self._restore(self._clients)

    async def _restore(self, clients: Sequence[PlatformClient]) -> None:
        before = dict(self._told)
        states = {(state.platform, state.credential): state for state in await self._store.read()}
        for client in clients:
            name = (client.gate.platform, client.credential.name)
            state = states.get(name)
            if (
                state is not None
                and name not in self._unwritten
                and self._told.get(name) is before.get(name)
                and state.fingerprint == _fingerprint(client)
            ):
                client.gate.restore(state)

    def lift(self, platform: str, credential: str = "") -> list[str]:
        """Let a platform's requests leave whatever it said; return what was in the way.

        Args:
            platform: whose gates.
            credential: the only one that is meant; empty for all.

        Raises:
            NotKnown: it has no such credential.
        """
        of_platform = [client for client in self._clients if client.gate.platform == platform]
        meant = [one for one in of_platform if credential in {"", one.credential.name}]
        if not meant:
            names = ", ".join(client.credential.name for client in of_platform)
            raise NotKnown(
                f"{platform} has no credential {credential[:64]!r}", hint=f"credentials: {names}"
            )
        return [obstacle for client in meant for obstacle in client.gate.lift()]

    async def keep(self) -> None:
        """Write what is told, for ever; what could not be is written later."""
        backoff, longest = _BACKOFF_SECONDS
        while True:
            await self._noted.wait()
            try:
                await self._write()
                backoff = _BACKOFF_SECONDS[0]
            except StoreUnavailable:
                await self._clock.sleep(backoff)
                backoff = min(backoff * 2, longest)
            except LeaseLost:
                await self._clock.sleep(_LEAD_SECONDS)
            except SyncdError as error:
                # A state that cannot be stored must not end the daemon; the gate itself holds it.
                self._unwritten.clear()
                condition = f"a pause or breaker could not be written down: {error}"
                self._bus.emit(ConditionNoticed(condition=condition))

    async def _write(self) -> None:
        taken = dict(self._unwritten)
        self._noted.clear()
        try:
            if taken:
                await self._store.write(list(taken.values()))
        except BaseException:
            self._noted.set()
            raise
        # Not before: until then the database tells what was. What was told meanwhile is newer.
        for key, state in taken.items():
            if self._unwritten.get(key) is state:
                del self._unwritten[key]

    def _note(self, client: PlatformClient, state: GateState) -> None:
        key = (state.platform, state.credential)
        self._told[key] = self._unwritten[key] = replace(state, fingerprint=_fingerprint(client))
        self._noted.set()


def _forget(_state: GateState) -> None:
    """Remember nothing."""


def _fingerprint(client: PlatformClient) -> str:
    """Name whom we ask as whom: what one address asked for says nothing about another."""
    address = hashlib.sha256(client.base_url.encode()).hexdigest()[:FINGERPRINT_CHARACTERS]
    return f"{client.credential.fingerprint}@{address}"
