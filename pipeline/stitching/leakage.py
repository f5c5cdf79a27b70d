"""Leakage: a contact for the same mission shows that the contact before it had not helped.

A *contact* is what one session is to one mission: its interactions on a self-service channel, or
its call. Where a contact begins, the last interaction of the contact before gets the blame, once:
it is revised, the later one is not. Results of journeys that have ended are revised likewise, but
not how they ended. Event time only.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pipeline.stitching.journeys import COMPLETED, LIVE, SELF_SERVICE, OpenJourney
from pipeline.stitching.rules import Rules, VerdictRules
from pipeline.stitching.sessions import OpenSession
from pipeline.stitching.signals import CALLBACK
from pipeline.stitching.verdicts import CALLED_AGAIN, CAME_BACK, LEAKED_TO_CALL
from schemas.controls import Interaction
from schemas.records import Reason

_AGREED: Final = frozenset({"handoff", CALLBACK})
"""After these the next contact was agreed. A hand-off after fallbacks breaks by itself."""


def begins(one: Interaction, tail: Sequence[Interaction]) -> bool:
    """Whether `one`, the last, may begin a contact: a quick look that most do not pass."""
    if len(tail) < 2:
        return False
    last = tail[-2]
    return (
        last.session != one.session
        or last.journey != one.journey
        or last.channel != one.channel
        or last.verdict is None
    )


def blame(
    one: Interaction,
    tail: Sequence[Interaction],
    sessions: Sequence[OpenSession],
    journeys: Sequence[OpenJourney],
    rules: Rules,
) -> tuple[Interaction, Reason] | None:
    """The interaction that a contact blames by beginning, and why; None where it blames none.

    Args:
        one: The latest interaction of a journey, judged; only what is judged can blame.
        tail: The customer's, `one` the last.
        sessions: By serial number.
        journeys: Likewise.
        rules: The windows, and the changes of channel that missions plan.

    A journey that was completed is not blamed: that customer got what they came for, and comes
    again for the next bill (P). Nor is a change of channel that the mission plans, nor what
    follows a hand-off by the bot or a callback that was agreed.
    """
    if one.channel == "survey":
        return None
    before = _before(one, tail, journeys)
    if (
        before is None
        or _same_contact(before, one)
        or _began_earlier(one, tail, sessions, journeys)
    ):
        return None
    earlier = journeys[before.journey]
    mission = journeys[one.journey].mission
    if earlier.stand is COMPLETED or not _AGREED.isdisjoint(before.signals):
        return None
    if CALLBACK in one.signals:
        return None
    if (before.channel, one.channel) in rules.missions.all[mission].planned_changes:
        return None
    limits = rules.verdicts_of(mission)
    rule = _rule(one, before, sessions[before.session], earlier, limits, rules)
    if rule is None:
        return None
    return before, Reason(rule=rule, value=(one.at - before.at).total_seconds())


def _rule(
    one: Interaction,
    before: Interaction,
    left: OpenSession,
    earlier: OpenJourney,
    limits: VerdictRules,
    rules: Rules,
) -> str | None:
    since = one.at - before.at
    if one.channel in LIVE and before.channel in SELF_SERVICE:
        if before.channel == "chatbot" and before.session == one.session:
            return None  # the same conversation: whether that broke, its fallbacks say
        return LEAKED_TO_CALL if since <= max(limits.leak_strong, limits.leak_normal) else None
    if _reaches_a_step(one, earlier, rules):
        return None
    if one.channel in LIVE and before.channel in LIVE:
        return CALLED_AGAIN if limits.call_continues < since <= limits.called_again else None
    if one.channel == before.channel and since <= limits.came_back and left.is_over(one.at):
        return CAME_BACK
    return None


def _before(
    one: Interaction, tail: Sequence[Interaction], journeys: Sequence[OpenJourney]
) -> Interaction | None:
    """The last interaction that was judged and served the mission; surveys are none."""
    mission = journeys[one.journey].mission
    for other in reversed(tail):
        if other.journey < 0 or other.verdict is None or other.channel == "survey":
            continue
        if journeys[other.journey].mission == mission and other is not one:
            return other
    return None


def _began_earlier(
    one: Interaction,
    tail: Sequence[Interaction],
    sessions: Sequence[OpenSession],
    journeys: Sequence[OpenJourney],
) -> bool:
    """Whether the contact of `one` had begun before another came in between."""
    mission, started = journeys[one.journey].mission, sessions[one.session].started
    for other in reversed(tail):
        if other.at < started:
            return False
        if other is one or other.journey < 0 or other.verdict is None:
            continue
        if _same_contact(other, one) and journeys[other.journey].mission == mission:
            return True
    return False


def _same_contact(one: Interaction, other: Interaction) -> bool:
    return one.session == other.session and (one.channel in LIVE) == (other.channel in LIVE)


def _reaches_a_step(one: Interaction, earlier: OpenJourney, rules: Rules) -> bool:
    """Whether the customer gets further than the earlier contact's journey had come."""
    if one.journey == earlier.serial:
        return one.progress
    steps = rules.missions.places[earlier.mission]
    return one.touchpoint in steps and one.touchpoint not in earlier.reached


def blamable_for(journey: OpenJourney, rules: Rules) -> timedelta:
    """How long after its last interaction a contact may still come that blames it."""
    limits = rules.verdicts_of(journey.mission)
    if journey.stand is COMPLETED:
        return timedelta(0)
    if LIVE.isdisjoint(journey.channels):
        return max(limits.leak_strong, limits.leak_normal, limits.came_back)
    return max(limits.leak_strong, limits.leak_normal, limits.came_back, limits.called_again)
