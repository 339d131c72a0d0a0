"""Whether a platform accepts our credential, as far as it said: remembered, and told once."""

from __future__ import annotations

from syncd.errors import CredentialsRejected
from syncd.outbound.credentials import Credential
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import CredentialRefused, PlatformRecovered


class Standing:
    """Remembers a refusal until the credential is accepted again; `refusal` None: no complaint."""

    def __init__(self, platform: str, credential: Credential, bus: Bus) -> None:
        self._platform = platform
        self._credential = credential
        self._bus = bus
        self.refusal: CredentialsRejected | None = None

    def note_refused(self, error: CredentialsRejected) -> CredentialsRejected:
        """Return what to raise: the same words each time, told when they are new."""
        name, mend = self._credential.name, self._credential.mend
        text = f"{self._platform} refuses the credential {self._credential.owner or name}: {error}"
        if self.refusal is None or str(self.refusal) != text:
            refused = CredentialRefused(
                platform=self._platform, credential=name, error=text, hint=mend
            )
            self._bus.emit(refused)
        self.refusal = CredentialsRejected(text, hint=mend)
        return self.refusal

    def note_accepted(self) -> None:
        """Forget a refusal, where there was one."""
        if self.refusal is not None:
            self.refusal = None
            name = self._credential.name
            self._bus.emit(PlatformRecovered(platform=self._platform, credential=name))
