"""How each mission does: outcomes, objectives, the microjourneys that customers share, segments."""

from collections.abc import Iterable, Sequence
from statistics import fmean, median
from typing import Final

from pipeline.reporting.inference import rank_correlation, rate
from pipeline.reporting.report import Effort, Microjourney, Money, Objective, OfMission, Segment
from pipeline.reporting.results import Journey
from pipeline.stitching.missions import Mission
from pipeline.stitching.rules import Rules

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
    both = [one for one in journeys if one.asked is not None]
    if not both:
        return ()
    missions = sorted({one.outcome.mission for one in both})
    each = [_effort(m, [one for one in both if one.outcome.mission == m], rules) for m in missions]
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
    if mission is None:
        return ()
    promised, found = mission.objectives, []
    if promised.completion_rate_min is not None:
        kept = rate(len(completed), len(journeys))
        met = kept.share >= promised.completion_rate_min
        target = promised.completion_rate_min
        found.append(Objective(what="completion_rate_min", target=target, kept=kept, met=met))
    if promised.duration_max is not None:
        target = promised.duration_max.total_seconds()
        within = sum(_duration(one) <= target for one in completed)
        kept = rate(within, len(completed))
        found.append(Objective(what="duration_max", target=target, kept=kept, met=None))
    if promised.touchpoints_max is not None:
        known = [one for one in completed if one.interactions]
        few = sum(len(one.interactions) <= promised.touchpoints_max for one in known)
        target, kept = float(promised.touchpoints_max), rate(few, len(known))
        found.append(Objective(what="touchpoints_max", target=target, kept=kept, met=None))
    return tuple(found)


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
        segment: str | None = getattr(journey.outcome, "segment", None)
        if segment is not None:
            by_segment.setdefault(segment, []).append(journey)
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


def _effort(mission: str | None, journeys: Sequence[Journey], rules: Rules) -> Effort:
    pairs = [(one.asked, one.outcome.effort) for one in journeys if one.asked is not None]
    correlation = rank_correlation(pairs)
    return Effort(
        mission=mission,
        pairs=len(pairs),
        asked=round(fmean(asked for asked, _ in pairs), 2),
        inferred=round(fmean(inferred for _, inferred in pairs), 2),
        correlation=None if correlation is None else round(correlation, 2),
        divisor=_divisor(journeys, rules) if len(pairs) >= PAIRS_MIN else None,
    )


def _divisor(journeys: Sequence[Journey], rules: Rules) -> float | None:
    """The divisor d for which `7 - load / d` comes closest to what was asked, by least squares.

    The load is read back from the effort that was inferred with the mission's own divisor; where
    that ran into the end of its scale, 1, the load is at least what is read.
    """
    loads = []
    for one in journeys:
        mission = rules.missions.all.get(one.outcome.mission)
        if one.asked is not None and mission is not None:
            load = (EFFORT_MAX - one.outcome.effort) * mission.effort_divisor
            loads.append((load, EFFORT_MAX - one.asked))
    together = sum(load * felt for load, felt in loads)
    return round(sum(load * load for load, _ in loads) / together, 2) if together > 0 else None


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
