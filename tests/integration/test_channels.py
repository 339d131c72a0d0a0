"""Channels of a running syncd: samples, links that end one, and a reload of both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from fakes.controlled import Desk, controlled, text_for
from fakes.messages import message
from fakes.waiting import until

from syncd.errors import BadInput, ConfigError, NotKnown
from syncd.sandbox.smtp import MailSink, serve_mail
from syncd.store.database import Database

ADDRESS = "ada@example.org"
NOTIFY = '[notify]\npublic_url = "https://notify.example.org"\nonly_to = ["ada"]\n'
EMAIL = """[channels.email]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "syncd <notify@example.org>"
"""


LONG = "{% for contest in contests %}{{ contest.name }}{% endfor %}\n" * 40


class Site:
    """A syncd with one mail server, and its config file."""

    def __init__(self, desk: Desk, sink: MailSink, path: Path) -> None:
        self.desk = desk
        self.sink = sink
        self.core = desk.core
        self._path = path

    async def change(self, old: str, new: str) -> Any:
        """Write something else into config.toml, and apply it."""
        text = self._path.read_text()
        assert old in text
        self._path.write_text(text.replace(old, new))
        return await self.desk.control.reload(dry_run=False, actor="ops")

    async def subscribe(self, *keys: str) -> None:
        for key in keys:
            await self.desk.link(**{key: key})
            async with self.core.database.connection() as connection:
                await connection.execute(
                    "INSERT INTO notify_addresses (user_id, channel, address) "
                    "SELECT id, 'email', key || '@example.org' FROM users WHERE key = $1",
                    key,
                )

    async def states(self) -> dict[str, str]:
        async with self.core.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT users.key, notify_addresses.state FROM notify_addresses "
                "JOIN users ON users.id = notify_addresses.user_id ORDER BY users.key"
            )
        return {row["key"]: row["state"] for row in rows}


@contextlib.asynccontextmanager
async def running(
    database: Database, folder: Path, text: str, sink: MailSink
) -> AsyncIterator[Site]:
    settings = database.settings
    (folder / "state").mkdir(exist_ok=True)
    async with serve_mail(sink) as port:
        whole = text_for(settings.address, settings.schema, "http://127.0.0.1:9")
        whole += text.format(port=port)
        async with controlled(whole, folder) as desk:
            await desk.core.health.ready.wait()
            yield Site(desk, sink, folder / "config.toml")


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    async with running(database, tmp_path, NOTIFY + EMAIL, MailSink()) as site:
        yield site


def link_token(url: str) -> str:
    return url.partition("?t=")[2]


async def test_runs_have_the_channels_that_are_on(site: Site) -> None:
    around = site.core.around

    assert list(around.channels) == ["email"]
    assert around.only_to() == {"ada"}
    assert around.unsubscribe("ada", "email").startswith(
        "https://notify.example.org/unsubscribe?t="
    )


async def test_a_sample_arrives_and_says_that_it_is_one(site: Site) -> None:
    came = await site.desk.control.test_channel("email", ADDRESS)

    [mail] = site.sink.mails
    read: Any = message_from_bytes(mail.content, policy=default)
    assert (came["delivered"], came["reference"]) == (True, "2.0.0 Ok: queued as 000001")
    assert read["Subject"] == "Sample of syncd: this is no contest starts in 1 hour"
    assert read["List-Unsubscribe"] is None


async def test_a_sample_that_is_refused_says_why_and_not_to_whom(site: Site) -> None:
    site.sink.fails("550 5.1.1 <ada@example.org> is unknown", at="rcpt")

    came = await site.desk.control.test_channel("email", ADDRESS)

    assert (came["delivered"], came["reach"], came["permanent"]) == (False, "address", True)
    assert "550 5.1.1" in came["error"]
    assert "ada" not in str(came)


@pytest.mark.parametrize(
    ("channel", "address", "kind", "said"),
    [
        ("emial", ADDRESS, NotKnown, "there is no channel 'emial', did you mean \"email\"?"),
        ("webpush", ADDRESS, BadInput, "channel: webpush is off"),
        ("email", "ada", BadInput, "address: must be one mail address"),
        ("email", '{"endpoint": "https://x"}', BadInput, "address: must be a mail address"),
        ("email", "{", BadInput, "address: begins with a brace and is no JSON"),
    ],
)
async def test_a_sample_that_cannot_be_sent_is_one_sentence(
    site: Site, channel: str, address: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as caught:
        await site.desk.control.test_channel(channel, address)

    assert str(caught.value).startswith(said)
    assert site.sink.mails == []


async def test_the_link_in_a_mail_ends_the_channel_of_its_user_alone(site: Site) -> None:
    await site.subscribe("ada", "bob")
    token = link_token(site.core.around.unsubscribe("ada", "email"))

    first = await site.desk.control.unsubscribe(token)
    again = await site.desk.control.unsubscribe(token)

    assert (first, again) == ("email", "email")
    assert await site.states() == {"ada": "off", "bob": "active"}


async def test_the_link_of_somebody_who_is_gone_says_nothing_about_that(site: Site) -> None:
    token = link_token(site.core.around.unsubscribe("nobody", "email"))

    assert await site.desk.control.unsubscribe(token) == "email"


async def test_a_reload_takes_a_channel_away_and_brings_it_back(site: Site) -> None:
    await site.change("[channels.email]", "[channels.email]\nenabled = false")
    with pytest.raises(BadInput, match="channel: email is off"):
        await site.desk.control.test_channel("email", ADDRESS)

    await site.change("enabled = false", "enabled = true")

    assert (await site.desk.control.test_channel("email", ADDRESS))["delivered"]


async def test_a_reload_changes_a_channel_while_a_delivery_goes_to_its_end(site: Site) -> None:
    site.sink.delays(0.2, at="content")
    before = site.core.around.channels["email"]

    async def asked_for_data() -> bool:
        return "DATA" in site.sink.commands

    sending = asyncio.create_task(before.send(message()))
    await until(asked_for_data, what="the mail to be on its way")
    told = await site.change("notify@example.org", "later@example.org")
    receipt = await sending
    await site.desk.control.test_channel("email", ADDRESS)

    assert [each["key"] for each in told["differences"]] == ["channels.email.sender"]
    assert receipt.reference
    assert site.core.around.channels["email"] is not before
    assert [mail.sender for mail in site.sink.mails] == ["notify@example.org", "later@example.org"]


async def test_a_reload_of_nothing_keeps_the_connection(site: Site) -> None:
    before = site.core.around.channels["email"]

    await site.change('only_to = ["ada"]', 'only_to = ["bob"]')

    assert site.core.around.channels["email"] is before
    assert site.core.around.only_to() == {"bob"}


async def test_a_reload_applies_a_sites_templates_and_refuses_those_that_cannot_be_used(
    site: Site, tmp_path: Path
) -> None:
    words = tmp_path / "words"
    words.mkdir()
    (words / "reminder.subject.j2").write_text("Soon: {{ contest.name }}")
    await site.change("only_to", 'templates = "words"\nonly_to')
    await site.desk.control.test_channel("email", ADDRESS)
    (words / "reminder.subject.j2").write_text("{{ contst }}")

    with pytest.raises(ConfigError) as caught:
        await site.desk.control.reload(dry_run=False, actor="ops")

    read: Any = message_from_bytes(site.sink.mails[0].content, policy=default)
    assert read["Subject"] == "Soon: Sample of syncd: this is no contest"
    assert "reminder.subject.j2: there is no field 'contst'" in caught.value.problems[0]
    assert (await site.desk.control.test_channel("email", ADDRESS))["delivered"]


async def test_many_templates_of_a_site_are_read_and_tried_beside_the_loop(
    site: Site, tmp_path: Path
) -> None:
    words = tmp_path / "words"
    words.mkdir()
    for place in range(120):
        (words / f"digest.l{chr(97 + place // 26)}{chr(97 + place % 26)}.html.j2").write_text(LONG)
    gaps: list[float] = []

    async def tick() -> None:
        clock = asyncio.get_running_loop()
        while True:
            before = clock.time()
            await asyncio.sleep(0.001)
            gaps.append(clock.time() - before)

    ticking = asyncio.create_task(tick())
    await site.change("only_to", 'templates = "words"\nonly_to')
    ticking.cancel()

    assert max(gaps) < 0.3


async def test_without_a_public_address_messages_hold_no_link(
    database: Database, tmp_path: Path
) -> None:
    async with running(database, tmp_path, EMAIL, MailSink()) as site:
        assert site.core.around.unsubscribe("ada", "email") == ""
        assert site.desk.control.public_host() == ""
        assert not (tmp_path / "state" / "notify-key").exists()

        await site.change("[channels.email]", f"{NOTIFY}[channels.email]")

        assert site.core.around.unsubscribe("ada", "email")
        assert site.desk.control.public_host() == "notify.example.org"
