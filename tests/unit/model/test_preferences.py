from __future__ import annotations

import pytest

from syncd.model.preferences import masked


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ada.lovelace@example.com", "a***@example.com"),
        ("@example.com", "***@example.com"),
        ("+4915112345678", "+4***"),
        ("my-contest-topic", "my***"),
        ("topic", "***"),
        ("https://hooks.slack.com/services/T1/B2/secret", "hooks.slack.com/***"),
        ("https://u:secret@ntfy.example/topic", "ntfy.example/***"),
        ("discord:https://discord.com/api/webhooks/1/secret", "discord.com/***"),
        ('{"endpoint": "https://push.example/secret", "keys": {}}', "***"),
        ("https://[oops/secret", "***"),
        ("", "***"),
    ],
)
def test_of_an_address_as_much_is_shown_as_its_owner_needs(address: str, shown: str) -> None:
    assert masked(address) == shown
