"""Faults 55, 56, check S31: a platform that leads elsewhere, users who are not where they were."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fakes.certificates import Authority
from fakes.daemon_process import daemon_process
from fakes.other_hosts import NO_REDIS, other_hosts
from fakes.raw_server import http
from fakes.storm import USERS, Storms
from fakes.tcp_proxy import tcp_proxy

from syncd.sandbox.faults import instead, redirect


async def test_redirects_that_leave_the_origin_are_not_followed_nor_a_loop_to_its_end(
    storm: Storms, tmp_path: Path
) -> None:
    authority = Authority.make(tmp_path)
    trusted = {"SSL_CERT_FILE": str(authority.path)}
    async with (
        tcp_proxy(9) as trap,
        storm(tls=authority.server(), environ=trusted) as world,
    ):
        trap.instead = lambda _: http(b"{}", "Connection: close")
        await world.calm()
        world.everybody_changes()
        places = {
            0: f"http://localhost:{trap.port}/user/1",
            1: f"http://127.0.0.1:{world.door.port}{world.path(1)}",
            2: f"//127.0.0.1:{trap.port}/user/1",
            3: f"https://user:password@127.0.0.1:{world.door.port}{world.path(3)}",
        }
        for index, location in places.items():
            world.github.faults.add(redirect(location), path=world.path(index))
        for number in range(20):
            path = world.path(4) if not number else f"/loop/{number}"
            world.github.faults.add(redirect(f"/loop/{(number + 1) % 20}"), path=path)
        world.door.requests.clear()

        run = await world.run()
        failures = await world.failures(run)
        loops = [path for path in world.door.requests if path.startswith("/loop")]
        world.oracle.learn("forge")
        world.oracle.learn("github", *(index for index in USERS if index > 4))
        await world.oracle.check()
        world.mend()
        healed = await world.heals()

    assert trap.requests == []
    assert (run["outcome"], run["failures"]) == ("partial", {"blocked": 5})
    for index in places:
        assert "redirected to another origin" in failures[f"u{index}"][1]
    assert "more than 3 redirects" in failures["u4"][1]
    assert len(loops) == 3
    assert healed["outcome"] == "succeeded"


async def test_users_who_moved_are_followed_and_those_who_are_gone_keep_their_data(
    storm: Storms,
) -> None:
    async with storm() as world:
        await world.calm()
        known = {index: world.login(index) for index in USERS}
        people = world.github.population
        world.everybody_changes()
        people.vanish(0)
        gone = instead('{"message": "Gone", "status": "410"}', status=410)
        world.github.faults.add(gone, path=world.path(1))
        people.rename(2, "renamed-and-found-by-id")
        people.rename(3, "renamed-and-redirected")
        world.github.faults.add(redirect("/users/renamed-and-redirected", 301), path=world.path(3))
        stranger = people.take_over(known[4])
        world.github.faults.add(instead('{"message": "Forbidden"}', status=403), path=world.path(5))

        run = await world.run()
        world.oracle.learn("forge")
        world.oracle.learn("github", *(index for index in USERS if index not in {0, 1, 5}))
        await world.oracle.check()
        failures = await world.failures(run)
        accounts = {index: await world.why(index) for index in USERS}

    assert {user: outcome for user, (outcome, _) in failures.items()} == {
        "u0": "not_found",
        "u1": "not_found",
        "u5": "blocked",
    }
    # Nobody is gone before a second look twelve hours later.
    assert {account["state"] for account in accounts.values()} == {"active"}
    assert accounts[2]["handle"] == "renamed-and-found-by-id"
    assert accounts[3]["handle"] == "renamed-and-redirected"
    assert accounts[4]["handle"] == people.login(4) != known[4]
    assert people.login(stranger) == known[4]


INSIDE = ["10.0.0.1", "127.1", "169.254.169.254", "[::1]"]


@pytest.mark.parametrize("command", ["check", "run"])
async def test_address_inside_our_own_network_is_refused_at_start_by_its_line(
    tmp_path: Path, command: str
) -> None:
    async with daemon_process(tmp_path) as daemon:
        for host in INSIDE if command == "check" else INSIDE[:1]:
            url = f"http://{host}/api"
            daemon.configure({"platforms.github": {"base_url": url, "allow_private": False}})

            said = await daemon.command(command)

            assert said.code == 5, (host, said)
            assert "config.toml:" in said.err
            assert "platforms.github.base_url" in said.err
            assert "is not a public address; set allow_private = true" in said.err


async def test_name_that_leads_inside_is_never_connected_to(storm: Storms, tmp_path: Path) -> None:
    hosts = other_hosts(tmp_path, "127.0.0.1 localhost", "127.0.0.1 inside.test")
    assert "127.0.0.1" in await asyncio.to_thread(hosts.resolve, "inside.test")
    async with storm(NO_REDIS, prefix=hosts.prefix) as world:
        await world.calm()
        await world.moves("inside.test", allow_private=False)
        world.door.requests.clear()
        world.everybody_changes()

        run = await world.run()
        world.oracle.learn("forge")
        await world.oracle.check()
        connected = world.door.connections + len(world.door.requests)

    assert connected == 0
    assert (run["outcome"], run["failed"], run["updated"]) == ("partial", 0, len(USERS))
    assert "inside.test has no public address" in run["error"]
    assert run["hint"] == "set allow_private = true if this address is meant"
