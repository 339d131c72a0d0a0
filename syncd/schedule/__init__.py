"""When: cron expressions and intervals, as a plain function from one instant to the next.

`expression` reads what a person wrote and answers with numbers only, or with one sentence saying
what is wrong; `words` says it back. `cron` turns it into instants: croniter enumerates wall-clock
times and never sees a time zone, and `zone` knows where a zone's clock skips or repeats.
`timetable` is the one shape that cron schedules, intervals and jobs without either have in common.
`roster` knows every job with its timetable, `agenda` what is next. When something is, `looks` lets
`verdicts`, a pure function, decide what becomes of each fire time, once for all jobs that share
what it depends on (`found`), writes it into the `ledger` in one statement, and puts what is to run
into its job's line (`lines`), whence it is started.
`follow_ups` are retries and chains, `triggers` what people ask for, `drift` tells what happened to
the clock, `jitter` is random that repeats itself; `turns` keep long work from holding others up,
and `telling` says what was decided; `loop` holds them together.

What it promises:

- A schedule is *fixed-time* when none of its minute, hour and (with six fields) second fields
  starts with `*`. It is never lost and never doubled when the clocks change: a time that the clock
  skips fires at the first instant after the gap, several skipped times count as one, and a time
  that the clock repeats fires in the first pass only. An offset change of more than three hours,
  to either side, is a correction of the calendar: nothing is moved or kept back.
- Every other schedule follows real time: what the clock skips is skipped, what it repeats repeats.
- These are the rules of Debian's cron, with one change: several skipped times are one fire time.
  Its rule for days as well: where neither day field starts with `*`, one of them is enough.
- Instants are aware and UTC on both sides. `next_after` is strictly after, and nothing but the
  instant decides it. Two schedules that mean the same in the same zone are equal and share what
  they found, so that a fire time is looked for once however many jobs have it.
- Every fire time due gets exactly one row: it ran, or it says why not. Nothing about fires is kept
  outside the ledger. Killed at any line, the scheduler finds what it claimed among the rows, and
  what it did not among the fire times since the last row.
- Work is bounded, whatever the clock does: a thousand rows a job and look, a minute of sleep. A
  fire time that has a row never fires again. One that only shares a row with older ones, after a
  clock was set years ahead and back, fires when it is due.
- An expression that is ambiguous, random or never fires is refused when it is read, not when it
  should have fired.
"""
