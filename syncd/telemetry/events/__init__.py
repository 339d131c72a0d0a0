"""What can happen, one class each; `name` is the constant that logs and the event stream carry.

One file a subject; everybody else imports the classes from here.
"""

from syncd.telemetry.events.base import (
    Event,
    Level,
)
from syncd.telemetry.events.daemon import (
    ClockJumped,
    ConditionNoticed,
    ControlRefused,
    ControlUsed,
    DaemonDraining,
    DaemonStarted,
    DaemonStopped,
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
    FireClaimed,
    FireSkipped,
    ItemFailed,
    ItemsCommitted,
    JobRegistered,
    RunCrashed,
    RunFinished,
    RunProgressed,
    RunStarted,
    SweepSuspended,
    WrongAccountAnswered,
)

__all__ = [
    "AccountChanged",
    "ClockJumped",
    "ConditionNoticed",
    "ControlRefused",
    "ControlUsed",
    "CredentialRefused",
    "DaemonDraining",
    "DaemonStarted",
    "DaemonStopped",
    "DeadLetterWritten",
    "Event",
    "FireClaimed",
    "FireSkipped",
    "ItemFailed",
    "ItemsCommitted",
    "JobRegistered",
    "Level",
    "PlatformRecovered",
    "PlatformThrottled",
    "PlatformTripped",
    "RequestRetried",
    "RunCrashed",
    "RunFinished",
    "RunProgressed",
    "RunStarted",
    "ServerDied",
    "ServerStarted",
    "ServerStopped",
    "StoreLost",
    "StoreRecovered",
    "SweepSuspended",
    "WrongAccountAnswered",
]
