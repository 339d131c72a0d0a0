from __future__ import annotations

import pytest

from syncd.model.account import Account, AccountId


@pytest.fixture
def account() -> Account:
    """Somebody who was never read before."""
    return Account(id=AccountId(1), user_key="u", platform="github", handle="Ada")
