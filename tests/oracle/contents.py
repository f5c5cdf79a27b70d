"""The oracle: what is true of a set of touchpoints, by the rules written once more, in batch.

As plainly as they can be written: it takes the whole set at once, keeps no state between calls and
cares for no cost. It shares nothing with `pipeline.stitching` but the values that say what the
business believes (rules, missions, inventory). Where the two differ, one of them is wrong.

What comes out are contents, without ids and revisions, which may depend on arrival.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipeline.stitching.rules import Rules
from schemas.records import Touchpoint
from tests.oracle.customers import Claimed
from tests.oracle.journeys import Story
from tests.oracle.sessions import in_order, sessions_of

Ids = frozenset[str]
Reasons = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Judged:
    """What a verdict says, but for what it belongs to."""

    touchpoint: str
    channel: str
    mission: str | None
    phase: str | None
    step: str | None
    verdict: str | None
    reasons: Reasons
    moment_of_truth: bool
    brand_moment: bool


@dataclass(frozen=True)
class Sat:
    """What a session says."""

    channel: str
    started_at: datetime
    ended_at: datetime
    count: int
    microjourney: tuple[str, ...]
    verdicts: tuple[int, int, int]
    state: str
    machine: bool


@dataclass(frozen=True)
class Went:
    """What a journey's outcome says."""

    mission: str
    outcome: str
    reason: str
    started_at: datetime
    ended_at: datetime
    phases: tuple[str, ...]
    microjourney: tuple[str, ...]
    channels: tuple[str, ...]
    effort: float
    verdicts: tuple[int, int, int]
    moments_of_truth: tuple[str, ...]
    broke_at: str | None
    value: float | None
    count: int
    restarts: int
    objectives: dict[str, bool]
    effort_asked: float | None
    brand_moments: tuple[str, ...]
    segment: str | None


@dataclass(frozen=True)
class Contents:
    """Everything that may not depend on the order of arrival.

    Touchpoints are named by source and id, `Touchpoint.ref`; groups are sets of them.
    """

    customers: frozenset[Ids]
    verdicts: dict[str, Judged]
    sessions: dict[Ids, Sat]
    journeys: dict[Ids, Went]


def contents_of(arrivals: Iterable[Touchpoint], rules: Rules) -> Contents:
    """What must come out once everything has arrived and all time has passed."""
    unique: dict[str, Touchpoint] = {}
    for one in arrivals:
        unique.setdefault(one.ref, one)
    claimed = Claimed(unique.values(), rules.identity)
    people: dict[str, list[Touchpoint]] = defaultdict(list)
    for one in unique.values():
        if "identity_only" not in one.signals:
            people[claimed.customer_of(one)].append(one)
    found = Contents(
        frozenset(frozenset(o.ref for o in ones) for ones in people.values()), {}, {}, {}
    )
    for ones in people.values():
        _tell(found, in_order(ones, rules), claimed, rules)
    return found


def reasons_of(reasons: Iterable[tuple[str, object]]) -> Reasons:
    """Reasons in one order, since theirs is no promise."""
    return tuple(sorted((rule, "" if value is None else str(value)) for rule, value in reasons))


def _tell(found: Contents, ones: list[Touchpoint], claimed: Claimed, rules: Rules) -> None:
    sessions = sessions_of(ones, claimed, rules)
    story = Story(ones, sessions, rules)

    def counted(members: list[Touchpoint]) -> tuple[int, int, int]:
        said = [story.said[member.ref].verdict for member in members]
        return said.count("broken"), said.count("functional"), said.count("excellent")

    def named(members: list[Touchpoint]) -> tuple[str, ...]:
        names = [story.names[member.ref] for member in members]
        return tuple(n for at, n in enumerate(names) if at == 0 or names[at - 1] != n)[:100]

    entries = rules.inventory.entries.values()
    path_of = {m.ref: path for path in story.paths for m in (*path.members, *path.answers)}
    for one in ones:
        path, name = path_of.get(one.ref), story.names[one.ref]
        phases = [] if path is None else [p.name for p in path.mission.phases if name in p.steps]
        found.verdicts[one.ref] = Judged(
            touchpoint=name,
            channel=one.channel,
            mission=None if path is None else path.mission.name,
            phase=phases[0] if phases else None,
            step=name if phases else None,
            verdict=story.said[one.ref].verdict,
            reasons=reasons_of(story.said[one.ref].reasons),
            moment_of_truth=any(e.id == name and e.moment_of_truth for e in entries),
            brand_moment=any(e.id == name and e.brand_moment for e in entries),
        )
    for session in sessions:
        found.sessions[frozenset(m.ref for m in session.members)] = Sat(
            channel=session.channel,
            started_at=session.members[0].occurred_at,
            ended_at=session.members[-1].occurred_at,
            count=len(session.members),
            microjourney=named(session.members),
            verdicts=counted(session.members),
            state="closed",
            machine=session.is_machine(rules.verdicts),
        )
    for path in story.paths:
        names = [story.names[member.ref] for member in path.members]
        told = [*path.members, *path.answers]
        found.journeys[frozenset(m.ref for m in told)] = Went(
            mission=path.mission.name,
            outcome=path.outcome,
            reason=path.reason,
            started_at=path.members[0].occurred_at,
            ended_at=path.members[-1].occurred_at,
            phases=tuple(p.name for p in path.mission.phases if not {*p.steps}.isdisjoint(names)),
            microjourney=named(path.members),
            channels=tuple(dict.fromkeys(member.channel for member in path.members)),
            effort=story.effort(path),
            verdicts=counted(told),
            moments_of_truth=tuple(
                n for n in dict.fromkeys(names) if n in rules.inventory.moments_of_truth
            ),
            broke_at=story.broken_at(path),
            value=path.mission.value,
            count=len(path.members),
            restarts=story.restarts(path),
            objectives=story.objectives(path),
            effort_asked=next(reversed(story.asked(path)), None),
            brand_moments=tuple(
                n for n in dict.fromkeys(names) if n in rules.inventory.brand_moments
            ),
            segment=next(reversed(story.segments(path)), None),
        )
