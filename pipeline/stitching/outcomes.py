"""Results as records: a Session, a Verdict, a JourneyOutcome from what the fold knows.

Also what only a whole path can tell: effort, moments of truth, and where the mission broke.
Revisions are given by `revisions`; here every record is built with the revision it is told.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final

from pipeline.stitching import ids
from pipeline.stitching.inventory import OTHER
from pipeline.stitching.journeys import CONTACTED_AGAIN, OpenJourney, Stand
from pipeline.stitching.missions import Mission, Missions
from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import Carried, OpenSession
from schemas.controls import Interaction
from schemas.records import (
    MICROJOURNEY_LENGTH_MAX,
    Counts,
    JourneyOutcome,
    Outcome,
    Session,
    Verdict,
)

_at: Final = attrgetter("at")

RESTART_LOAD: Final = 3
"""What a step begun again after it was left costs (P)."""

TIME_MULTIPLES_MAX: Final = 5
"""Multiples of the objective's time that count at most (P)."""


def verdict_record(
    one: Interaction,
    revision: int,
    customer: str,
    session: OpenSession,
    journey: OpenJourney | None,
    rules: Rules,
) -> Verdict:
    """The verdict on one interaction, with everything it belongs to."""
    journey_id = mission = phase = step = None
    if journey is not None:
        mission = journey.mission
        journey_id = journey.id
        place = rules.missions.places[mission].get(one.touchpoint)
        if place is not None:
            phase, step = place[1], one.touchpoint
    return Verdict(
        id=one.id,
        revision=revision,
        touchpoint=one.touchpoint,
        channel=one.channel,
        customer=customer,
        session_id=session.id,
        journey_id=journey_id,
        mission=mission,
        phase=phase,
        step=step,
        verdict=one.verdict,
        reasons=one.reasons,
        occurred_at=one.at,
        moment_of_truth=one.touchpoint in rules.inventory.moments_of_truth,
        brand_moment=one.touchpoint in rules.inventory.brand_moments,
        source=one.source,
    )


def session_record(
    session: OpenSession, revision: int, customer: str, tail: Sequence[Interaction]
) -> Session:
    """The session as it stands, open or closed."""
    serial = session.serial
    members = [one for one in since(tail, session.started) if one.session == serial]
    path, counts = path_of(members, session.carried)
    return Session(
        session_id=session.id,
        revision=revision,
        state="closed" if session.closed else "open",
        customer=customer,
        channel=session.channel,
        started_at=session.started,
        ended_at=session.last,
        count=session.count,
        microjourney=path,
        verdicts=counts,
        absorbed_by=None,
        machine=session.machine,
    )


def absorbed_session(opener: Interaction, revision: int, customer: str, by: OpenSession) -> Session:
    """The last word on a session that turned out to be part of another."""
    return Session(
        session_id=ids.session_of(opener),
        revision=revision,
        state="absorbed",
        customer=customer,
        channel=opener.channel,
        started_at=opener.at,
        ended_at=opener.at,
        count=0,
        microjourney=(),
        verdicts=Counts(),
        absorbed_by=by.id,
    )


def outcome_record(
    journey: OpenJourney, revision: int, customer: str, tail: Sequence[Interaction], rules: Rules
) -> JourneyOutcome:
    """The journey's outcome; `open` while it has none."""
    mission = rules.missions.all[journey.mission]
    serial = journey.serial
    members = [one for one in since(tail, journey.started) if one.journey == serial]
    path, counts = path_of(members, journey.carried)
    way = members
    if journey.answers:
        answers = {*journey.answers}  # in states of before sources were told, by their ids alone
        way = [one for one in members if one.ref not in answers and one.id not in answers]
        path = path_of(way, journey.carried)[0]
    outcome: Outcome = "open"
    if journey.ended:
        outcome = journey.stand.value  # type: ignore[assignment]
    passed = dict.fromkeys([one.touchpoint for one in way])
    effort = effort_of(journey, rules.missions)
    return JourneyOutcome(
        journey_id=journey.id,
        revision=revision,
        mission=journey.mission,
        customer=customer,
        outcome=outcome,
        reason=journey.reason,
        started_at=journey.started,
        ended_at=journey.last,
        phases=phases_of(journey, rules),
        microjourney=path,
        channels=tuple(journey.channels),  # type: ignore[arg-type]
        effort=effort,
        verdicts=counts,
        moments_of_truth=_among(passed, rules.inventory.moments_of_truth),
        broke_at=_culprit(journey, members, way, rules),
        value=mission.value,
        currency=mission.currency,
        absorbed_by=None,
        count=journey.count,
        restarts=journey.restarts,
        objectives=objectives_met(journey, mission, effort),
        effort_asked=journey.asked,
        brand_moments=_among(passed, rules.inventory.brand_moments),
        segment=journey.segment,
    )


def absorbed_journey(
    mission: str, opener: Interaction, revision: int, customer: str, by: OpenJourney | None
) -> JourneyOutcome:
    """The last word on a journey that turned out to be part of another, or of none."""
    return JourneyOutcome(
        journey_id=ids.journey_of(mission, opener),
        revision=revision,
        mission=mission,
        customer=customer,
        outcome="absorbed",
        reason="folded_again",
        started_at=opener.at,
        ended_at=opener.at,
        phases=(),
        microjourney=(),
        channels=(),
        effort=7.0,
        verdicts=Counts(),
        absorbed_by=None if by is None else by.id,
    )


