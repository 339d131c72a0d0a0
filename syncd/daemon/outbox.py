"""The control port's questions and orders about what users were told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from syncd import plugins
from syncd.channels.cleaning import cleaned, safe_url
from syncd.config.values import suggestion
from syncd.daemon.answers import Json
from syncd.daemon.core import Core
from syncd.daemon.preferences import channel_of
from syncd.errors import NotKnown
from syncd.model.notification import DeliveryState
from syncd.model.outbox import Order, Wanted
from syncd.model.preferences import AddressState
from syncd.store.outbox import OutboxStore

_DETAILS = (
    "id",
    "channel",
    "occasion",
    "lead_hours",
    "state",
    "contest_name",
    "starts_at",
    "updated_at",
)


class OutboxDesk:
    """Deliveries: what is under way, what waits for a person, what a user was told."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._outbox = OutboxStore(core.database, core.around.stores.runs.fence)

    async def outbox(self, wanted: Wanted, before: int | None, limit: int) -> list[Json]:
        """Return deliveries, newest first."""
        if wanted.channel is not None:
            _check_channel(wanted.channel)
        if wanted.user_key is not None:
            await self._check_user(wanted.user_key)
        return as_sent(await self._outbox.read_page(wanted, before, limit))

    async def notifications(self, key: str, before: int | None, limit: int) -> list[Json]:
        """Return what a user was told, and was to be told, newest first."""
        wanted = Wanted(states=tuple(DeliveryState), user_key=key)
        return await self.outbox(wanted, before, limit)

    async def decide_delivery(self, order: Order, delivery_id: int, *, actor: str) -> Json:
        """Let a delivery be sent once more, or never."""
        now = self._core.clock.now()
        [shown] = as_sent([await self._outbox.decide(order, delivery_id, actor=actor, at=now)])
        return shown

    async def retry_unknown(self, channel: str | None) -> Json:
        """Retry whatever nobody knows to have arrived."""
        if channel is not None:
            _check_channel(channel)
        return {**await self._outbox.retry_unknown(channel, at=self._core.clock.now())}

    async def mark_read(self, delivery_id: int) -> Json:
        """Note that its user has read a delivery."""
        [shown] = as_sent([await self._outbox.mark_read(delivery_id, self._core.clock.now())])
        return shown

    async def delivery_statistics(self, days: int) -> Json:
        """Count deliveries by channel and day, today and so many days before it in all."""
        now = self._core.clock.now()
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        since = today - timedelta(days=days - 1)
        return {"since": since, "days": await self._outbox.statistics(since)}

    async def _check_user(self, key: str) -> None:
        if await self._core.users.unknown([key]):
            raise NotKnown(
                f"there is no user {key!r}",
                hint="`syncd users list` shows whom syncd knows; mind capitals",
            )


def as_sent(deliveries: list[Json]) -> list[Json]:
    """Return deliveries with names and links as they are sent: nothing unseen, no flood."""
    return [
        {
            **each,
            "contest_name": cleaned(each["contest_name"]),
            "contest_url": safe_url(each["contest_url"]),
        }
        for each in deliveries
    ]


def told_answer(deliveries: list[Json]) -> list[Json]:
    """Return deliveries as briefly as `syncd why` tells them."""
    details = (*_DETAILS, "error")
    return [{name: each[name] for name in details} for each in as_sent(deliveries)]


def silent_in_words(addresses: list[Json]) -> Iterator[str]:
    """Say of each address to which nothing is sent any more why that is."""
    for each in addresses:
        since = f"since {each['since']:%Y-%m-%d %H:%M}"
        reason = f": {each['reason']}" if each["reason"] else ""
        match AddressState(each["state"]):
            case AddressState.OFF:
                yield f"{each['channel']} is off {since}{reason}"
            case AddressState.DEAD:
                yield f"{each['channel']} reaches nobody {since}{reason}"
            case AddressState.ACTIVE:
                continue


def _check_channel(name: str) -> None:
    """Refuse a channel that cannot be.

    Raises:
        NotKnown: there is none of that name.
    """
    try:
        channel_of(name)
    except NotKnown:
        known = plugins.find("syncd.channels")
        near = suggestion(name, known)
        raise NotKnown(
            f"there is no channel {name!r}{near}", hint=f"channels: {', '.join(known) or 'none'}"
        ) from None
