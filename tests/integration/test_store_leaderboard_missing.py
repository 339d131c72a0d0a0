"""Who is on no board: marked, waited for, deleted with a tombstone, held, spared or protected."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes.benches import AT, JOB, PROMPT, World, pages

from syncd.model.leaderboard import Deletes, Guard, Poisoned, Verdict
from syncd.store.database import Database
from syncd.store.plans import PlanStore, Ruling

HOUR = timedelta(hours=1)
ONE = (1.0, 1.0, 1.0, 1.0)
EVE = Ruling(actor="eve", at=AT)
MARKERS = "SELECT user_id, missing_runs, missing_since FROM leaderboard_missing ORDER BY user_id"
LETTERS = "SELECT item_key, error, state, attempts FROM dead_letters ORDER BY item_key, id"


@pytest.fixture
def world(database: Database) -> World:
    return World.over(database, guard=Guard(runs=2, wait=2 * HOUR))


@pytest.fixture
def plans(database: Database, world: World) -> PlanStore:
    return PlanStore(database, world.runs.fence)


def users(*names: str) -> dict[str, tuple[float, ...]]:
    return dict.fromkeys(names, ONE)


async def later(world: World, *names: str, hours: int = 1) -> tuple[int, int, int, int]:
    """Go on by hours, see these users; how many are missing, newly, due, and were deleted."""
    world.at += hours * HOUR
    passed = await world.sync(users(*names))
    found = passed.comparison
    return found.missing, found.newly, found.due, passed.applied.report.deleted


async def test_a_row_is_deleted_when_its_user_was_missing_often_and_long(world: World) -> None:
    await world.sync(users("ada", "bob"))

    assert await later(world, "ada") == (1, 1, 0, 0)
    assert await later(world, "ada") == (1, 0, 0, 0)
    [marker] = await world.rows(MARKERS)
    assert marker == {"user_id": "bob", "missing_runs": 2, "missing_since": AT + HOUR}
    assert await later(world, "ada") == (1, 0, 1, 1)
    assert await world.table() == users("ada")
    assert await world.rows(MARKERS) == []


async def test_who_comes_back_begins_anew(world: World) -> None:
    await world.sync(users("ada", "bob"))
    await later(world, "ada")

    assert await later(world, "ada", "bob") == (0, 0, 0, 0)

    assert await later(world, "ada", hours=9) == (1, 1, 0, 0)


async def test_waiting_alone_is_not_enough(world: World) -> None:
    await world.sync(users("ada", "bob"))

    assert await later(world, "ada", hours=99) == (1, 1, 0, 0)


async def test_markers_that_say_enough_are_not_written_again(world: World) -> None:
    await world.sync(users("ada", "bob"))
    for _ in range(2):
        await later(world, "ada", hours=0)
    before = await world.rows("SELECT ctid::text, xmin::text FROM leaderboard_missing")

    await later(world, "ada", hours=0)

    assert await world.rows("SELECT ctid::text, xmin::text FROM leaderboard_missing") == before


async def test_a_run_that_may_not_mark_leaves_no_trace_of_who_is_missing(world: World) -> None:
    await world.sync(users("ada", "bob", "cy"))
    await later(world, "ada", "bob")
    before = await world.rows(MARKERS)
    world.verdict = Verdict(
        marks=False,
        holds_deletes=True,
        deletes=Deletes.NONE,
        is_hard=True,
        reasons=("it is empty",),
    )

    passed = await world.sync({})

    assert await world.rows(MARKERS) == before
    assert len(await world.table()) == 3
    assert await world.store.last_source(JOB) is None
    assert passed.applied.report.failures == {"held": 3}
    assert passed.drift.held == 3


async def test_whom_redis_has_again_is_spared(world: World) -> None:
    world.guard = PROMPT
    await world.sync(users("ada", *(f"u{n}" for n in range(5))))
    run_id = await world.begin()

    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        await bench.stage(pages(users("ada")))
        await bench.compare(partial=False, guard=world.guard, at=world.at)
        asked = [list(page) async for page in bench.candidates(Deletes.DUE)]
        await bench.spare(["u1", "u3"])
        applied = await bench.apply(run_id, world.at, world.verdict, world.books())

    assert asked == [["u0", "u1", "u2", "u3", "u4"]]
    assert sorted(await world.table()) == ["ada", "u1", "u3"]
    assert (applied.report.deleted, applied.report.unchanged, applied.report.seen) == (3, 3, 6)


async def test_candidates_come_in_pages(world: World) -> None:
    world.guard = PROMPT
    names = [f"u{n:05}" for n in range(12_000)]
    await world.sync(users("ada", *names))

    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        await bench.stage(pages(users("ada")))
        await bench.compare(partial=False, guard=world.guard, at=world.at)
        asked = [list(page) async for page in bench.candidates(Deletes.DUE)]
        approved = [page async for page in bench.candidates(Deletes.APPROVED)]

    assert [len(page) for page in asked] == [5_000, 5_000, 2_000]
    assert [name for page in asked for name in page] == names
    assert approved == []


async def test_a_held_plan_has_the_missing_rows_and_stays_while_it_is_the_same(
    world: World, plans: PlanStore
) -> None:
    await world.sync(users("ada", "bob", "cy"))
    world.verdict = Verdict(
        reasons=("many are missing",), holds_deletes=True, deletes=Deletes.APPROVED
    )

    first = await world.sync(users("ada"))
    again = await world.sync(users("ada"))
    other = await world.sync(users())

    plan = await plans.read(first.applied.plan or 0, world.at)
    assert await plans.rows(plan.id, 9) == ["bob", "cy"]
    assert (plan.deletes, plan.base, plan.sample) == (2, 3, ("bob", "cy"))
    assert again.applied.plan == first.applied.plan
    assert other.applied.plan != first.applied.plan
    assert plan.state == "replaced"
    assert len(await world.table()) == 3


async def test_the_digest_stands_for_the_rows_whatever_their_order(world: World) -> None:
    names = [f"u{n}" for n in range(50)]
    await world.sync(users("ada", *names))
    found = []
    for said in (["ada"], ["ada"], ["ada", "u1"], ["ada", "u2"]):
        async with world.store.bench(JOB, world.target) as bench:
            await bench.check()
            await bench.stage(pages(users(*said)))
            await bench.compare(partial=False, guard=world.guard, at=world.at)
            found.append(await bench.planned())
        await world.rows("UPDATE pomo_leaderboard SET daily_pomo = daily_pomo + 1")

    digests = [digest for digest, _ in found]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    assert found[0][1] == tuple(sorted(names)[:20])


async def test_what_was_approved_is_deleted_whatever_its_age(
    world: World, plans: PlanStore
) -> None:
    await world.sync(users("ada", "bob", "cy"))
    world.verdict = Verdict(
        reasons=("many are missing",), holds_deletes=True, deletes=Deletes.APPROVED
    )
    held = await world.sync(users("ada"))
    plan = await plans.read(held.applied.plan or 0, world.at)
    await plans.approve(plan.id, plan.digest, None, EVE)
    world.applies = plan.id
    world.verdict = Verdict()

    passed = await world.sync(users("ada", "cy"))

    assert passed.comparison.approved == 1
    assert await world.table() == users("ada", "cy")
    assert (await plans.read(plan.id, world.at)).state == "applied"


async def test_what_was_rejected_is_kept_until_it_was_seen_again(
    world: World, plans: PlanStore
) -> None:
    world.guard = PROMPT
    await world.sync(users("ada", "bob"))
    world.verdict = Verdict(
        reasons=("the canary is missing",), holds_deletes=True, deletes=Deletes.NONE
    )
    held = await world.sync(users("ada"))
    await plans.reject(held.applied.plan or 0, EVE)
    world.verdict = Verdict()

    kept = await world.sync(users("ada"))
    await world.sync(users("ada", "bob"))
    gone = await world.sync(users("ada"))

    assert (kept.comparison.kept, kept.applied.report.failures) == (1, {"kept": 1})
    assert (kept.drift.kept, kept.drift.rows) == (1, 0)
    assert gone.applied.report.deleted == 1


async def test_a_plan_of_which_nothing_is_left_is_withdrawn(world: World, plans: PlanStore) -> None:
    await world.sync(users("ada", "bob"))
    world.verdict = Verdict(reasons=("many are missing",), holds_deletes=True, deletes=Deletes.NONE)
    held = await world.sync(users("ada"))
    world.verdict = Verdict()

    await world.sync(users("ada", "bob"))

    assert (await plans.read(held.applied.plan or 0, world.at)).state == "replaced"


async def test_who_is_poisoned_is_protected_and_has_a_letter_until_it_is_mended(
    world: World,
) -> None:
    world.guard = PROMPT
    await world.sync(users("ada", "inf"))
    poisoned = [
        Poisoned("inf", "its daily score is inf", "inf"),
        Poisoned("a\\x00b", "its id has a NUL", None),
        Poisoned("inf", "its daily score is inf", "inf"),
    ]

    first = await world.sync({**users("ada"), "inf": (9, 9, 9, 9)}, poisoned=poisoned)
    second = await world.sync(users("ada"), poisoned=poisoned)
    letters = await world.rows(LETTERS)
    mended = await world.sync(users("ada", "inf"))

    for passed in (first, second):
        report = passed.applied.report
        assert (report.failed, report.failures) == (2, {"poisoned": 2})
        assert (report.seen, report.unchanged) == (3, 1)
        assert (passed.comparison.protected, passed.comparison.missing) == (1, 0)
        assert (passed.drift.rows, passed.drift.protected) == (0, 1)
    assert await world.table() == users("ada", "inf")
    assert letters == [
        {
            "item_key": "leaderboard/a\\x00b",
            "error": "its id has a NUL",
            "state": "open",
            "attempts": 2,
        },
        {
            "item_key": "leaderboard/inf",
            "error": "its daily score is inf",
            "state": "open",
            "attempts": 2,
        },
    ]
    assert {row["state"] for row in await world.rows(LETTERS)} == {"resolved"}
    assert mended.applied.report.unchanged == 2


async def test_a_letter_that_was_discarded_says_enough(world: World) -> None:
    poisoned = [Poisoned("inf", "its daily score is inf", "inf")]
    await world.sync(users("ada"), poisoned=poisoned)
    await world.rows("UPDATE dead_letters SET state = 'discarded'")

    await world.sync(users("ada"), poisoned=poisoned)
    same = await world.rows(LETTERS)
    await world.sync(users("ada"), poisoned=[Poisoned("inf", "its daily score is nan", "inf")])

    assert [row["state"] for row in same] == ["discarded"]
    assert [row["state"] for row in await world.rows(LETTERS)] == ["discarded", "open"]


async def test_thousands_who_are_poisoned_are_all_protected(world: World) -> None:
    world.guard = PROMPT
    names = [f"u{n:04}" for n in range(3_500)]
    await world.sync(users("ada", *names))
    poisoned = [Poisoned(name, "its daily score is inf", name) for name in names]

    async def said() -> object:
        for start in range(0, len(names), 700):
            async for page in pages(users(f"new{start}"), poisoned=poisoned[start : start + 700]):
                yield page

    run_id = await world.begin()
    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        staged = await bench.stage(said())
        found = await bench.compare(partial=False, guard=world.guard, at=world.at)
        await bench.apply(run_id, world.at, world.verdict, world.books())

    assert (staged.poisoned, len(staged.sample), staged.rows) == (3_500, 100, 5)
    assert (found.protected, found.missing, found.created) == (3_500, 1, 5)
    assert len(await world.table()) == 3_505
    assert await world.value("SELECT count(*) FROM dead_letters") == 1_000
