"""How one run executes: begun, watched, ended exactly once, gone on with after a crash.

`runner` drives a job kind through one run and turns whatever happens into an outcome; nothing a
run does can hurt the process or another run. `jobs` names what config.toml defines, ready to run.
"""
