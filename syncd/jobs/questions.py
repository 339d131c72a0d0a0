"""Asks a platform for accounts, one or many by one question, and says what came of each."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence

from syncd.errors import (
    BadPayload,
    ItemError,
    PlatformBlocked,
    PlatformError,
    PlatformTrouble,
    WrongAccount,
)
from syncd.jobs.base import RunContext
from syncd.jobs.course import Course
from syncd.jobs.judgement import Judge
from syncd.jobs.schema import SchemaAlarm
from syncd.jobs.work import Work
from syncd.model.account import AccountId
from syncd.model.item import Claim, Failure, Item, Success, Withdrawn
from syncd.model.play import Heard
from syncd.model.profile import Fetched, Unchanged
from syncd.telemetry.events import ItemFailed, WrongAccountAnswered

_Answer = Fetched | Unchanged | Heard | ItemError


class Questions:
    """Asks when it is somebody's turn; None stands for who was not asked and stays due.

    What fails for many at once says nothing about a single one of them: they are asked in halves,
    until it is clear whose failure it is, or that it is the platform's. `alarm` is the first answer
    about somebody else.
    """

    def __init__(self, context: RunContext, work: Work, course: Course) -> None:
        self._context = context
        self._bus = context.around.bus
        self._admits = context.around.admission.admits
        self._platform = work.platform
        self._fetch = work.platform.fetch if work.asker is None else work.asker.ask
        self._course = course
        self._schema = SchemaAlarm(context, work.platform)
        self._judge = Judge(
            context.around.clock, work.attempts, may_retry=not context.run.options.dry_run
        )
        self.alarm: WrongAccount | None = None

    async def ask(self, claim: Claim) -> Item | None:
        """Ask for one account."""
        if not await self._course.may_ask():
            return None
        if not self._admits(claim.account):
            return Withdrawn(account=claim.account)
        try:
            answer = await self._fetch(claim.account)
        except (ItemError, PlatformError) as error:
            return self._judged(claim, error)
        except Exception as error:  # one item's bug must not stop the others
            return self._unforeseen(claim, error)
        return self._good(claim, answer)

    async def ask_together(self, claims: Sequence[Claim]) -> Sequence[Item | None]:
        """Ask for several accounts at once, as many as the platform takes."""
        if len(claims) < 2:
            return [await self.ask(claim) for claim in claims]
        if not await self._course.may_ask():
            return [None] * len(claims)
        admitted = [claim for claim in claims if self._admits(claim.account)]
        items: dict[AccountId, Item | None] = {
            claim.account.id: Withdrawn(account=claim.account) for claim in claims
        }
        came = await self._ask_all(admitted)
        items |= {claim.account.id: item for claim, item in zip(admitted, came, strict=True)}
        return [items[claim.account.id] for claim in claims]

    async def _ask_all(self, claims: Sequence[Claim]) -> Sequence[Item | None]:
        if len(claims) < 2:
            return [await self.ask(claim) for claim in claims]
        try:
            answers = await self._platform.fetch_many([claim.account for claim in claims])
        except PlatformError as error:
            if not isinstance(error, PlatformTrouble) or error.until is not None:
                self._course.halt(error)
                return [None] * len(claims)
        except ItemError as error:
            self._note_odd(claims, error)
        except Exception:  # a bug over one account must not cost the others their answer
            return await self._ask_halves(claims)
        else:
            return [self._answered(claim, answers) for claim in claims]
        return await self._ask_halves(claims)

    async def _ask_halves(self, claims: Sequence[Claim]) -> Sequence[Item | None]:
        middle = (len(claims) + 1) // 2
        first = await self.ask_together(claims[:middle])
        return [*first, *await self.ask_together(claims[middle:])]

    def _answered(self, claim: Claim, answers: Mapping[AccountId, _Answer]) -> Item | None:
        answer = answers.get(claim.account.id)
        if answer is None:
            whose = f"{claim.account.handle!r} on {self._platform.name}"
            answer = BadPayload(f"cannot read {whose}: the answer is about others only")
        if isinstance(answer, ItemError):
            return self._judged(claim, answer)
        return self._good(claim, answer)

    def _good(self, claim: Claim, answer: Fetched | Unchanged | Heard) -> Item:
        self._schema.note_good()
        return Success(account=claim.account, answer=answer, seen=claim.seen)

    def _judged(self, claim: Claim, error: ItemError | PlatformError) -> Item | None:
        if isinstance(error, PlatformBlocked) and error.is_certain and error.until is None:
            return None  # met a captcha again: the next one shows whether everybody does
        try:
            item = self._judge.judge(claim, error)
        except PlatformError as halting:
            self._course.halt(halting)
            return None
        if isinstance(error, ItemError) and not self._note_odd([claim], error):
            return None
        self._tell_failure(claim, error.outcome, str(error), stack="")
        if isinstance(error, WrongAccount) and self.alarm is None:
            self.alarm = error
            self._tell_alarm(claim, error)
        return item

    def _note_odd(self, claims: Sequence[Claim], error: ItemError) -> bool:
        """Raise the alarm over an odd answer; False where nobody can be blamed for it any more."""
        if not isinstance(error, BadPayload) or isinstance(error, WrongAccount):
            return True
        others = f" and {len(claims) - 1} more" if len(claims) > 1 else ""
        changed = self._schema.note_odd(f"{claims[0].account.handle}{others}", error)
        is_known = self._course.halted_by is not None
        if changed is not None:
            self._course.halt(changed)
        return changed is None or not is_known

    def _tell_alarm(self, claim: Claim, error: WrongAccount) -> None:
        self._bus.emit(
            WrongAccountAnswered(
                run_id=self._context.run.id,
                job=self._context.run.job,
                platform=self._platform.name,
                account=claim.account.handle,
                error=str(error),
            )
        )

    def _unforeseen(self, claim: Claim, error: Exception) -> Item:
        text = f"unforeseen {type(error).__name__} while reading {claim.account.handle!r}"
        self._tell_failure(claim, "error", text, stack=traceback.format_exc())
        return Failure(account=claim.account, outcome="error", error=text, wears_out=True)

    def _tell_failure(self, claim: Claim, outcome: str, error: str, *, stack: str) -> None:
        self._bus.emit(
            ItemFailed(
                run_id=self._context.run.id,
                job=self._context.run.job,
                platform=self._platform.name,
                account=claim.account.handle,
                outcome=outcome,
                error=error,
                attempt=claim.attempts + 1,
                stack=stack,
            )
        )
