"""The JSON shape of a platform: each credential by itself, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncd.daemon.answers import Json, pause_answer
from syncd.model.pause import Pause
from syncd.outbound.client import PlatformClient
from syncd.outbound.gate import Gate, Limits
from syncd.platforms.base import Platform

_SUMS = ("slots", "in_flight", "waiting", "calls", "saved")


def platform_answer(platforms: Sequence[Platform], accounts: Json, paused: Pause | None) -> Json:
    """Describe a platform, asked with one credential or several, and who is followed there.

    What can be added up is, without what its companions are asked; whether it may be asked is told
    of the credential that may be first. `paused` is what a person asked for, which holds all.
    """
    limits = platforms[0].limits
    each = [_credential_answer(platform.client, platform.limits) for platform in platforms]
    companions = [_credential_answer(client, limits) for client in platforms[0].companion.values()]
    waits = [pause_in_words(paused)] if paused else [platform.waits_for() for platform in platforms]
    soonest = _way_answer(min(platforms, key=_closed_seconds))
    return {
        "name": platforms[0].name,
        "credential": ", ".join(one["credential"] for one in each),
        "rate": sum(one["rate"] for one in each),
        "quota": _added_up([one["quota"] for one in each]),
        **{key: sum(one[key] for one in each) for key in _SUMS},
        **soonest,
        **_person(paused),
        "problems": _all_problems(platforms),
        "refused": "; ".join(one["refused"] for one in each if one["refused"]),
        "waits_for": "; ".join(filter(None, waits)),
        "paused": pause_answer(paused),
        "accounts": accounts,
        "credentials": [*each, *companions],
    }


def pause_in_words(pause: Pause) -> str:
    """Say who paused something, and why."""
    by = f" by {pause.actor}" if pause.actor else ""
    return f"paused{by}: {pause.why or 'no reason given'}"


def _person(paused: Pause | None) -> Json:
    """Tell of a person's pause, which has an end or none, before what the platform asked for."""
    if paused is None:
        return {}
    return {"paused_until": paused.until, "pause_cause": pause_in_words(paused)}


def _credential_answer(client: PlatformClient, limits: Limits) -> Json:
    """Describe one way out: its limits, what is left of them, and what holds it back."""
    gate, refusal = client.gate, client.refusal
    return {
        "credential": client.credential.name,
        "scheme": client.credential.scheme,
        "refused": "" if refusal is None else str(refusal),
        "rate": limits.rate,
        "quota": {
            "limit": limits.quota,
            "seconds": limits.quota_seconds,
            "left": None if limits.quota is None else gate.quota.left(),
            "reserve": gate.quota.reserved(),
        },
        "slots": limits.slots,
        "in_flight": gate.in_flight,
        "waiting": gate.waiting,
        **_obstacles(gate),
        "waits_for": gate.waits_for(),
        "calls": gate.calls,
        "saved": gate.saved,
    }


def _obstacles(gate: Gate) -> Json:
    pause = gate.pause
    return {
        "paused_until": None if pause is None else pause.until,
        "pause_cause": "" if pause is None else pause.cause,
        "breaker": {
            "state": gate.breaker.state,
            "since": gate.breaker.since,
            "until": gate.breaker.until,
            "cause": gate.breaker.failure,
            "error": gate.breaker.error,
        },
    }


def _way_answer(platform: Platform) -> Json:
    """Tell what holds a fetch back: whichever of the services it asks is closed for longest."""
    return _obstacles(max((client.gate for client in platform.clients), key=_gate_closed_seconds))


def _closed_seconds(platform: Platform) -> float:
    return max(_gate_closed_seconds(client.gate) for client in platform.clients)


def _gate_closed_seconds(gate: Gate) -> float:
    return max(gate.pauses.left_seconds(), gate.breaker.left_seconds())


def _added_up(quotas: Sequence[Json]) -> Json:
    """Add up quotas that run over the same time; several credentials never share one."""
    limits = [quota["limit"] for quota in quotas]
    is_limited = None not in limits
    return {
        "limit": sum(limits) if is_limited else None,
        "seconds": quotas[0]["seconds"],
        "left": sum(quota["left"] for quota in quotas) if is_limited else None,
        "reserve": sum(quota["reserve"] for quota in quotas),
    }


def _all_problems(platforms: Sequence[Platform]) -> list[Json]:
    own = [_problems(platform.client, platform.naming) for platform in platforms]
    odd = [_odd_problem(platform) for platform in platforms if platform.oddity is not None]
    others = [
        _problems(client, f"{key}: {{}}".format) for key, client in platforms[0].companion.items()
    ]
    return [problem for problems in (*own, *others, odd) for problem in problems]


def _odd_problem(platform: Platform) -> Json:
    assert platform.oddity is not None, "told only where there is one"
    since = f"{platform.oddity.since:%Y-%m-%d %H:%M} UTC"
    what = f"{platform.name} answers otherwise than it documents since {since}"
    return {
        "what": platform.naming(f"{what}: {platform.oddity.error}"),
        "hint": "nothing odd was stored; if it stays, see whether there is a newer syncd",
    }


def _problems(client: PlatformClient, naming: Callable[[str], str]) -> list[Json]:
    """List what a person should know about one way out, which `naming` tells from others."""
    gate, refusal = client.gate, client.refusal
    problems: list[Json] = []
    if refusal is not None:
        problems.append({"what": str(refusal), "hint": refusal.hint})
    if gate.breaker.openings:
        hint = f"the last error: {gate.breaker.error}; nothing was changed, it heals by itself"
        problems.append({"what": naming(gate.breaker.in_words()), "hint": hint})
    held = (each for resource in gate.resources for each in resource.pauses())
    for pauses in (gate.pauses, *held):
        if pauses.is_long:
            hint = (
                "it is kept over a restart and what was not asked stays due; if it is wrong: "
                f"syncd resume --platform {gate.platform}"
            )
            problems.append({"what": naming(pauses.in_words()), "hint": hint})
    return problems
