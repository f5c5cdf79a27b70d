"""Wording: an alert in one sentence that a person can act on, in the words of the catalogue."""

from datetime import timedelta
from typing import Final

from pipeline.stitching.baseline import FORGOTTEN
from pipeline.stitching.rules import Rules
from pipeline.stitching.votes import SOURCE
from schemas.records import Alert

REASONS_NAMED: Final = 2
"""Reasons that the sentence names; the record has more (P)."""


def sentence_of(alert: Alert, rules: Rules) -> str:
    """What broke, for whom, since when, how badly against what is normal, and why.

    Args:
        alert: All of it but the sentence.
        rules: Name the touchpoint and the mission as customers do.
    """
    entry = rules.inventory.entries.get(alert.touchpoint)
    named = f"{entry.name if entry else alert.touchpoint} ({alert.touchpoint})"
    named = named[0].upper() + named[1:]
    wanted = _wanted(alert.mission, rules)
    if alert.kind == "silent":
        return _silent(alert, named)
    if alert.kind == "slow_leak":
        return _leaks(alert, named, wanted)
    if alert.state == "retracted":
        return f"{named} was not broken{wanted} after all: corrected votes took the evidence back."
    if alert.state == "resolved":
        ended = "" if alert.resolved_at is None else f" since {alert.resolved_at:%H:%M} UTC"
        return f"{named} works again{wanted}{ended}; it broke at {alert.since:%H:%M}."
    why = ", ".join(
        f"{rule} {count}" for rule, count in list(alert.reasons.items())[:REASONS_NAMED]
    )
    stake = f", missions {', '.join(alert.missions)}" if alert.mission is None else ""
    only = _shared(alert)
    return (
        f"{named} is broken{wanted} since {alert.since:%H:%M} UTC: {alert.present_share:.0%} of "
        f"{alert.votes} votes against {alert.usual_share:.1%} usually, {alert.customers} customers"
        f"{stake}; mostly {why or 'without a reason'}{only}."
    )


def _silent(alert: Alert, named: str) -> str:
    if alert.touchpoint.startswith(SOURCE):
        return _source_silent(alert)
    if _given_up(alert):
        return f"{named} is not waited for any longer: nobody has come by it for 28 days."
    if alert.state == "retracted":
        return f"{named} was not silent after all: customers had come."
    if alert.state == "resolved":
        ended = "" if alert.resolved_at is None else f" since {alert.resolved_at:%H:%M} UTC"
        return f"Customers come by {named} again{ended}; nobody had from {alert.since:%H:%M} on."
    return (
        f"{named} has gone quiet: next to nobody comes by it since {alert.since:%H:%M} UTC, where "
        f"{alert.votes} would have been usual, and customers still come elsewhere. Nothing need "
        "have failed there but what reports it."
    )


def _source_silent(alert: Alert) -> str:
    named = f'The source "{alert.touchpoint.removeprefix(SOURCE)}"'
    if _given_up(alert):
        return f"{named} is not waited for any longer: it has sent nothing for 28 days."
    if alert.state == "retracted":
        return f"{named} was not silent after all: it had sent."
    if alert.state == "resolved":
        ended = "" if alert.resolved_at is None else f" since {alert.resolved_at:%H:%M} UTC"
        return f"{named} sends again{ended}; it had not from {alert.since:%H:%M} on."
    return (
        f"{named} has gone quiet: next to no customers are heard of by it since "
        f"{alert.since:%H:%M} UTC, where {alert.votes} sessions would have been usual, and other "
        "sources still send. Look at what sends: its release, its key, its way to the listener."
    )


def _given_up(alert: Alert) -> bool:
    over = alert.resolved_at
    return over is not None and over - alert.since >= timedelta(minutes=FORGOTTEN)


def _leaks(alert: Alert, named: str, wanted: str) -> str:
    if alert.state == "resolved":
        return f"{named} breaks{wanted} no more often than it used to."
    only = _shared(alert)
    return (
        f"{named} has been breaking{wanted} more often for days: {alert.present_share:.1%} of "
        f"{alert.votes} votes in the last six hours against {alert.usual_share:.1%} usually{only}."
    )


def _wanted(mission: str | None, rules: Rules) -> str:
    if mission is None:
        return " whatever customers come for"
    known = rules.missions.all.get(mission)
    return f' for "{known.title if known is not None and known.title else mission}"'


def _shared(alert: Alert) -> str:
    if not alert.shared:
        return ""
    named = " and ".join(f"{name} {value}" for name, value in alert.shared.items())
    return f"; what broke has {named}, what works has not"
