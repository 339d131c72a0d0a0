"""A channel that is one file, dropped into the folder: letters by pigeon."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import syncd.channels

FILE = '''
"""Pigeon: slow, and sure."""

import json

from syncd.channels.base import Channel
from syncd.config.channels import ChannelSettings
from syncd.model.notification import Receipt


class Pigeon(Channel[ChannelSettings]):
    """Letters on a leg."""

    Settings = ChannelSettings

    @classmethod
    def parse_address(cls, address):
        """Take the name of a loft, or the table of one."""
        if isinstance(address, dict) and set(address) == {"loft", "secret"}:
            return json.dumps(address, sort_keys=True)
        if isinstance(address, str) and address.endswith("@loft.example"):
            return address.lower()
        raise ValueError("must be the name of a loft")

    async def send(self, message):
        """Let it fly."""
        return Receipt()
'''


@pytest.fixture
def pigeon(tmp_path: Path) -> Iterator[str]:
    """Let there be a channel of this name."""
    folder = tmp_path / "more_channels"
    folder.mkdir()
    (folder / "pigeon.py").write_text(FILE)
    syncd.channels.__path__.append(str(folder))
    yield "pigeon"
    syncd.channels.__path__.remove(str(folder))
    sys.modules.pop("syncd.channels.pigeon", None)
