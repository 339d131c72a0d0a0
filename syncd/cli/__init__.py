"""The command line: one file per command, found by its name and imported when it is asked for.

`base` says what a command is, `commands` finds them, `console` is where everything they write goes
through, `reach` how they come to the daemon or the configuration, `failure` the only place that
turns an error into text and an exit code.

Promises: standard output carries data only (`--json` everywhere, additive), everything else goes to
standard error; no control character of foreign text reaches a terminal; what merely asks the daemon
answers at once, because neither aiohttp nor pydantic nor a database driver is imported for it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from syncd.cli.base import Exit
from syncd.cli.commands import invoke
from syncd.cli.crash import leave_no_core
from syncd.cli.failure import explain, silence_stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command (of `sys.argv` by default) and return its exit code."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    leave_no_core()
    try:
        code = invoke(typed)
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()  # whoever reads has seen enough
        return Exit.OK
    except KeyboardInterrupt:
        return Exit.SIGNAL
    except Exception as error:
        return explain(error, typed)
    return code
