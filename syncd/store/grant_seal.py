"""Rows of `oauth_tokens` as grants: opened where they are used, sealed where they are written."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.errors import GrantUnreadable
from syncd.model.account import AccountId
from syncd.model.grant import Grant, Health
from syncd.store.database import Row
from syncd.store.sealing import Bound, SealBroken, Sealer


class GrantSeal:
    """Opens and seals the two tokens of a grant."""

    def __init__(self, sealer: Sealer) -> None:
        self.sealer = sealer

    async def prepare(self, rows: Sequence[Row]) -> None:
        """Have the keys at hand that these rows need.

        Raises:
            KeysUnfit: there are no keys.
        """
        if rows:
            await self.sealer.load({row["key_id"] for row in rows})

    def opened(self, row: Row) -> Grant | GrantUnreadable:
        """Return a row as a grant, or why it cannot be read."""
        account = AccountId(row["account_id"])
        try:
            refresh, access = self.tokens(row)
        except SealBroken as broken:
            return GrantUnreadable(
                f"cannot read the stored tokens of account {account}: {broken}",
                hint=f"put its key back into {self.sealer.place}, or import the grant again",
            )
        return Grant(
            account_id=account,
            version=row["version"],
            refresh_token=refresh,
            access_token=access,
            access_expires_at=row["access_expires_at"],
            refresh_expires_at=row["refresh_expires_at"],
            health=Health(row["health"]),
            suspect_since=row["suspect_since"],
            interrupted_at=row["interrupted_at"],
        )

    def tokens(self, row: Row) -> tuple[str, str]:
        """Open the refresh token and the access token, empty where there is none.

        Raises:
            SealBroken: one of them cannot be opened.
        """
        access = self._open(row, "access") if row["access_ct"] is not None else ""
        return self.refresh_token(row), access

    def refresh_token(self, row: Row) -> str:
        """Open the refresh token alone.

        Raises:
            SealBroken: it cannot be opened.
        """
        if row["refresh_ct"] is None:
            raise SealBroken("it was removed")
        return self._open(row, "refresh")

    def _open(self, row: Row, field: str) -> str:
        bound = Bound(account_id=row["account_id"], platform=row["platform"], field=field)
        return self.sealer.open(bound, row["key_id"], row[f"{field}_ct"])

    def sealed(
        self, key_id: str, account: AccountId, platform: str, tokens: tuple[str, str]
    ) -> tuple[bytes, bytes | None]:
        """Seal the refresh token and the access token with this key; no access token stays none.

        The key is named by who stores its id beside them: another one may be the newest by then.

        Raises:
            SealBroken: the key is not at hand any more.
        """

        def seal(field: str, token: str) -> bytes:
            bound = Bound(account_id=account, platform=platform, field=field)
            return self.sealer.seal(bound, token, key_id)

        refresh, access = tokens
        return seal("refresh", refresh), seal("access", access) if access else None
