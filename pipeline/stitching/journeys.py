"""Journeys: one customer's path to one mission, over all channels, and how it ends.

Which mission a touchpoint belongs to, the moves a journey can make, and the verdicts that only
its course can give: the contact that made the customer ring up, the sign of trouble after which
nothing more was reached. Event time only.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from pipeline.stitching.ids import journey_of
from pipeline.stitching.missions import Mission, Missions
from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import Carried
from pipeline.stitching.signals import EFFORT, EFFORT_REPEATED
from pipeline.stitching.verdicts import LEAKED_TO_CALL, STEP_NOT_REACHED
from schemas.controls import Interaction
from schemas.records import Reason


class Stand(StrEnum):
    """Where a journey stands."""

    OPEN = "open"
    MARRED = "marred"
    COMPLETED = "completed"
    FRUSTRATED = "frustrated"
    ABANDONED = "abandoned"


class Move(StrEnum):
    """What can happen to a journey."""

    STEP = "step"
    BREAK = "break"
    GOAL = "goal"
    QUIT = "quit"
    SILENCE = "silence"
    PARDON = "pardon"


OPEN, MARRED = Stand.OPEN, Stand.MARRED
COMPLETED, FRUSTRATED, ABANDONED = Stand.COMPLETED, Stand.FRUSTRATED, Stand.ABANDONED

# Every move a journey can make stands here; a move that is not here cannot happen.
MOVES: Final[Mapping[Stand, Mapping[Move, Stand]]] = {
    OPEN: {
        Move.STEP: OPEN,
        Move.BREAK: MARRED,
        Move.GOAL: COMPLETED,
        Move.QUIT: FRUSTRATED,
        Move.SILENCE: ABANDONED,
        Move.PARDON: OPEN,
    },
    MARRED: {
        Move.STEP: MARRED,
        Move.BREAK: MARRED,
        Move.GOAL: COMPLETED,
        Move.QUIT: FRUSTRATED,
        Move.SILENCE: FRUSTRATED,
        Move.PARDON: OPEN,  # what had broken turned out to be a machine's, or a call too short
    },
    COMPLETED: {},  # Ended: what happens next starts another journey. What comes late but
    FRUSTRATED: {},  # happened before the end folds this one again, as revision n + 1.
    ABANDONED: {},
}

REASONS: Final[Mapping[tuple[Move, Stand], str]] = {
    (Move.GOAL, COMPLETED): "completing_touchpoint",
    (Move.QUIT, FRUSTRATED): "gave_up",
    (Move.SILENCE, FRUSTRATED): "silence_after_broken",
    (Move.SILENCE, ABANDONED): "silence",
}
"""The deciding rule that an outcome names."""

_SELF_SERVICE: Final = frozenset({"web", "app", "chatbot"})
LIVE: Final = frozenset({"ivr", "agent"})


class OpenJourney(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """A journey as the fold knows it, open or ended.

    Attributes:
        id: Derived from the mission and the opener.
        opener: The touchpoint whose id names it.
        revision: The last one published; 0 where none was.
        live: Whether the opener's id was published and stands.
        stand: One of `Stand`.
        place: The number of the farthest step reached, in the mission's order; -1 for none.
        reached: Steps reached, in order of first reaching.
        channels: In order of first use.
        load: What the path cost the customer so far, see `outcomes.effort_of`.
        misses: Fallbacks and no-matches so far.
        carried: Path and verdicts of members that are no longer kept.
        restarts: How often a step was begun again after it was left.
        asked: The customer's last answer on the scale of effort (CES).
        segment: The last that a touchpoint told.
    """

    serial: int
    id: str
    mission: str
    opener: str
    started: datetime
    last: datetime
    stand: Stand = OPEN
    reason: str = ""
    revision: int = 0
    live: bool = False
    count: int = 0
    place: int = -1
    reached: list[str] = []
    channels: list[str] = []
    channel: str = ""
    step: str = ""
    load: float = 0.0
    misses: int = 0
    carried: Carried | None = None
    restarts: int = 0
    asked: float | None = None
    segment: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen to it."""
        return not MOVES[self.stand]


def move(journey: OpenJourney, made: Move) -> None:
    """Make a move of the table. Raises KeyError where the table has none."""
    before = journey.stand
    journey.stand = MOVES[before][made]
    if journey.stand is not before:
        journey.reason = REASONS.get((made, journey.stand), "")


def attribute(
    journeys: list[OpenJourney], walked: list[int], one: Interaction, missions: Missions
) -> OpenJourney | None:
    """The journey an interaction belongs to, begun by it where it begins one; None for no mission.

    Args:
        journeys: The customer's; one that is begun is appended.
        walked: Serial numbers of those that have not ended, likewise.
        one: The interaction, its touchpoint known.
        missions: All of them.

    In this order: the mission its intent names; the open journey that expects its touchpoint, the
    one whose next step it is before others, then the one active last; a mission it starts; the
    open journey active last. An intent begins a journey wherever it first shows.
    """
    touchpoint = one.touchpoint
    named = missions.by_intent.get(one.intent) if one.intent is not None else None
    chosen = latest = None
    chosen_is_next = False
    for serial in walked:
        journey = journeys[serial]
        if named is not None:
            if journey.mission == named:
                return journey
            continue
        if latest is None or journey.last >= latest.last:
            latest = journey
        if touchpoint in missions.expects[journey.mission]:
            place = missions.places[journey.mission].get(touchpoint)
            is_next = place is not None and place[0] == journey.place + 1
            if (
                chosen is None
                or is_next > chosen_is_next
                or (is_next == chosen_is_next and journey.last >= chosen.last)
            ):
                chosen, chosen_is_next = journey, is_next
    if named is not None:
        return _begin(journeys, walked, one, named)
    if chosen is not None:
        return chosen
    starts = missions.started_by.get(touchpoint)
    if starts is not None:
        return _begin(journeys, walked, one, starts[0])
    return latest