def since(tail: Sequence[Interaction], start: datetime) -> Sequence[Interaction]:
    """The sorted interactions from a time on: what began then looks no further back."""
    if not tail or tail[0].at >= start:
        return tail
    return tail[bisect_left(tail, start, key=_at) :]


def phases_of(journey: OpenJourney, rules: Rules) -> tuple[str, ...]:
    """The phases reached, in the mission's order."""
    places = rules.missions.places[journey.mission]
    reached = sorted([places[step] for step in journey.reached if step in places])
    return tuple(dict.fromkeys([phase for _, phase in reached]))


def _among(passed: Iterable[str], moments: frozenset[str]) -> tuple[str, ...]:
    if moments.isdisjoint(passed):
        return ()
    return tuple([name for name in passed if name in moments])


def effort_of(journey: OpenJourney, missions: Missions) -> float:
    """Effort on the CES scale, 7 very easy to 1 very hard: `max(1, 7 - load / 3)` (P).

    To the load of the path come 3 for each step begun again, 1 for each touchpoint above the
    mission's objective, or else above its shortest microjourney that completes, and 1 for each
    full multiple of the objective's time exceeded, at most 5. A mission may set another divisor.
    """
    mission = missions.all[journey.mission]
    objectives = mission.objectives
    load = journey.load + RESTART_LOAD * journey.restarts
    enough = objectives.touchpoints_max or missions.shortest[journey.mission]
    if journey.count > enough:
        load += journey.count - enough
    longest = objectives.duration_max
    if longest is not None and journey.last - journey.started > longest:
        exceeded = -((journey.started - journey.last) // longest) - 1
        load += min(TIME_MULTIPLES_MAX, exceeded)
    return round(max(1.0, 7.0 - load / mission.effort_divisor), 2)


def objectives_met(journey: OpenJourney, mission: Mission, effort: float) -> dict[str, bool]:
    """Which of its mission's objectives an ended journey met, by their key in the catalogue (P).

    A time or a number of touchpoints is missed once it is exceeded; it is met by completing within
    it. Who gave up early did not get there fast: of them it says nothing.
    """
    if not journey.ended:
        return {}
    objectives, met = mission.objectives, {}
    completed = journey.stand is Stand.COMPLETED
    if objectives.completion_rate_min is not None:
        met["completion_rate_min"] = completed
    if objectives.duration_max is not None:
        within = journey.last - journey.started <= objectives.duration_max
        if completed or not within:
            met["duration_max"] = within
    if objectives.touchpoints_max is not None:
        within = journey.count <= objectives.touchpoints_max
        if completed or not within:
            met["touchpoints_max"] = within
    if objectives.effort_min is not None:
        met["effort_min"] = effort >= objectives.effort_min
    return met


def _culprit(
    journey: OpenJourney, members: Sequence[Interaction], way: Sequence[Interaction], rules: Rules
) -> str | None:
    """Where a journey broke; where nothing did, the touchpoint that only seemed to complete it."""
    if journey.stand is Stand.COMPLETED:
        return None
    seemed = way[-1].touchpoint if way and journey.reason == CONTACTED_AGAIN else None
    return broke_at(members, rules) or seemed


def broke_at(members: Iterable[Interaction], rules: Rules) -> str | None:
    """The touchpoint that cost the mission: the last broken one, a moment of truth before others.

    A bad answer to a survey names what came before it: that is what was bad. A touchpoint the
    inventory does not know is named only where no other broke.
    """
    broken: list[str] = []
    asked_about: str | None = None
    for one in members:
        if one.channel != "survey":
            asked_about = one.touchpoint
        if one.verdict == "broken":
            broken.append(asked_about or one.touchpoint)
    moments = [name for name in broken if name in rules.inventory.moments_of_truth]
    known = [name for name in broken if name != OTHER]
    named = moments or known or broken
    return named[-1] if named else None


def path_of(
    members: Iterable[Interaction], carried: Carried | None = None
) -> tuple[tuple[str, ...], Counts]:
    """The path as touchpoints of the inventory, neighbours that repeat once; and the verdicts."""
    path: list[str] = []
    broken = functional = excellent = 0
    if carried is not None:
        path, before = list(carried.path), carried.counts
        broken, functional, excellent = before.broken, before.functional, before.excellent
    last = path[-1] if path else None
    for one in members:
        if one.touchpoint != last:
            last = one.touchpoint
            path.append(last)
        verdict = one.verdict
        if verdict == "functional":
            functional += 1
        elif verdict == "broken":
            broken += 1
        elif verdict == "excellent":
            excellent += 1
    counts = Counts(broken=broken, functional=functional, excellent=excellent)
    return tuple(path[:MICROJOURNEY_LENGTH_MAX]), counts


def carried_by(
    before: Carried | None, gone: Iterable[Interaction], of: str, serial: int
) -> Carried:
    """What interactions that are let go of leave to the session or journey that goes on."""
    members = [one for one in gone if getattr(one, of) == serial]
    return Carried(*path_of(members, before))
