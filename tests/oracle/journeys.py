"""Journeys of one customer: which mission each touchpoint serves, and how each journey ends."""

from pipeline.stitching.missions import Mission
from pipeline.stitching.rules import Rules, VerdictRules
from schemas.records import Touchpoint
from tests.oracle.measures import Measures, Path
from tests.oracle.sessions import ENDS, Sitting, order_of
from tests.oracle.verdicts import (
    BLAMES,
    FAILURES,
    SOFT_RULES,
    Said,
    Signs,
    aside,
    band,
    judged,
    weighed,
    worth_telling,
)

SELF_SERVICE = {"web", "app", "chatbot"}
LIVE = {"ivr", "agent"}
SILENT = {"silence", "silence_after_broken", "changed_channel", "answered_badly"}
FAILED = {
    "http_5xx", "timeout", "crash", "not_responding", "fallback", "no_match", "no_input",
    "hangup_by_system", "not_helped",
}  # fmt: skip


class Story(Measures):
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
            one.ref: rules.inventory.touchpoint_of(one.channel, one.name, one.location, one.intent)
            for one in touchpoints
        }
        self._session_of = {one.ref: sitting for sitting in sessions for one in sitting.members}
        self._taken: dict[str, Mission] = {}
        while True:  # from the start, whenever an intent takes along what came before it
            self.said: dict[str, Said] = {}
            self._own: dict[str, Said] = {}  # as it was said at once: what came later left out
            self.paths: list[Path] = []
            self._own_mission: set[str] = set()
            self._blames: list[tuple[Sitting, str, str]] = []  # by whose session, whom, why
            if all(self._tell(one) for one in touchpoints):
                break
        for path in self.paths:
            self._fall_silent(path)

    def _tell(self, one: Touchpoint) -> bool:
        """Take one more; False where it takes along others, so that all has to be told anew."""
        for running in self._open():
            if one.occurred_at - running.members[-1].occurred_at > running.mission.patience:
                self._fall_silent(running)
        if self._session_of[one.ref].is_machine(self.rules.verdicts):
            self.said[one.ref] = self._own[one.ref] = Said(None, [])  # it wants nothing
            return True
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
        session = self._session_of[one.ref]
        before = session.members[: session.members.index(one)]
        steps = [] if path is None else [self.names[m.ref] for m in path.members[:-1]]
        new_step = path is not None and self.place_of(path, one) is not None
        pace = None
        if path is not None and new_step and steps and self.names[one.ref] not in steps:
            since = one.occurred_at - path.members[-2].occurred_at
            pace = (since.total_seconds(), self.effort(path), path.mission.name)
        self.said[one.ref] = self._own[one.ref] = judged(
            one,
            [(other, self._own[other.ref]) for other in before],
            name=self.names[one.ref],
            place=self._where(one),
            place_of={other.ref: self._where(other) for other in before},
            on_path=path is not None and self.names[one.ref] in _expected(path.mission),
            progressed=progressed,
            in_journey=path is not None,
            started=session.members[0].occurred_at,
            pace=pace,
            limits=self._limits(path),
            rules=self.rules,
        )
        own = self.said[one.ref]
        if one.channel == "survey" and own.verdict is not None:
            self._answer_for(one, path, before)
        if path is not None and path.outcome == "open":
            if self.said[one.ref].verdict is not None:
                self._blame(path, one)
            self._conclude(path, one)
        elif path is not None and path.outcome == "abandoned" and self._complains(one, own):
            path.outcome, path.reason = "frustrated", "answered_badly"
        self._excuse_short_call(one, session)
        return True

    def _takes_along(self, one: Touchpoint) -> bool:
        """Back through its session, until something had a mission of its own."""
        mission = self._named(one)
        if mission is None or one.channel == "survey":
            return False
        session = self._session_of[one.ref].members
        taken = set()
        for before in reversed(session[: session.index(one)]):
            path = self._path_of(before)
            ended = path is not None and path.outcome != "open"
            if before.ref in self._own_mission or ended:
                break
            taken.add(before.ref)
        self._taken |= dict.fromkeys(taken, mission)
        return bool(taken)

    def _has_prelude(self, begun: Path, one: Touchpoint) -> bool:
        """Back through its session: looks that are all there is of the journeys they began."""
        session = self._session_of[one.ref].members
        looks: list[Touchpoint] = []
        for before in reversed(session[: session.index(one)]):
            path = self._path_of(before)
            wanted = self.names[before.ref] in begun.mission.preludes
            if wanted and path is not None and path.outcome == "open":
                looks.append(before)
            elif before.ref in self._own_mission or path is not None:
                break
        theirs = [path for path in self.paths if any(m in looks for m in path.members)]
        wholly = all(m in looks for path in theirs for m in path.members)
        if looks and wholly:
            self._taken |= {look.ref: begun.mission for look in looks}
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

    def _complains(self, one: Touchpoint, said: Said) -> bool:
        """Whether it is judged, and an answer that is bad by itself is among the reasons."""
        limits = self._limits(self._path_of(one))
        answers = [sign for sign in said.reasons if sign[0].startswith("answered_")]
        return said.verdict == "broken" and any(band(a, limits) == "broken" for a in answers)

    def _limits(self, path: Path | None) -> VerdictRules:
        if path is None:
            return self.rules.verdicts
        return self.rules.mission_verdicts.get(path.mission.name, self.rules.verdicts)

    def _reweigh(self, one: Touchpoint, reasons: Signs) -> None:
        path = self._path_of(one)
        on_path = path is not None and self.names[one.ref] in _expected(path.mission)
        limits = self._limits(path)
        told = worth_telling(reasons, on_path=on_path, limits=limits)
        self.said[one.ref] = Said(weighed(reasons, on_path=on_path, limits=limits), told)

    def _answer_for(self, one: Touchpoint, path: Path | None, before: list[Touchpoint]) -> None:
        """An answer speaks of the last of its session, or else of its journey."""
        for members in (before, [] if path is None else path.members):  # itself is no interaction
            asked = [m for m in members if m.channel != "survey" and self.said[m.ref].verdict]
            if asked:
                reasons = [*self.said[asked[-1].ref].reasons, *self.said[one.ref].reasons]
                of, name = self._path_of(asked[-1]), self.names[asked[-1].ref]
                if of is not None and name not in _expected(of.mission):
                    reasons = aside(reasons, name, self._limits(of))
                self._reweigh(asked[-1], reasons)
                self.said[one.ref] = Said(None, [])
                return

    def _where(self, one: Touchpoint) -> str:
        return one.location or self.names[one.ref]

    def _open(self) -> list[Path]:
        return [path for path in self.paths if path.outcome == "open"]

    def _mission_of(self, one: Touchpoint) -> Path | None:
        """Intent; what an answer is about; who expects it, as a next step before all, then the
        last active; start; last. An answer begins nothing."""
        self._own_mission.add(one.ref)
        name, answer = self.names[one.ref], one.channel == "survey"
        if answer and "relationship" in one.signals:
            return None
        mission = self._taken.get(one.ref) or self._named(one)
        if mission is not None:
            running = [path for path in self._open() if path.mission is mission]
            if running:
                return running[0]
            if not answer:
                return self._come_back(one, [mission]) or self._begin(mission)
        if answer and one.session_hint is not None:
            session = self._session_of[one.ref].members
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
                    self._own_mission.remove(one.ref)
                    return None
                return self._begin(mission)
        self._own_mission.remove(one.ref)
        latest = sorted(self._open(), key=lambda path: path.members[-1].occurred_at)
        return latest[-1] if latest else None

    def _is_next(self, path: Path, one: Touchpoint) -> bool:
        places = [self.place_of(path, member) for member in path.members]
        farthest = max((place for place in places if place is not None), default=-1)
        return self.place_of(path, one) == farthest + 1

    def _completed_before(self, one: Touchpoint, mission: Mission) -> bool:
        """Whether the mission was completed earlier in its session."""
        session = self._session_of[one.ref].members
        goals = [path.members[-1] for path in self.paths if path.mission is mission]
        return any(
            self._completes(goal, mission)
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

    def _contact_of(self, one: Touchpoint) -> tuple[int, bool]:
        return id(self._session_of[one.ref]), one.channel in LIVE

    def _blame(self, path: Path, one: Touchpoint) -> None:
        """Where a contact begins, the one before it for the same mission may be to blame."""
        same = [(p, m) for p in self.paths if p.mission is path.mission for m in p.members]
        judged_ones = [(p, m) for p, m in same if m is not one and self.said[m.ref].verdict]
        others = [(p, m) for p, m in judged_ones if m.channel != "survey"]
        contacts = {self._contact_of(m) for _, m in judged_ones}
        if one.channel == "survey" or not others or self._contact_of(one) in contacts:
            return
        earlier, before = others[-1]
        agreed = {"handoff", "callback"} & {*before.signals} or "callback" in one.signals
        planned = (before.channel, one.channel) in path.mission.planned_changes
        if earlier.outcome == "completed" or agreed or planned:
            return
        since, why = one.occurred_at - before.occurred_at, self._why(earlier, before, path, one)
        if why is not None:
            self._blames.append((self._session_of[one.ref], before.ref, why))
            self._reweigh(before, [*self.said[before.ref].reasons, (why, since.total_seconds())])

    def _why(self, earlier: Path, before: Touchpoint, path: Path, one: Touchpoint) -> str | None:
        limits, since = self._limits(path), one.occurred_at - before.occurred_at
        sat = self._session_of[before.ref]
        if before.channel in SELF_SERVICE and one.channel in LIVE:
            if before.channel == "chatbot" and sat is self._session_of[one.ref]:
                return None
            return (
                "leaked_to_call" if since <= max(limits.leak_strong, limits.leak_normal) else None
            )
        seen = [self.names[m.ref] for m in earlier.members if m is not one]
        if self.place_of(path, one) is not None and self.names[one.ref] not in seen:
            return None
        if before.channel in LIVE and one.channel in LIVE:
            return "called_again" if limits.call_continues < since <= limits.called_again else None
        until_then = [m for m in sat.members if self._came_before(m, one)]
        over = Sitting(sat.key, sat.rule, sat.honoured, until_then).is_over(one)
        if before.channel == one.channel and since <= limits.came_back and over:
            return "came_back"
        return None

    def _came_before(self, other: Touchpoint, one: Touchpoint) -> bool:
        return order_of(other) < order_of(one)

    def _completes(self, one: Touchpoint, mission: Mission) -> bool:
        """Whether it is where the mission is completed, and nothing says that it failed there."""
        entry = self.rules.inventory.entries.get(self.names[one.ref])
        refused = "http_4xx" in one.signals and entry is not None and entry.expects_success
        return self.names[one.ref] in mission.completes and not (refused or FAILED & {*one.signals})

    def _conclude(self, path: Path, one: Touchpoint) -> None:
        if self._completes(one, path.mission):
            path.outcome, path.reason = "completed", "completing_touchpoint"
        elif self.names[one.ref] in path.mission.frustrates:
            path.outcome, path.reason = "frustrated", "gave_up"
            self._blame_unreached(path)

    def _fall_silent(self, path: Path) -> None:
        if path.outcome != "open":
            return
        self._blame_unreached(path)
        broken = [m for m in path.members if self.said[m.ref].verdict == "broken"]
        if not broken:
            path.outcome, path.reason = "abandoned", "silence"
            return
        path.outcome, path.reason = "frustrated", "silence_after_broken"
        last = [m.channel for m in path.members if m.channel != "survey"][-1:]
        broke_on = [m.channel for m in broken if m.channel != "survey"][-1:]
        planned = [([before], [after]) for before, after in path.mission.planned_changes]
        if any(self._complains(member, self.said[member.ref]) for member in broken):
            path.reason = "answered_badly"
        elif broke_on and broke_on != last and (broke_on, last) not in planned:
            path.reason = "changed_channel"

    def _blame_unreached(self, path: Path) -> None:
        """A sign of trouble, and then no new step until the end."""
        last_progress = 0
        for at, member in enumerate(path.members):
            new = self.names[member.ref] not in [self.names[m.ref] for m in path.members[:at]]
            if new and self.place_of(path, member) is not None:
                last_progress = at
        steps = [step for phase in path.mission.phases for step in phase.steps]
        places = [place for m in path.members if (place := self.place_of(path, m)) is not None]
        following = steps[max(places, default=-1) + 1 :] or path.mission.completes
        for member in path.members[last_progress:]:
            said = self.said[member.ref]
            if said.verdict == "functional" and said.reasons:
                before = self.said[member.ref]
                self._reweigh(member, [*said.reasons, ("step_not_reached", following[0])])
                if self.said[member.ref].verdict != "broken":
                    self.said[member.ref] = before

    def _excuse_short_call(self, one: Touchpoint, session: Sitting) -> None:
        """A call that was hung up at once is kept and not judged."""
        if session.channel != "ivr" or ENDS.isdisjoint(one.signals):
            return
        members = session.members[: session.members.index(one) + 1]
        length = one.occurred_at - members[0].occurred_at
        if len(members) > 1 and length < self.rules.verdicts.call_length_min:
            for member in members:
                self.said[member.ref] = Said(None, [])
            for blame in [blame for blame in self._blames if blame[0] is session]:
                self._blames.remove(blame)
                self._take_back(next(m for p in self.paths for m in p.members if m.ref == blame[1]))

    def _take_back(self, one: Touchpoint) -> None:
        if self.said[one.ref].verdict is None:
            return
        own = [sign for sign in self.said[one.ref].reasons if sign[0] not in BLAMES]
        if not any(rule in SOFT_RULES | FAILURES for rule, _ in own if rule != "step_not_reached"):
            own = [sign for sign in own if sign[0] != "step_not_reached"]
        self._reweigh(one, own)


def _expected(mission: Mission) -> set[str]:
    steps = {step for phase in mission.phases for step in phase.steps}
    return {*mission.starts, *mission.completes, *mission.frustrates, *steps}
