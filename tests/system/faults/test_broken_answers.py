"""Faults 49, 50, 53, 54, 57, 58: answers that never end, end too soon, or are odd.

Each case strikes some users of one platform; everybody else is stored, and of the struck ones
nothing new is.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from pathlib import Path

from fakes.raw_server import Says, http
from fakes.storm import USERS, Storm, Storms

from syncd.sandbox.faults import hang, instead, with_values, without_keys

JSON = "Content-Type: application/json"
CHUNKED = f"HTTP/1.1 200 OK\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
BEGINNING = b'{"id": 1, "login": '
MEGABYTE = 1024 * 1024


async def hang_after_the_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(http(b"", JSON, length=1_000))
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(http(b"", JSON, length=1_000))
    while True:
        writer.write(b" ")
        await asyncio.sleep(0.2)


def says(world: Storm, struck: Mapping[int, Says | bytes]) -> None:
    """Answer about these users at the door."""
    words = {world.path(index): said for index, said in struck.items()}
    world.door.instead = words.get


async def strike(
    world: Storm, *struck: int
) -> tuple[dict[str, object], dict[str, tuple[str, str]]]:
    """Run while these users are struck; return the run and what failed, and ask the oracle."""
    world.everybody_changes()
    run = await world.run()
    world.oracle.learn("forge")
    world.oracle.learn("github", *(index for index in USERS if index not in struck))
    await world.oracle.check()
    assert (run["outcome"], run["failed"]) == ("partial", len(struck)), run
    assert run["updated"] == 2 * len(USERS) - len(struck)
    return run, await world.failures(run)


async def test_answers_that_do_not_end_are_given_up_at_the_deadline(storm: Storms) -> None:
    async with storm({"platforms.github": {"timeout": "1s"}}) as world:
        await world.calm()
        says(world, {0: hang_after_the_headers, 1: drip})
        world.github.faults.add(hang(), path=world.path(2))

        run, failures = await strike(world, 0, 1, 2)
        world.mend()
        healed = await world.heals()

    # Four attempts of a second each, and the waits between them.
    assert run["duration_seconds"] < 20
    assert failures.keys() == {"u0", "u1", "u2"}
    assert {outcome for outcome, _ in failures.values()} == {"transient"}
    assert all("no whole answer in time" in error for _, error in failures.values())
    assert healed["outcome"] == "succeeded"


async def test_answers_that_are_cut_off_are_never_stored(storm: Storms) -> None:
    async with storm() as world:
        await world.calm()
        says(
            world,
            {
                0: http(BEGINNING, JSON, length=1_000),
                1: CHUNKED + b"%x\r\n%s\r\n" % (len(BEGINNING), BEGINNING),
                2: http(BEGINNING, JSON, length=-1),
            },
        )

        _, failures = await strike(world, 0, 1, 2)
        world.mend()
        healed = await world.heals()

    assert failures.keys() == {"u0", "u1", "u2"}
    assert {outcome for outcome, _ in failures.values()} == {"transient"}
    assert all("cut off" in error for _, error in failures.values())
    assert healed["outcome"] == "succeeded"


async def test_odd_answers_are_the_account_s_failure_and_name_the_place(storm: Storms) -> None:
    digits = "1" * 5_000
    odd = {
        0: (with_values({"followers": "many"}), "$.followers is no int: 'many'"),
        1: (without_keys("id"), "$.id is missing"),
        2: (with_values({"login": ["ada"]}), "$.login is no str: \"['ada']\""),
        3: (with_values({"followers": 2**70}), "$.followers is out of range"),
        4: (instead(f'{{"id": {digits}}}'), "not JSON: number out of range at line 1 column"),
        5: (instead("[" * 100_000 + "]" * 100_000), "not JSON: recursion limit exceeded at line 1"),
        6: (instead("[]"), "the answer is no object but list"),
        7: (with_values({"id": 1}), "github answered about id 1"),
    }
    async with storm() as world:
        await world.calm()
        for index, (fault, _) in odd.items():
            world.github.faults.add(fault, path=world.path(index))
        # What nobody has seen yet is no failure: it is stored as it came.
        world.github.population.edit(8, {"type": "Android", "pronouns": {"x": [None, True]}})

        run, failures = await strike(world, *odd)
        problems = (await world.daemon.get("/api/status"))["problems"]
        why = await world.why(7)

    assert run["failures"] == {"schema_error": len(odd)}
    assert failures.keys() == {f"u{index}" for index in odd}
    for index, (_, words) in odd.items():
        assert words in failures[f"u{index}"][1], index
    assert any(
        "8 of 24 accounts failed (schema_error 8)" in problem["what"] for problem in problems
    )
    assert "github answered about id 1" in json.dumps(why)


def memory_megabytes(pid: int) -> float:
    """Return the most memory a process ever had in use."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


async def test_huge_answers_are_not_read_to_their_end(storm: Storms) -> None:
    bomb = gzip.compress(bytes(100 * MEGABYTE), 1)
    async with storm() as world:
        await world.calm()
        says(
            world,
            {
                0: http(b" " * 50 * MEGABYTE, JSON),
                1: http(bomb, JSON, "Content-Encoding: gzip"),
                2: http(b"{}", JSON, *["X-Much: 1"] * 200_000),
            },
        )
        before = memory_megabytes(world.daemon.pid)

        _, failures = await strike(world, 0, 1, 2)
        grown = memory_megabytes(world.daemon.pid) - before

    assert {failures[user][0] for user in ("u0", "u1")} == {"schema_error"}
    assert all("larger than 8388608 bytes" in failures[user][1] for user in ("u0", "u1"))
    assert failures["u2"][0] == "transient"
    assert grown < 64


async def test_unchanged_answers_keep_the_data_and_make_it_fresh(storm: Storms) -> None:
    async with storm() as world:
        await world.calm()
        before = [await world.why(index) for index in USERS]
        used = world.github.counters.primary_used
        # Nobody who was never read can be unchanged.
        world.github.faults.add(instead(status=304), path="/users/*")
        stranger = {"accounts": {"github": world.login(20)}}
        assert (await world.daemon.api("PUT", "/api/users/new", stranger)).status == 200

        run = await world.run()
        after = [await world.why(index) for index in USERS]
        await world.oracle.check()
        cost = world.github.counters.primary_used - used
        failures = await world.failures(run)

    assert (run["unchanged"], run["failed"]) == (2 * len(USERS), 1)
    assert (run["saved"], cost) == (2 * len(USERS) + 1, 1)
    assert all(old["fresh_at"] < new["fresh_at"] for old, new in zip(before, after, strict=True))
    assert failures["new"] == (
        "schema_error",
        f"cannot read '{world.login(20)}' on github: HTTP 304",
    )
