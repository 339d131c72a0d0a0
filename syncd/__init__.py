"""syncd keeps a platform's copy of the outside world fresh and tells people in time.

A fact travels one way; read the packages in this order and you have read the program:
config, schedule, engine, runs, jobs, platforms, outbound. Data ends in store (PostgreSQL),
what happened is told by telemetry, people ask through web and cli.
"""

__version__ = "0.1.0"
