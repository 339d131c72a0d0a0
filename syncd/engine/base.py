"""The seam between deciding that a run starts and executing it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection

from syncd.model.run import Run
from syncd.runs.runner import Order


class Engine(ABC):
    """Executes runs until it is drained."""

    @abstractmethod
    def start(self, order: Order) -> None:
        """Begin to execute a run, unless it is active; returns at once."""

    @abstractmethod
    def active(self) -> Collection[Order]:
        """Return the runs that have not ended."""

    def active_of(self, job: str) -> Collection[Order]:
        """Return the runs of a job that have not ended, the oldest first."""
        return [order for order in self.active() if order.run.job == job]

    @abstractmethod
    def on_end(self, listener: Callable[[Run], None]) -> None:
        """Tell `listener` of every run that ended here, as it is stored."""

    @abstractmethod
    def cancel(self, run_id: int, why: str = "") -> bool:
        """Ask an active run to end; False when it is not active here.

        `why` is written into its row; empty where a person asked.
        """

    @abstractmethod
    async def drain(self, seconds: float) -> None:
        """Ask every run to end and wait at most `seconds`; what is left is cancelled.

        What was cancelled is left interrupted, for the next start.
        """

    @abstractmethod
    def hurry(self) -> None:
        """End the wait of a drain, this one or the next, now."""

    def find_active(self, job: str) -> Run | None:
        """Return the active run of a job that is about everybody, None when there is none."""
        for order in self.active_of(job):
            if not order.run.options.only:
                return order.run
        return None
