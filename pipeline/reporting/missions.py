"""How each mission does: outcomes, objectives, the microjourneys that customers share, segments."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean, median
from typing import Final

from pipeline.reporting.inference import rank_correlation, rate
from pipeline.reporting.report import (
    Counted,
    Effort,
    Microjourney,
    Money,
    Objective,
    OfMission,
    Segment,
)
from pipeline.reporting.results import Journey
from pipeline.stitching.missions import Mission
from pipeline.stitching.rules import Rules
from schemas.records import JourneyOutcome

MICROJOURNEYS_MAX: Final = 5
"""Paths that are shown of a mission: the most frequent, which a person can take in (P)."""

PAIRS_MIN: Final = 30
"""Journeys with effort both asked and inferred from which on a divisor is fitted (P)."""

EFFORT_MAX: Final = 7.0
"""Very easy, on the scale of the Customer Effort Score."""


def missions_of(journeys: Iterable[Journey], rules: Rules) -> tuple[OfMission, ...]:
    """Every mission that somebody had, the most frequent first."""
    by_mission: dict[str, list[Journey]] = {}
    for journey in journeys:
        by_mission.setdefault(journey.outcome.mission, []).append(journey)
    found = [_of_mission(name, those, rules) for name, those in by_mission.items()]
    found.sort(key=lambda one: (-one.journeys, one.mission))
    return tuple(found)


def efforts_of(journeys: Iterable[Journey], rules: Rules) -> tuple[Effort, ...]:
    """Asked beside inferred effort: of all journeys, then of each mission; empty without pairs."""
    both = [one.outcome for one in journeys if one.outcome.effort_asked is not None]
    if not both:
        return ()
    missions = sorted({one.mission for one in both})
    each = [_effort(name, [one for one in both if one.mission == name], rules) for name in missions]
    return (_effort(None, both, rules), *each)


def _of_mission(name: str, journeys: Sequence[Journey], rules: Rules) -> OfMission:
    mission = rules.missions.all.get(name)
    completed = [one for one in journeys if one.completed]
    lost = len(journeys) - len(completed)
    paths: dict[tuple[str, ...], list[Journey]] = {}
    for journey in journeys:
        paths.setdefault(journey.outcome.microjourney, []).append(journey)
    most = sorted(paths.items(), key=lambda one: (-len(one[1]), one[0]))[:MICROJOURNEYS_MAX]
    return OfMission(
        mission=name,
        title=mission.title if mission is not None else "",
        journeys=len(journeys),
        completed=rate(len(completed), len(journeys)),
        frustrated=_ended(journeys, "frustrated"),
        abandoned=_ended(journeys, "abandoned"),
        value=_worth(mission, len(journeys)),
        value_lost=_worth(mission, lost),
        endings=_endings(journeys),
        effort=_mean_effort(journeys),
        duration=median(map(_duration, completed)) if completed else None,
        objectives=_objectives(mission, journeys, completed),
        paths=len(paths),
        microjourneys=tuple(_microjourney(path, those) for path, those in most),
        segments=_segments(journeys),
    )


def _objectives(
    mission: Mission | None, journeys: Sequence[Journey], completed: Sequence[Journey]
) -> tuple[Objective, ...]:
    """How far each promise was kept, as the outcomes say of themselves."""
    if mission is None:
        return ()
    promised = mission.objectives
    targets = {
        "completion_rate_min": promised.completion_rate_min,
        "duration_max": None
        if promised.duration_max is None
        else promised.duration_max.total_seconds(),
        "touchpoints_max": promised.touchpoints_max,
        "effort_min": promised.effort_min,
    }
    found = []
    for what, target in targets.items():
        if target is None:
            continue
        # Who did not get there is neither fast nor slow.
        asked = completed if what in ("duration_max", "touchpoints_max") else journeys
        told = [met for one in asked if (met := one.outcome.objectives.get(what)) is not None]
        kept = rate(sum(told), len(told))
        met = kept.share >= target if what == "completion_rate_min" else None
        found.append(Objective(what=what, target=float(target), kept=kept, met=met))
    return tuple(found)


def _endings(journeys: Sequence[Journey]) -> tuple[Counted, ...]:
    counts = Counter(one.outcome.reason for one in journeys if not one.completed)
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return tuple(Counted(word=word, count=count) for word, count in ordered)


def _microjourney(path: tuple[str, ...], journeys: Sequence[Journey]) -> Microjourney:
    return Microjourney(
        path=path,
        journeys=len(journeys),
        completed=rate(sum(one.completed for one in journeys), len(journeys)),
        frustrated=_ended(journeys, "frustrated"),
        abandoned=_ended(journeys, "abandoned"),
        effort=_mean_effort(journeys),
        duration=median(map(_duration, journeys)),
    )


def _segments(journeys: Sequence[Journey]) -> tuple[Segment, ...]:
    """By segment, the largest first; empty where no emitter sends one."""
    by_segment: dict[str, list[Journey]] = {}
    for journey in journeys:
        if journey.outcome.segment is not None:
            by_segment.setdefault(journey.outcome.segment, []).append(journey)
    found = [
        Segment(
            segment=name,
            journeys=len(those),
            completed=rate(sum(one.completed for one in those), len(those)),
            frustrated=_ended(those, "frustrated"),
            abandoned=_ended(those, "abandoned"),
            effort=_mean_effort(those),
        )
        for name, those in by_segment.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.journeys, one.segment)))


def _effort(mission: str | None, outcomes: Sequence[JourneyOutcome], rules: Rules) -> Effort:
    pairs = [(o.effort_asked, o.effort) for o in outcomes if o.effort_asked is not None]
    correlation = rank_correlation(pairs)
    return Effort(
        mission=mission,
        pairs=len(pairs),
        asked=round(fmean(asked for asked, _ in pairs), 2),
        inferred=round(fmean(inferred for _, inferred in pairs), 2),
        correlation=None if correlation is None else round(correlation, 2),
        divisor=_divisor(outcomes, rules) if len(pairs) >= PAIRS_MIN else None,
    )


def _divisor(outcomes: Sequence[JourneyOutcome], rules: Rules) -> float | None:
    """The divisor d for which `7 - load / d` comes closest to what was asked, by least squares.

    The load is read back from the effort that was inferred with the mission's own divisor; where
    that ran into the end of its scale, 1, the load is at least what is read.
    """
    together = square = 0.0
    for one in outcomes:
        mission = rules.missions.all.get(one.mission)
        if mission is not None and one.effort_asked is not None:
            load = (EFFORT_MAX - one.effort) * mission.effort_divisor
            together += load * (EFFORT_MAX - one.effort_asked)
            square += load * load
    return round(square / together, 2) if together > 0 else None


def _ended(journeys: Iterable[Journey], outcome: str) -> int:
    return sum(one.outcome.outcome == outcome for one in journeys)


def _mean_effort(journeys: Sequence[Journey]) -> float:
    return round(fmean(one.outcome.effort for one in journeys), 2)


def _duration(journey: Journey) -> float:
    return (journey.outcome.ended_at - journey.outcome.started_at).total_seconds()


def _worth(mission: Mission | None, journeys: int) -> Money | None:
    if mission is None or mission.value is None:
        return None
    return Money(amount=round(mission.value * journeys, 2), currency=mission.currency or "")
