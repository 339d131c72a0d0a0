"""S41 and S30: mail and its password go encrypted to whom they are meant for, pushes go outside."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.certificates import Authority
from fakes.mailboxes import NAME, PASSWORD, Mailboxes
from fakes.other_hosts import NO_REDIS, other_hosts
from fakes.post_office import PostOffice, PostOffices

from syncd.sandbox.smtp import MailSink, serve_mail

pytestmark = pytest.mark.timeout(120)

ADDRESS = "bo@example.org"
HARMLESS = {"EHLO", "STARTTLS", "QUIT"}


async def sample(office: PostOffice) -> tuple[int, str]:
    """Try the channel as a person does; return the exit code and all that was said."""
    said = await office.daemon.command("notify", "test", "email", ADDRESS)
    return said.code, said.out + said.err


async def moves(office: PostOffice, **email: object) -> None:
    """Let config.toml say something else of the mail server, and apply it."""
    office.daemon.configure({"channels.email": email})
    assert (await office.daemon.command("reload")).code == 0


def nothing_told(sink: MailSink) -> None:
    assert sink.mails == []
    assert {line.partition(" ")[0] for line in sink.commands} <= HARMLESS


async def test_mail_and_password_go_to_no_server_that_cannot_prove_who_it_is(
    post_office: PostOffices, tmp_path: Path
) -> None:
    authority = Authority.make(tmp_path)
    sink = MailSink(users={NAME: PASSWORD})
    servers = {
        "IP address mismatch": authority.server(host="mail.example.net"),
        "self-signed certificate": authority.server(signs_itself=True),
        "offers no STARTTLS": None,
    }
    tables = {"channels.email": {"security": "starttls", "ca_file": str(authority.path)}}
    async with post_office(tables, boxes=Mailboxes(sink)) as office:
        await office.person("ada", "email")
        await office.contest("Cup")
        sink.tls = authority.server(days=-1)
        await office.trigger()
        rested = await office.daemon.told("channel.rested", channel="email")
        await office.comes_to("email", pending=1)
        refused = {}
        for said, server in servers.items():
            sink.tls = server
            refused[said] = await sample(office)
        await office.daemon.stop()
        nothing_told(sink)
        sink.tls = authority.server()
        await office.waits_are_over()
        run = await office.goes_on()

        assert "certificate has expired" in rested["error"]
        assert "ca_file" in rested["hint"]
        for said, (code, told) in refused.items():
            assert code != 0, told
            assert said in told
            assert PASSWORD not in told
        assert run["outcome"] == "succeeded"
        [mail] = sink.mails
        assert (mail.is_encrypted, mail.user, mail.recipients) == (True, NAME, ("ada@example.org",))


async def test_a_server_of_tls_proves_who_it_is_before_anything_is_said(
    post_office: PostOffices, tmp_path: Path
) -> None:
    authority = Authority.make(tmp_path)
    bad, good = (
        MailSink(tls=tls, is_encrypted=True, users={NAME: PASSWORD})
        for tls in (authority.server(days=-1), authority.server())
    )
    async with serve_mail(bad) as bad_port, serve_mail(good) as good_port, post_office() as office:
        await moves(office, security="tls", ca_file=str(authority.path), port=bad_port)
        refused = await sample(office)
        await moves(office, ca_file="", port=good_port)
        unknown = await sample(office)
        nothing_told(good)
        await moves(office, ca_file=str(authority.path))
        taken = await sample(office)

    assert refused[0] != 0
    assert "certificate has expired" in refused[1]
    assert unknown[0] != 0
    assert "ca_file" in unknown[1]
    assert bad.commands == []
    assert taken[0] == 0, taken
    assert [mail.is_encrypted for mail in good.mails] == [True]


@contextlib.asynccontextmanager
async def inside() -> AsyncIterator[list[str]]:
    """Note who connects to the port of push services here, where this user may listen there."""
    connected: list[str] = []

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append("somebody")
        writer.close()

    async with contextlib.AsyncExitStack() as stack:
        with contextlib.suppress(OSError):
            server = await asyncio.start_server(note, "127.0.0.1", 443)
            await stack.enter_async_context(server)
        yield connected


async def test_a_browser_whose_push_service_is_inside_our_own_network_is_not_connected_to(
    post_office: PostOffices, tmp_path: Path
) -> None:
    names = ("loopback.test", "private.test", "metadata.test")
    hosts = other_hosts(
        tmp_path,
        *("127.0.0.1 localhost", "127.0.0.1 loopback.test", "::1 loopback.test"),
        *("10.1.2.3 private.test", "169.254.169.254 metadata.test"),
    )
    assert "127.0.0.1" in await asyncio.to_thread(hosts.resolve, "loopback.test")
    tables = {**NO_REDIS, "channels.webpush": {"allow_private": False}}
    async with inside() as connected, post_office(tables, prefix=hosts.prefix) as office:
        for name in names:
            given = office.boxes.address("webpush", name)
            notify = {"channels": {"webpush": {**given, "endpoint": f"https://{name}/push/1"}}}
            answer = await office.daemon.api("PUT", f"/api/users/{name}", {"notify": notify})
            assert answer.status == 200, answer
        literal = {**given, "endpoint": "https://10.1.2.3/push/1"}
        notify = {"channels": {"webpush": literal}}
        refused = await office.daemon.api("PUT", "/api/users/eve", {"notify": notify})
        await office.person("ada", "email")
        await office.contest("Cup")
        run = await office.dispatch()
        rows = {row["key"]: row for row in await office.rows()}

    assert connected == []
    assert refused.status == 422
    assert "10.1.2.3" not in json.dumps(refused.body)
    assert rows["ada"]["state"] == "sent"
    for name in names:
        assert f"{name} has no public address" in rows[name]["error"], rows[name]
        assert rows[name]["state"] == "failed"
    assert run["outcome"] == "partial"
