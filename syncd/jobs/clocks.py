"""What a clock that was ahead leaves behind."""

from __future__ import annotations

from syncd.jobs.base import Surroundings
from syncd.telemetry.events import ConditionNoticed

_HINT = "they count as never asked and come first; is the clock right now?"


async def forget_ahead(around: Surroundings) -> None:
    """Let accounts be asked again that, by what is written down, were asked in the future."""
    accounts = await around.stores.accounts.forget_ahead(around.clock.now())
    if accounts:
        what = f"{accounts:,} account{'' if accounts == 1 else 's'}"
        condition = f"the clock was ahead when {what} {'was' if accounts == 1 else 'were'} asked"
        around.bus.emit(ConditionNoticed(condition=condition, hint=_HINT))
