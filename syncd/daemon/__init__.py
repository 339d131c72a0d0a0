"""The composition root: builds everything, starts it, stops it in reverse.

`settings` turns config.toml into what the parts take, and brings along the checks that need to know
several packages. `core` holds the parts every mode needs (stores, platforms, engine, scheduler);
`process` is the daemon itself, `signals` how it ends; `supervision` is its pulse, which feeds the
`watchdog` (what blocks the event loop) and the service manager (`systemd`); `leadership` says who
of several leads, `standing` what one that stands by answers; `foreground` runs one job without a
daemon. `changes` owns what runs: config.toml, and over it what people changed of jobs (`overrides`
checks that and tells the difference); `reload` applies config.toml again, `outlets` are the
platforms as they are asked now, which it changes. `control` answers the control port, with
`answers` and `platform_answers` (the JSON shapes), `problems` (what a person should look at),
`orders` (pauses, changes of jobs, reload), `users` and `people` (users in and out, `records` reads
their files), `inquiry` (what is stale, and why: `facts` gathers what the parts know of an account,
`why` makes sentences of it), `letters` (what used up its attempts and waits for a person), `plans`
(what leaderboard jobs held, and what can be taken back), `leaderboards` and `drift` (how their
tables follow Redis) and `metrics` (what a scrape measures). `health` knows whether PostgreSQL
answers, `gates` lets pauses and open breakers outlive the process, `credentials` asks at the start
whether they are accepted, `servers` holds the embedded servers, `instance` keeps a second syncd off
the state directory, `leadership` decides which of several on one database leads, and `standing`
tells probes and callers. `demo` plays the whole on one machine, with `stage` (where), `rehearsal`
with `coders`, `listeners` and `subscribers` (who, with which `fates`, and what must come of it),
`findings` and `reminding` (what came of it) and `comparison` (both, side by side).
"""
