"""A mission, as a value: what a customer wants, what shows that they got it, and what they cost.

Read from `seeds/missions/*.toml` by `pipeline.catalogue`; the moves of one customer's journey
towards a mission are `journeys`' work.
"""

from datetime import timedelta
from typing import Final

import msgspec


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a mission; its steps are touchpoints of the inventory."""

    name: str
    steps: tuple[str, ...]


class Objectives(msgspec.Struct, frozen=True, kw_only=True):
    """What the company promises itself for a mission; each may be absent."""

    completion_rate_min: float | None = None
    duration_max: timedelta | None = None
    touchpoints_max: int | None = None
    effort_min: float | None = None


class Mission(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer wants to get done.

    Attributes:
        name: How results name it, `upgrade-phone`.
        title: How a customer would say it.
        intents: What emitters call it in `intent`; its own name always counts.
        starts: Touchpoints that begin a journey.
        completes: Touchpoints that complete it.
        frustrates: Touchpoints that show that the customer gave up.
        phases: Its parts, in the order most customers take.
        patience: The silence after which a journey has ended. At least the longest session gap.
        resumes: The silence after which a journey that silence ended still goes on, where the
            customer comes back for it; None: it does not. Longer than the patience.
        looks: Starts that are a mere look: after the mission was completed in the same session,
            they begin nothing.
        preludes: Touchpoints that belong to it where it is begun right after them in the same
            session, though they had begun another mission.
        planned_changes: Changes of channel the mission plans, as (from, to); they cost no effort.
        value: What it is worth, in `currency`; None where nobody said.
        repeat_within: A contact for the same mission so soon after it was completed shows that it
            was not solved, and revises the outcome; None: it revises verdicts only.
        effort_divisor: Load that costs one point of effort: 3 (P), to be refitted where customers
            are asked as well.
    """

    name: str
    title: str = ""
    intents: tuple[str, ...] = ()
    starts: tuple[str, ...]
    completes: tuple[str, ...]
    frustrates: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()
    patience: timedelta
    resumes: timedelta | None = None
    looks: frozenset[str] = frozenset()
    preludes: frozenset[str] = frozenset()
    planned_changes: frozenset[tuple[str, str]] = frozenset()
    objectives: Objectives = Objectives()
    value: float | None = None
    currency: str | None = None
    repeat_within: timedelta | None = None
    effort_divisor: float = 3.0

    @property
    def shortest(self) -> int:
        """The touchpoints of the shortest microjourney that completes: a start and a completion.

        One where a start completes by itself. No path is prescribed, so phases do not lengthen it.
        """
        return 1 if set(self.starts) & set(self.completes) else 2

    @property
    def places(self) -> dict[str, tuple[int, str]]:
        """Each step's place: its number in the mission's order, and its phase."""
        steps = [(step, phase.name) for phase in self.phases for step in phase.steps]
        return {step: (at, phase) for at, (step, phase) in reversed(list(enumerate(steps)))}


class Missions:
    """All missions, compiled for attribution: what a touchpoint or an intent may mean.

    Attributes:
        all: By name.
        by_intent, started_by: The mission an intent names; the missions a touchpoint starts.
        places, expects: By mission: the places of its steps; all that it expects.
        shortest: By mission; see `Mission.shortest`.
        resuming: By mission that resumes, for how long; `recalled` has them by touchpoint.
        looks: What some mission takes for a mere look.
        prefaced: What begins a mission that has preludes.
    """

    def __init__(self, missions: tuple[Mission, ...]) -> None:
        self.all: Final = {mission.name: mission for mission in missions}
        self.by_intent: Final[dict[str, str]] = {}
        self.started_by: Final[dict[str, tuple[str, ...]]] = {}
        self.places: Final = {mission.name: mission.places for mission in missions}
        self.shortest: Final = {mission.name: mission.shortest for mission in missions}
        self.expects: Final = {
            m.name: frozenset((*m.starts, *m.completes, *m.frustrates, *self.places[m.name]))
            for m in missions
        }
        self.resuming: Final = {m.name: m.resumes for m in missions if m.resumes is not None}
        self.recalled: Final = {
            step: tuple(name for name in self.resuming if step in self.expects[name])
            for step in frozenset().union(*(self.expects[name] for name in self.resuming))
        }
        self.looks: Final = frozenset(step for m in missions for step in m.looks)
        for mission in missions:
            for intent in (mission.name, *mission.intents):
                self.by_intent.setdefault(intent, mission.name)
            for touchpoint in mission.starts:
                known = self.started_by.get(touchpoint, ())
                self.started_by[touchpoint] = (*known, mission.name)
        self.prefaced: Final = frozenset(
            step for step, begun in self.started_by.items() if self.all[begun[0]].preludes
        )

    def patience_of(self, mission: str) -> timedelta:
        """The mission's patience; none at all for one that the catalogue no longer has."""
        known = self.all.get(mission)
        return timedelta(0) if known is None else known.patience

    def memory_of(self, mission: str) -> timedelta:
        """How long after its last touchpoint a journey may still be changed by what happens."""
        known = self.all.get(mission)
        if known is None:
            return timedelta(0)
        nothing = timedelta(0)
        return max(known.patience, known.resumes or nothing, known.repeat_within or nothing)
