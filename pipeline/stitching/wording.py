"""Wording: an alert in one sentence that a person can act on, in the words of the catalogue."""

from typing import Final

from pipeline.stitching.rules import Rules
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
    if alert.state == "retracted":
        return f"{named} was not broken{wanted} after all: corrected votes took the evidence back."
    if alert.state == "resolved":
        ended = "" if alert.resolved_at is None else f" since {alert.resolved_at:%H:%M} UTC"
        return f"{named} works again{wanted}{ended}; it broke at {alert.since:%H:%M}."
    why = ", ".join(
        f"{rule} {count}" for rule, count in list(alert.reasons.items())[:REASONS_NAMED]
    )
    stake = f", missions {', '.join(alert.missions)}" if alert.mission is None else ""
    return (
        f"{named} is broken{wanted} since {alert.since:%H:%M} UTC: {alert.present_share:.0%} of "
        f"{alert.votes} votes against {alert.usual_share:.1%} usually, {alert.customers} customers"
        f"{stake}; mostly {why or 'without a reason'}."
    )


def _wanted(mission: str | None, rules: Rules) -> str:
    if mission is None:
        return " whatever customers come for"
    known = rules.missions.all.get(mission)
    return f' for "{known.title if known is not None and known.title else mission}"'
