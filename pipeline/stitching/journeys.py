"""Journeys: one customer's path to one mission, over all channels, and how it ends.

Which mission a touchpoint belongs to, the moves a journey can make, and the verdicts that only
its course can give: the sign of trouble after which nothing more was reached. Event time only.
"""

from bisect import insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from pipeline.stitching.attribution import choose, completes, last_active, recalled_by
from pipeline.stitching.ids import journey_of
from pipeline.stitching.missions import Missions
from pipeline.stitching.rules import Rules, VerdictRules
from pipeline.stitching.sessions import Carried
from pipeline.stitching.signals import EFFORT, EFFORT_REPEATED
from pipeline.stitching.verdicts import STEP_NOT_REACHED, weigh
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
    SWITCH = "switch"
    ANSWER = "answer"
    RETURN = "return"
    PARDON = "pardon"
    RESUME = "resume"


_STEP, _BREAK = Move.STEP, Move.BREAK  # looked up once: to ask an enumeration is a call
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
        Move.SWITCH: FRUSTRATED,  # silence as well, after moving to another channel …
        Move.ANSWER: FRUSTRATED,  # … or after saying that it was bad
        Move.PARDON: OPEN,  # what had broken turned out to be a machine's, or a call too short
    },
    # Ended: what happens next starts another journey. What comes late but happened before the end
    # folds this one again, as revision n + 1. Some things that happen later revise how it ended.
    COMPLETED: {Move.RETURN: FRUSTRATED},  # the customer came again, and the mission minds
    # Asked afterwards, the customer says that it was bad. And an end by silence is taken back where
    # the mission says that its customers come back for it; marred, it is at once again.
    FRUSTRATED: {Move.RESUME: OPEN},
    ABANDONED: {Move.ANSWER: FRUSTRATED, Move.RESUME: OPEN},
}

CONTACTED_AGAIN: Final = "contacted_again"
"""The reason of an outcome that looked completed until the customer came again."""

REASONS: Final[Mapping[tuple[Move, Stand], str]] = {
    (Move.GOAL, COMPLETED): "completing_touchpoint",
    (Move.QUIT, FRUSTRATED): "gave_up",
    (Move.ANSWER, FRUSTRATED): "answered_badly",
    (Move.SWITCH, FRUSTRATED): "changed_channel",
    (Move.SILENCE, FRUSTRATED): "silence_after_broken",
    (Move.RETURN, FRUSTRATED): CONTACTED_AGAIN,
    (Move.SILENCE, ABANDONED): "silence",
}
"""The deciding rule that an outcome names."""

_SILENT: Final = frozenset(
    reason
    for (made, _), reason in REASONS.items()
    if made in (Move.SILENCE, Move.SWITCH, Move.ANSWER)
)
"""Reasons of an end by silence, which coming back takes back."""

SELF_SERVICE: Final = frozenset({"web", "app", "chatbot"})
LIVE: Final = frozenset({"ivr", "agent"})


