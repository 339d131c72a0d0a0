"""What every [channels.NAME] has in common, and [notify]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from syncd.config.duration import PositiveDuration, Rate, parse_duration
from syncd.config.section import Section
from syncd.config.values import EMPTY_IS_NONE, PublicUrl, Words
from syncd.model.notification import UnknownPolicy

NOTIFY_KEY_NAME = "notify-key"
"""What the key file of [notify] is called in state_dir."""


class Notify(Section):
    """What all channels share. `key_file` is absolute, made where it is missing and needed.

    `only_to`: keys of users, or addresses; nobody else is written to. Empty: everybody is.
    `public_url`: where the control port is reached by users, for links in what is sent; empty:
    nothing that is sent holds one. `templates` is absolute, a folder whose files stand over ours.
    """

    only_to: Words = ()
    public_url: PublicUrl = ""
    templates: Annotated[Path | None, EMPTY_IS_NONE] = None
    key_file: Path


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

    @property
    def is_on(self) -> bool:
        """Tell whether the channel is there: enabled, with all that it cannot be without."""
        return self.enabled
