"""Journeys of one customer: which mission each touchpoint serves, and how each journey ends."""

import json
from dataclasses import dataclass, field
from itertools import pairwise

from pipeline.stitching.missions import Mission
from pipeline.stitching.rules import Rules
from schemas.records import Touchpoint
from tests.oracle.sessions import ENDS, Sitting
from tests.oracle.verdicts import Said, answer, judged

SELF_SERVICE = {"web", "app", "chatbot"}
LIVE = {"ivr", "agent"}
SILENT = {"silence", "silence_after_broken", "changed_channel", "answered_badly"}
FAILED = {"http_5xx", "timeout", "crash", "not_responding", "fallback", "no_match", "no_input"}
WEIGHTS = {"rage_click": 3, "dead_click": 2, "error_click": 2, "quick_back": 1, "transfer": 2}


@dataclass
class Path:
    """A journey: its members in order, answers after its end, and what was decided of it."""

    mission: Mission
    members: list[Touchpoint] = field(default_factory=list)
    answers: list[Touchpoint] = field(default_factory=list)
    outcome: str = "open"
    reason: str = ""


class Story:
    """One customer's journeys and verdicts, told from the first touchpoint to the last.

    Attributes:
        names: Touchpoint id to its id in the inventory.
        said: Touchpoint id to its verdict.
        paths: The journeys, in the order in which they began.
    """

    def __init__(
        self, touchpoints: list[Touchpoint], sessions: list[Sitting], rules: Rules
    ) -> None:
        self.rules = rules
        self.missions = rules.missions.all
        self.names = {
            one.id: rules.inventory.touchpoint_of(one.channel, one.name, one.location, one.intent)
            for one in touchpoints
        }
        self._session_of = {one.id: sitting for sitting in sessions for one in sitting.members}
        self._taken: dict[str, Mission] = {}
        while True:  # from the start, whenever an intent takes along what came before it
            self.said: dict[str, Said] = {}
            self._own: dict[str, Said] = {}  # as it was said at once: what came later left out
            self.paths: list[Path] = []
            self._own_mission: set[str] = set()
            if all(self._tell(one) for one in touchpoints):
                break
        for path in self.paths:
            self._fall_silent(path)

    def place_of(self, path: Path, one: Touchpoint) -> int | None:
        """The number of a touchpoint in the mission's order of steps; None where it is no step."""
        steps = [step for phase in path.mission.phases for step in phase.steps]
        return steps.index(self.names[one.id]) if self.names[one.id] in steps else None

    def reached(self, path: Path) -> list[str]:
        """The steps that were reached."""
        return [self.names[m.id] for m in path.members if self.place_of(path, m) is not None]

    def broken_at(self, path: Path) -> str | None:
        """The touchpoint that cost the mission: the last broken, a moment of truth first."""
        if path.outcome == "completed":
            return None
        told = [*path.members, *path.answers]
        broken = []
        for at, member in enumerate(told):
            asked_about = [m for m in told[: at + 1] if m.channel != "survey"] or [member]
            if self.said[member.id].verdict == "broken":
                broken.append(self.names[asked_about[-1].id])
        moments = [name for name in broken if name in self.rules.inventory.moments_of_truth]
        known = [name for name in broken if name != "other"]
        seemed = [self.names[path.members[-1].id]] if path.reason == "contacted_again" else [None]
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

    def _tell(self, one: Touchpoint) -> bool:
        """Take one more; False where it takes along others, so that all has to be told anew."""
        for running in self._open():
            if one.occurred_at - running.members[-1].occurred_at > running.mission.patience:
                self._fall_silent(running)
        if self._takes_along(one):
            return False
        path = self._mission_of(one)
        if path is not None and not path.members and self._has_prelude(path, one):
            return False
        progressed = path is not None and bool(self.reached(path))
        if path is not None:
            (path.members if path.outcome == "open" else path.answers).append(one)
            if path.members == [one]:
                self._come_again(path)
        session = self._session_of[one.id]
        before = session.members[: session.members.index(one)]
        self.said[one.id] = self._own[one.id] = judged(
            one,
            [(other, self._own[other.id]) for other in before],
            place=self._where(one),
            place_of={other.id: self._where(other) for other in before},
            on_path=path is not None and self.names[one.id] in _expected(path.mission),
            progressed=progressed,
            in_journey=path is not None,
            rules=self.rules,
        )
        if path is not None and path.outcome == "open":
            self._blame_leak(path, one)
            self._conclude(path, one)
        elif path is not None and path.outcome == "abandoned" and self._complains(one):
            path.outcome, path.reason = "frustrated", "answered_badly"
        self._excuse_short_call(one, session)
        return True

    def _takes_along(self, one: Touchpoint) -> bool:
        """Back through its session, until something had a mission of its own."""
        mission = self._named(one)
        if mission is None or one.channel == "survey":
            return False
        session = self._session_of[one.id].members
        taken = set()
        for before in reversed(session[: session.index(one)]):
            path = self._path_of(before)
            ended = path is not None and path.outcome != "open"
            if before.id in self._own_mission or ended:
                break
            taken.add(before.id)
        self._taken |= dict.fromkeys(taken, mission)
        return bool(taken)

    def _has_prelude(self, begun: Path, one: Touchpoint) -> bool:
        """Back through its session: looks that are all there is of the journeys they began."""
        session = self._session_of[one.id].members
        looks: list[Touchpoint] = []
        for before in reversed(session[: session.index(one)]):
            path = self._path_of(before)
            wanted = self.names[before.id] in begun.mission.preludes
            if wanted and path is not None and path.outcome == "open":
                looks.append(before)
            elif before.id in self._own_mission or path is not None:
                break
        theirs = [path for path in self.paths if any(m in looks for m in path.members)]
        wholly = all(m in looks for path in theirs for m in path.members)
        if looks and wholly:
            self._taken |= {look.id: begun.mission for look in looks}
        return bool(looks) and wholly

    def _named(self, one: Touchpoint) -> Mission | None:
        """The mission that its intent names."""
        for mission in self.missions.values():
            if one.intent is not None and one.intent in (mission.name, *mission.intents):
                return mission
        return None

    def _path_of(self, one: Touchpoint) -> Path | None:
        return next((p for p in self.paths if one in p.members or one in p.answers), None)

    def _come_again(self, begun: Path) -> None:
        """The one completed before was not solved, where the mission sees it so."""
        former = [p for p in self.paths if p.mission is begun.mission and p is not begun]
        if not former or begun.mission.repeat_within is None:
            return
        since = begun.members[0].occurred_at - former[-1].members[-1].occurred_at
        if former[-1].outcome == "completed" and since <= begun.mission.repeat_within:
            former[-1].outcome, former[-1].reason = "frustrated", "contacted_again"

    def _complains(self, one: Touchpoint) -> bool:
        """Whether it is judged, and is an answer that is bad by itself."""
        return self.said[one.id].verdict == "broken" and answer(one, self.rules) == "broken"

    def _where(self, one: Touchpoint) -> str:
        return one.location or self.names[one.id]

    def _open(self) -> list[Path]:
        return [path for path in self.paths if path.outcome == "open"]

    def _mission_of(self, one: Touchpoint) -> Path | None:
        """Intent; what an answer is about; who expects it, as a next step before all, then the
        last active; start; last. An answer begins nothing."""
        self._own_mission.add(one.id)
        name, answer = self.names[one.id], one.channel == "survey"
        mission = self._taken.get(one.id) or self._named(one)
        if mission is not None:
            running = [path for path in self._open() if path.mission is mission]
            if running:
                return running[0]
            if not answer:
                return self._come_back(one, [mission]) or self._begin(mission)
        if answer and one.session_hint is not None:
            session = self._session_of[one.id].members
            asked = [m for m in session[: session.index(one)] if m.channel != "survey"]
            about = [path for m in asked if (path := self._path_of(m)) is not None]
            if about:
                return about[-1]
        expecting = [path for path in self._open() if name in _expected(path.mission)]
        if expecting:
            return max(
                enumerate(expecting),
                key=lambda at: (self._is_next(at[1], one), at[1].members[-1].occurred_at, at[0]),
            )[1]
        wanted = [] if answer else [m for m in self.missions.values() if name in _expected(m)]
        if (resumed := self._come_back(one, wanted)) is not None:
            return resumed
        for mission in self.missions.values():
            if name in mission.starts and not answer:
                if name in mission.looks and self._completed_before(one, mission):
                    self._own_mission.remove(one.id)
                    return None
                return self._begin(mission)
        self._own_mission.remove(one.id)
        latest = sorted(self._open(), key=lambda path: path.members[-1].occurred_at)
        return latest[-1] if latest else None

    def _is_next(self, path: Path, one: Touchpoint) -> bool:
        places = [self.place_of(path, member) for member in path.members]
        farthest = max((place for place in places if place is not None), default=-1)
        return self.place_of(path, one) == farthest + 1

    def _completed_before(self, one: Touchpoint, mission: Mission) -> bool:
        """Whether the mission was completed earlier in its session."""
        session = self._session_of[one.id].members
        goals = [path.members[-1] for path in self.paths if path.mission is mission]
        return any(
            self.names[goal.id] in mission.completes and not FAILED & set(goal.signals)
            for goal in goals
            if goal in session[: session.index(one)]
        )

    def _come_back(self, one: Touchpoint, wanted: list[Mission]) -> Path | None:
        """Of the last journey of each mission, those that silence ended within its `resumes`."""
        lasts = {p.mission.name: at for at, p in enumerate(self.paths) if p.mission in wanted}
        silent = [
            (path.members[-1].occurred_at, at, path)
            for at, path in ((at, self.paths[at]) for at in lasts.values())
            if path.mission.resumes is not None
            and path.reason in SILENT
            and not path.answers
            and one.occurred_at - path.members[-1].occurred_at <= path.mission.resumes
        ]
        if not silent:
            return None
        resumed = max(silent, key=lambda found: found[:2])[2]
        resumed.outcome, resumed.reason = "open", ""
        return resumed

    def _begin(self, mission: Mission) -> Path:
        path = Path(mission)
        self.paths.append(path)
        return path

    def _blame_leak(self, path: Path, one: Touchpoint) -> None:
        if one.channel not in LIVE or len(path.members) < 2:
            return
        before = path.members[-2]
        said = self.said[before.id]
        if before.channel not in SELF_SERVICE or "handoff" in before.signals:
            return
        if (before.channel, one.channel) in path.mission.planned_changes or said.verdict is None:
            return
        trouble = said.verdict == "broken" or (said.verdict == "functional" and said.reasons)
        limits = self.rules.verdicts
        since = one.occurred_at - before.occurred_at
        if since <= (limits.leak_normal if trouble else limits.leak_strong):
            reasons = [*said.reasons, ("leaked_to_call", since.total_seconds())]
            self.said[before.id] = Said("broken", reasons)

    def _conclude(self, path: Path, one: Touchpoint) -> None:
        if self.names[one.id] in path.mission.completes and not FAILED & set(one.signals):
            path.outcome, path.reason = "completed", "completing_touchpoint"
        elif self.names[one.id] in path.mission.frustrates:
            path.outcome, path.reason = "frustrated", "gave_up"
            self._blame_unreached(path)

    def _fall_silent(self, path: Path) -> None:
        if path.outcome != "open":
            return
        self._blame_unreached(path)
        broken = [m for m in path.members if self.said[m.id].verdict == "broken"]
        if not broken:
            path.outcome, path.reason = "abandoned", "silence"
            return
        path.outcome, path.reason = "frustrated", "silence_after_broken"
        last = [m.channel for m in path.members if m.channel != "survey"][-1:]
        broke_on = [m.channel for m in broken if m.channel != "survey"][-1:]
        planned = [([before], [after]) for before, after in path.mission.planned_changes]
        if any(self._complains(member) for member in broken):
            path.reason = "answered_badly"
        elif broke_on and broke_on != last and (broke_on, last) not in planned:
            path.reason = "changed_channel"

    def _blame_unreached(self, path: Path) -> None:
        """A sign of trouble, and then no new step until the end."""
        last_progress = 0
        for at, member in enumerate(path.members):
            new = self.names[member.id] not in [self.names[m.id] for m in path.members[:at]]
            if new and self.place_of(path, member) is not None:
                last_progress = at
        for member in path.members[last_progress:]:
            said = self.said[member.id]
            if said.verdict == "functional" and said.reasons:
                reasons = [*said.reasons, ("step_not_reached", None)]
                self.said[member.id] = Said("broken", reasons)

    def _excuse_short_call(self, one: Touchpoint, session: Sitting) -> None:
        """A call that was hung up at once is kept and not judged."""
        if session.channel != "ivr" or ENDS.isdisjoint(one.signals):
            return
        members = session.members[: session.members.index(one) + 1]
        length = one.occurred_at - members[0].occurred_at
        if len(members) > 1 and length < self.rules.verdicts.call_length_min:
            for member in members:
                self.said[member.id] = Said(None, [])


def _expected(mission: Mission) -> set[str]:
    steps = {step for phase in mission.phases for step in phase.steps}
    return {*mission.starts, *mission.completes, *mission.frustrates, *steps}
