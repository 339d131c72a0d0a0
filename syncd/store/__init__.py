"""What survives: PostgreSQL, through asyncpg, and nothing else.

`database` owns the pool, its deadlines and the translation of asyncpg's errors; `blocks` hands out
the named SQL blocks of `sql/`; `migrate` brings the schema up to date. `fires` is the side of
`runs` that the scheduler writes, before anything begins. Each subject (`runs`, `users`, `accounts`,
`sync`, `letters`, `pauses`, `overrides`, `gates`, `alerts`) owns its tables, `metrics`, `freshness`
and `drift` only read them, `forget` takes one user out of all of them; `plans` is what leaderboards
let wait for a person. SQL lies in `sql/<subject>.sql`, Python holds none. `source` reads the
platform's own database, `mirror` makes `users` what it says. `grants` owns the tokens of users:
`sealing` encrypts them with the keys of `key_file`, `grant_refreshes` lets one renew each,
`refresh_journal` keeps answers until they are stored, `grant_import`, `grant_calendar` and
`grant_rotation` bring them in, end them and change their keys. `leases` says who leads, and `fence`
lets a transaction write for a run only as long as that is we.

Promises: a batch's data, the state of its items, their dead letters and the run's counts commit
together; every write may be repeated; a run that was taken away from us, or a process that leads
no more, writes nothing (`LeaseLost`).
"""