class OpenJourney(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """A journey as the fold knows it, open or ended.

    Attributes:
        id: Derived from the mission and the opener.
        opener: The id of the touchpoint that names it; see `opened`.
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
        answers: The customer's answers that came after the end, each by its `ref`: no part of the
            way.
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
    answers: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more belongs to it but what is said of it."""
        return self.stand is not OPEN and self.stand is not MARRED


def move(journey: OpenJourney, made: Move) -> None:
    """Make a move of the table. Raises KeyError where the table has none."""
    before = journey.stand
    journey.stand = MOVES[before][made]
    if journey.stand is not before:
        journey.reason = REASONS.get((made, journey.stand), "")


def attribute(
    journeys: list[OpenJourney],
    walked: list[int],
    one: Interaction,
    named: str | None,
    about: OpenJourney | None,
    missions: Missions,
    done: Collection[str] = (),
) -> OpenJourney | None:
    """The journey an interaction belongs to, begun by it where it begins one; None for no mission.

    Args:
        journeys: The customer's; one that is begun is appended.
        walked: Serial numbers of those that have not ended, likewise.
        one: The interaction, its touchpoint known.
        named: The mission that its intent names, or that of one that took it along.
        about: The journey that it is an answer about, which may have ended.
        missions: All of them.
        done: Those that were completed earlier in its session.

    By which rules, `attribution.choose` says.
    """
    going = [journeys[serial] for serial in walked] if walked else []
    mine, begins, firm = choose(going, one, named, about, missions, done)
    if begins is not None or not firm:
        recalled = recalled_by(one, named, missions)
        resumed = last_active(_silent(journeys, one, recalled, missions)) if recalled else None
        if resumed is not None:
            move(resumed, Move.RESUME)
            insort(walked, resumed.serial)
            return resumed
    if begins is None:
        return mine
    journey = OpenJourney(
        serial=len(journeys),
        id=journey_of(begins, one),
        mission=begins,
        opener=one.id,
        started=one.at,
        last=one.at,
    )
    journeys.append(journey)
    walked.append(journey.serial)
    return journey


def _silent(
    journeys: Sequence[OpenJourney], one: Interaction, recalled: Collection[str], missions: Missions
) -> list[OpenJourney]:
    """Those that silence ended and that may still be resumed: of each mission only the last."""
    found = []
    for mission in recalled:
        for journey in reversed(journeys):
            if journey.mission == mission:
                silent = journey.reason in _SILENT and not journey.answers
                if silent and one.at - journey.last <= missions.resuming[mission]:
                    found.append(journey)
                break
    return found


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
    if one.channel not in (journey.channel, "survey"):
        changed = (journey.channel, one.channel)
        if journey.channel and changed not in mission.planned_changes:
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
    if one.at < journey.started:  # older than the base it is folded on
        journey.started = one.at
    if one.at > journey.last:
        journey.last = one.at
    journey.count += 1
    one.journey = journey.serial
    if one.stamps is not None:
        _adopt(journey, one, one.stamps.get(journey.mission, 0))


def _adopt(journey: OpenJourney, one: Interaction, stamp: int) -> None:
    """Go on under an id that was published already; a second such id is absorbed."""
    if opened(one, journey):
        journey.revision, journey.live = abs(stamp), stamp > 0
    elif stamp > 0 and not journey.live:
        journey.opener, journey.revision, journey.live = one.id, stamp, True
        journey.id = journey_of(journey.mission, one)


def opened(one: Interaction, journey: OpenJourney) -> bool:
    """Whether a journey is named by this interaction: others may have its id, of other sources."""
    return journey.opener == one.id and journey.id == journey_of(journey.mission, one)


def conclude(journey: OpenJourney, one: Interaction, rules: Rules) -> bool:
    """Move the journey by a judged interaction of its own; tells whether it ended it."""
    mission = rules.missions.all[journey.mission]
    move(journey, _BREAK if one.verdict == "broken" else _STEP)
    if completes(one, mission, rules.inventory):
        move(journey, Move.GOAL)
    elif one.touchpoint in mission.frustrates:
        move(journey, Move.QUIT)
    return journey.ended


def hear(journey: OpenJourney, one: Interaction) -> None:
    """Take an answer about a journey that has ended: it tells of the way and is no part of it."""
    journey.answers = (*journey.answers, one.ref)
    one.journey = journey.serial
    if one.rating is not None and one.rating[0] == "ces":
        journey.asked = one.rating[1]


def answered_badly(reasons: Iterable[Reason], limits: VerdictRules) -> bool:
    """Whether an answer in the broken band is among the reasons of a verdict."""
    for reason in reasons:
        asked, _, scale = reason.rule.partition("_")
        if asked == "answered" and isinstance(reason.value, int | float):
            return bool(reason.value <= getattr(limits, f"{scale}_broken_max"))
    return False


def way_out(journey: OpenJourney, tail: Iterable[Interaction], rules: Rules) -> Move:
    """The move by which silence longer than its patience ends a journey (P).

    Where something broke, it is told what the customer did about it: answered that it was bad; or
    else was last heard of on another channel than the one it last broke on, by a change that the
    mission does not plan; or else nothing.
    """
    if journey.stand is not MARRED:
        return Move.SILENCE
    broken = [o for o in tail if o.journey == journey.serial and o.verdict == "broken"]
    limits = rules.verdicts_of(journey.mission)
    if any(answered_badly(one.reasons, limits) for one in broken):
        return Move.ANSWER
    planned = rules.missions.all[journey.mission].planned_changes
    for one in reversed(broken):
        if one.channel != "survey":
            moved = (one.channel, journey.channel)
            stayed = one.channel == journey.channel or moved in planned
            return Move.SILENCE if stayed else Move.SWITCH
    return Move.SILENCE


def come_again(
    journeys: Sequence[OpenJourney], begun: OpenJourney, missions: Missions
) -> OpenJourney | None:
    """The completed journey that was not solved after all, since another was begun so soon.

    Only where the mission says so, by `repeat_within`; it is the last one before `begun`.
    """
    limit = missions.all[begun.mission].repeat_within
    if limit is None:
        return None
    for journey in reversed(journeys[: begun.serial]):
        if journey.mission == begun.mission:
            soon = begun.started - journey.last <= limit
            return journey if soon and journey.stand is COMPLETED else None
    return None


def blame_unreached(
    journey: OpenJourney, tail: Iterable[Interaction], rules: Rules
) -> list[tuple[Interaction, Reason]]:
    """What showed a soft sign and had no progress after it, each with the reason to add.

    For a journey about to end without its goal. Runs back from its end to the last progress. An
    answer of the customer weighs more than this.
    """
    blamed = []
    why = Reason(rule=STEP_NOT_REACHED, value=_next_step(journey, rules.missions))
    limits = rules.verdicts_of(journey.mission)
    for one in reversed(list(tail)):
        if one.journey != journey.serial:
            continue
        if one.verdict == "functional" and one.reasons:
            on_path = one.touchpoint in rules.missions.expects[journey.mission]
            if weigh((*one.reasons, why), on_path=on_path, limits=limits) == "broken":
                blamed.append((one, why))
        if one.progress:
            break
    return blamed


def _next_step(journey: OpenJourney, missions: Missions) -> str:
    """The step after the farthest that was reached; what completes it, where none is left."""
    for step, (number, _) in missions.places[journey.mission].items():
        if number == journey.place + 1:
            return step
    return missions.all[journey.mission].completes[0]
