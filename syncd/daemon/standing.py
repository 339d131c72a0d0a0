"""How this process stands: ready, leading, standing by, or on its way down."""

from __future__ import annotations

from syncd.daemon.core import Core
from syncd.errors import StoreUnavailable


class Standing:
    """The control port's answers to probes, and its refusal where another syncd leads."""

    _core: Core
    is_stopping = False

    def is_ready(self) -> tuple[bool, str]:
        """Tell whether runs can start: PostgreSQL answers, and nobody else leads."""
        if self.is_stopping:
            return False, "syncd is stopping"
        why = self._core.health.error or self._core.leadership.refusal
        return self.is_store_up and not why, why

    def is_standby(self) -> bool:
        """Tell whether all is well but for another syncd leading; it is not while we end."""
        leadership = self._core.leadership
        is_other = leadership.leader is not None and not leadership.is_leading
        return self.is_store_up and is_other and not self.is_stopping

    def check_store(self) -> None:
        """Refuse what needs PostgreSQL while that is known not to answer."""
        if self._core.health.error:
            raise StoreUnavailable(
                self._core.health.error, hint="syncd keeps trying; see `syncd status`"
            )

    def check_may_change(self) -> None:
        """Refuse a change where another syncd leads, or nobody can."""
        leadership = self._core.leadership
        if leadership.refusal and (leadership.leader is None or not self.is_store_up):
            why = self._core.health.error or leadership.refusal
            raise StoreUnavailable(why, hint="syncd keeps trying; see `syncd status`")
        leadership.check()

    @property
    def is_store_up(self) -> bool:
        """Tell whether PostgreSQL was reached and answers."""
        return self._core.health.ready.is_set() and not self._core.health.error
