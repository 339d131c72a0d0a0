"""What every [channels.NAME] has in common, and [notify]."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from syncd.config.duration import PositiveDuration, Rate, parse_duration
from syncd.config.section import Section
from syncd.config.values import EMPTY_IS_NONE
from syncd.model.notification import UnknownPolicy


class ChannelSettings(Section):
    """How a channel may be used; without its table in config.toml it is off.

    `rate` None: as fast as `slots` deliveries at a time go. `on_unknown` None is the channel's own.
    `attempts` is how often one delivery is tried before it is given up.
    """

    enabled: bool = True
    rate: Annotated[Rate | None, EMPTY_IS_NONE] = None
    burst: int = Field(default=1, gt=0)
    slots: int = Field(default=4, gt=0, le=100)
    timeout: PositiveDuration = parse_duration("30s")
    attempts: int = Field(default=5, gt=0, le=20)
    on_unknown: Annotated[UnknownPolicy | None, EMPTY_IS_NONE] = None
    allow_private: bool = False
