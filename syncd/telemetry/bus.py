"""The bus: one emitter, many subscribers, nobody waits and nobody fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import structlog

from syncd.telemetry.events import Event

Subscriber = Callable[[Event], None]

log = structlog.get_logger()


class Bus:
    """Hand every event to every subscriber, in the order of subscription.

    Subscribers are plain functions that return at once; whoever needs more keeps a queue of its
    own. A subscriber that raises is logged and the next one is served.
    """

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    @contextlib.contextmanager
    def subscribed(self, subscriber: Subscriber) -> Iterator[None]:
        """Serve `subscriber` as long as the context lasts."""
        self._subscribers.append(subscriber)
        try:
            yield
        finally:
            self._subscribers.remove(subscriber)

    @property
    def is_heard(self) -> bool:
        """Tell whether anybody listens, before thousands of events are made for nobody."""
        return bool(self._subscribers)

    def emit(self, event: Event) -> None:
        """Tell that something happened. Never raises, never waits."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:
                log.exception("subscriber.failed", subscribed_event=event.name)
