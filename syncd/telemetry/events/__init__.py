"""What can happen, one class each; `name` is the constant that logs and the event stream carry.

One file a subject; everybody else imports the classes from here.
"""

from syncd.telemetry.events.base import (
    Event,
    Level,
)
from syncd.telemetry.events.daemon import (
    ConditionNoticed,
    ControlRefused,
    ControlUsed,
    DaemonDraining,
    DaemonStarted,
    DaemonStopped,
    LoopStalled,
    RunsCancelled,
    ServerDied,
    ServerStarted,
    ServerStopped,
    StoreLost,
    StoreRecovered,
)
from syncd.telemetry.events.outbound import (
    CredentialRefused,
    PlatformRecovered,
    PlatformThrottled,
    PlatformTripped,
    RequestRetried,
)
from syncd.telemetry.events.runs import (
    AccountChanged,
    DeadLetterWritten,
    FireSkipped,
    ItemFailed,
    ItemsCommitted,
    JobRegistered,
    RunCrashed,
    RunFinished,
    RunProgressed,
    RunStarted,
    RunStuck,
    SweepSuspended,
    WrongAccountAnswered,
)

__all__ = [
    "AccountChanged",
    "ConditionNoticed",
    "ControlRefused",
    "ControlUsed",
    "CredentialRefused",
    "DaemonDraining",
    "DaemonStarted",
    "DaemonStopped",
    "DeadLetterWritten",
    "Event",
    "FireSkipped",
    "ItemFailed",
    "ItemsCommitted",
    "JobRegistered",
    "Level",
    "LoopStalled",
    "PlatformRecovered",
    "PlatformThrottled",
    "PlatformTripped",
    "RequestRetried",
    "RunCrashed",
    "RunFinished",
    "RunProgressed",
    "RunStarted",
    "RunStuck",
    "RunsCancelled",
    "ServerDied",
    "ServerStarted",
    "ServerStopped",
    "StoreLost",
    "StoreRecovered",
    "SweepSuspended",
    "WrongAccountAnswered",
]