def _begin(
    journeys: list[OpenJourney], walked: list[int], one: Interaction, mission: str
) -> OpenJourney:
    journey = OpenJourney(
        serial=len(journeys),
        id=journey_of(mission, one),
        mission=mission,
        opener=one.id,
        started=one.at,
        last=one.at,
    )
    journeys.append(journey)
    walked.append(journey.serial)
    return journey


def walk(journey: OpenJourney, one: Interaction, missions: Missions) -> None:
    """Let the interaction lengthen the journey: the step reached, the channel, the load."""
    mission = missions.all[journey.mission]
    place = missions.places[journey.mission].get(one.touchpoint)
    if place is not None and one.touchpoint not in journey.reached:
        journey.reached.append(one.touchpoint)
        journey.place = max(journey.place, place[0])
        one.progress = True
    elif place is not None and journey.step != one.touchpoint:
        journey.restarts += 1
    if place is not None:
        journey.step = one.touchpoint
    if one.channel not in journey.channels:
        journey.channels.append(one.channel)
    if one.channel != "survey":
        changed = (journey.channel, one.channel)
        if journey.channel not in ("", one.channel) and changed not in mission.planned_changes:
            journey.load += 2
        journey.channel = one.channel
    for signal in one.signals:
        journey.load += EFFORT.get(signal, 0.0)
        if signal in EFFORT_REPEATED:
            journey.load += EFFORT_REPEATED[signal] if journey.misses else 0.0
            journey.misses += 1
    if one.segment is not None:
        journey.segment = one.segment
    if one.rating is not None and one.rating[0] == "ces":
        journey.asked = one.rating[1]
    journey.started = min(journey.started, one.at)  # older than the base it is folded on
    journey.last = max(journey.last, one.at)
    journey.count += 1
    one.journey = journey.serial
    if one.stamps is not None:
        _adopt(journey, one, one.stamps.get(journey.mission, 0))


def _adopt(journey: OpenJourney, one: Interaction, stamp: int) -> None:
    """Go on under an id that was published already; a second such id is absorbed."""
    if journey.opener == one.id:
        journey.revision, journey.live = abs(stamp), stamp > 0
    elif stamp > 0 and not journey.live:
        journey.opener, journey.revision, journey.live = one.id, stamp, True
        journey.id = journey_of(journey.mission, one)


def conclude(journey: OpenJourney, one: Interaction, mission: Mission) -> bool:
    """Move the journey by a judged interaction of its own; tells whether it ended it."""
    move(journey, Move.BREAK if one.verdict == "broken" else Move.STEP)
    if one.touchpoint in mission.completes:
        move(journey, Move.GOAL)
    elif one.touchpoint in mission.frustrates:
        move(journey, Move.QUIT)
    return journey.ended


def blame_leak(
    journey: OpenJourney, tail: Sequence[Interaction], one: Interaction, rules: Rules
) -> tuple[Interaction, tuple[Reason, ...]] | None:
    """The interaction that made the customer ring up, to be broken; None where none is to blame.

    Its reasons come with it: what breaks it by itself goes first, so the call where nothing else
    had broken it.

    `one` is a call or a talk to an agent. To blame is the contact before it, for the same mission:
    within 30 min it is broken; within 24 h if it showed a soft sign. A change of channel that the
    mission plans, and a hand-off by the bot itself, blame nobody.
    """
    before = next((o for o in reversed(tail) if o.journey == journey.serial and o is not one), None)
    if before is None or before.channel not in _SELF_SERVICE or "handoff" in before.signals:
        return None
    planned = rules.missions.all[journey.mission].planned_changes
    if (before.channel, one.channel) in planned or before.verdict is None:
        return None
    since = one.at - before.at
    trouble = before.reasons and before.verdict != "excellent"
    limit = rules.verdicts.leak_normal if trouble else rules.verdicts.leak_strong
    if since > limit or any(reason.rule == LEAKED_TO_CALL for reason in before.reasons):
        return None
    leaked = Reason(rule=LEAKED_TO_CALL, value=since.total_seconds())
    if before.verdict == "broken":
        return before, (*before.reasons, leaked)
    return before, (leaked, *before.reasons)


def blame_unreached(
    journey: OpenJourney, tail: Iterable[Interaction]
) -> list[tuple[Interaction, tuple[Reason, ...]]]:
    """What showed a soft sign and had no progress after it, to be broken, each with its reasons.

    For a journey about to end without its goal. Runs back from its end to the last progress.
    """
    blamed = []
    for one in reversed(list(tail)):
        if one.journey != journey.serial:
            continue
        if one.verdict == "functional" and one.reasons:
            blamed.append((one, (*one.reasons, Reason(rule=STEP_NOT_REACHED))))
        if one.progress:
            break
    return blamed
