"""What can be read off a journey as it stands: its steps, its effort, where it broke."""

import json
from dataclasses import dataclass, field
from itertools import pairwise

from pipeline.stitching.missions import Mission
from pipeline.stitching.rules import Rules
from schemas.records import Touchpoint
from tests.oracle.verdicts import Said

WEIGHTS = {"rage_click": 3, "dead_click": 2, "error_click": 2, "quick_back": 1, "transfer": 2}


@dataclass
class Path:
    """A journey: its members in order, answers after its end, and what was decided of it."""

    mission: Mission
    members: list[Touchpoint] = field(default_factory=list)
    answers: list[Touchpoint] = field(default_factory=list)
    outcome: str = "open"
    reason: str = ""


class Measures:
    """Of one customer's journeys."""

    rules: Rules
    names: dict[str, str]
    said: dict[str, Said]

    def place_of(self, path: Path, one: Touchpoint) -> int | None:
        """The number of a touchpoint in the mission's order of steps; None where it is no step."""
        steps = [step for phase in path.mission.phases for step in phase.steps]
        return steps.index(self.names[one.ref]) if self.names[one.ref] in steps else None

    def reached(self, path: Path) -> list[str]:
        """The steps that were reached."""
        return [self.names[m.ref] for m in path.members if self.place_of(path, m) is not None]

    def broken_at(self, path: Path) -> str | None:
        """The touchpoint that cost the mission: the last broken, a moment of truth first."""
        if path.outcome == "completed":
            return None
        told = [*path.members, *path.answers]
        broken = []
        for at, member in enumerate(told):
            asked_about = [m for m in told[: at + 1] if m.channel != "survey"] or [member]
            if self.said[member.ref].verdict == "broken":
                broken.append(self.names[asked_about[-1].ref])
        moments = [name for name in broken if name in self.rules.inventory.moments_of_truth]
        known = [name for name in broken if name != "other"]
        seemed = [self.names[path.members[-1].ref]] if path.reason == "contacted_again" else [None]
        return (moments or known or broken or seemed)[-1]

    def effort(self, path: Path) -> float:
        """7 very easy to 1 very hard."""
        load = 3.0 * self.restarts(path)
        roads = [m.channel for m in path.members if m.channel != "survey"]
        for pair in pairwise(roads):
            if pair[0] != pair[1] and pair not in path.mission.planned_changes:
                load += 2
        signals = [signal for m in path.members for signal in m.signals]
        load += sum(WEIGHTS.get(signal, 0) for signal in signals)
        misses = [signal for signal in signals if signal in ("fallback", "no_match")]
        load += 2 * max(0, len(misses) - 1)
        aims = path.mission.objectives
        direct = set(path.mission.starts) & set(path.mission.completes)
        needed = aims.touchpoints_max or (1 if direct else 2)
        load += max(0, len(path.members) - needed)
        if aims.duration_max is not None:
            took = path.members[-1].occurred_at - path.members[0].occurred_at
            load += sum(took > times * aims.duration_max for times in range(1, 6))
        return round(max(1.0, 7 - load / path.mission.effort_divisor), 2)

    def restarts(self, path: Path) -> int:
        """How often a step was begun again after another one had been begun."""
        steps = self.reached(path)
        return sum(
            step in steps[:at] and steps[at - 1] != step for at, step in enumerate(steps) if at
        )

    def objectives(self, path: Path) -> dict[str, bool]:
        """Which objectives were met: of time and touchpoints only completing can meet them."""
        aims, got = path.mission.objectives, path.outcome == "completed"
        took = path.members[-1].occurred_at - path.members[0].occurred_at
        met: dict[str, bool | None] = {}
        if aims.completion_rate_min is not None:
            met["completion_rate_min"] = got
        if aims.duration_max is not None:
            met["duration_max"] = False if took > aims.duration_max else got or None
        if aims.touchpoints_max is not None:
            many = len(path.members) > aims.touchpoints_max
            met["touchpoints_max"] = False if many else got or None
        if aims.effort_min is not None:
            met["effort_min"] = self.effort(path) >= aims.effort_min
        return {name: told for name, told in met.items() if told is not None}

    def asked(self, path: Path) -> list[float]:
        """The customer's own answers to how easy it was."""
        told = [*path.members, *path.answers]
        ratings = [m.rating for m in told if m.rating is not None]
        return [rating.value for rating in ratings if rating.scale == "ces"]

    def segments(self, path: Path) -> list[str]:
        """What the touchpoints tell of the customer's segment; in tests a plain text."""
        wanted = self.rules.segment_property
        told = [json.loads(bytes(m.properties)).get(wanted) for m in path.members]
        return [one for one in told if one is not None]
