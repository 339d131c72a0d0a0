"""Brings the job kind `mischief` into a process that has this folder in PYTHONPATH."""

from pathlib import Path

import syncd.jobs

syncd.jobs.__path__.append(str(Path(__file__).parent / "jobs"))
