"""Looking back: what came before an intent or a start in the same session, and belongs to it.

One walk through a customer's interactions in sketches of their journeys, before they are folded.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import NamedTuple

from pipeline.stitching import sessions
from pipeline.stitching.attribution import (
    SURVEY,
    Journey,
    choose,
    completes,
    last_active,
    recalled_by,
)
from pipeline.stitching.missions import Missions
from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import OpenSession
from schemas.controls import Interaction


class Sketch(NamedTuple):
    """As much of a journey as attribution needs."""

    serial: int
    mission: str
    place: int
    last: datetime


def shows_late(
    ones: Sequence[Interaction],
    tail: Sequence[Interaction],
    known: Sequence[OpenSession],
    missions_of: Mapping[int, str],
    rules: Rules,
) -> bool:
    """Whether latest interactions may take along what came before them.

    Args:
        ones: Sorted, not yet in the tail, and later than all of it; their touchpoints, and with
            several their sessions, are written anew.
        tail: What is kept, as it was folded.
        known: The customer's sessions; left as they are.
        missions_of: The mission of each journey that has not ended, or may be resumed within these,
            by serial number.
        rules: All of them.

    Quick, and at times true without need. Where none makes a `claim`, it is false.
    """
    claims = [claim(one, rules) for one in ones]
    recognise = rules.inventory.touchpoint_of
    earlier: list[Interaction] = []
    joined = list(map(copy, known)) if len(ones) > 1 else list(known)
    for one, mission in zip(ones, claims, strict=True):
        if mission is not None:
            session = sessions.find(joined, one, rules)
            if session is not None and not session.machine:
                lately = [other for other in earlier if other.session == session.serial]
                if _may_take(one, mission, session, lately, tail, missions_of, rules.missions):
                    return True
        if len(ones) > 1:
            one.touchpoint = recognise(one.channel, one.name, one.location, one.intent)
            sessions.join(joined, one, rules)
            earlier.append(one)
    return False


def claim(one: Interaction, rules: Rules) -> str | None:
    """The mission by which it may take along others: that named, or begun where it has preludes.

    None for nearly all. Asked of each that arrives, before anything that costs more.
    """
    missions = rules.missions
    if one.channel == SURVEY:
        return None
    if one.intent is not None and (named := missions.by_intent.get(one.intent)) is not None:
        return named
    if not missions.prefaced:
        return None
    name = rules.inventory.touchpoint_of(one.channel, one.name, one.location, one.intent)
    return missions.started_by[name][0] if name in missions.prefaced else None


def _may_take(
    one: Interaction,
    mission: str,
    session: OpenSession,
    lately: Sequence[Interaction],
    tail: Sequence[Interaction],
    missions_of: Mapping[int, str],
    missions: Missions,
) -> bool:
    """Whether it may take along what came before it in a session, `lately` and in the tail."""
    preludes = missions.all[mission].preludes
    if preludes:
        if any(before.touchpoint in preludes for before in lately):
            return True
        for before in reversed(tail):
            if before.at < session.started:
                break
            if before.session == session.serial and before.touchpoint in preludes:
                return True
    if one.intent is None or one.intent not in missions.by_intent:
        return False
    if lately:
        return not _shows_its_own(lately[-1], missions)
    for before in reversed(tail):
        if before.session != session.serial:
            if before.at < session.started:
                break
            continue
        if before.journey < 0:
            return True
        its = missions_of.get(before.journey)
        if its is None or _is_firm(before, its, missions):
            return False
        if its != mission:
            return True
    return False


def _shows_its_own(one: Interaction, missions: Missions) -> bool:
    """Whether it has a mission of its own whatever came before; its touchpoint is known."""
    if one.channel == SURVEY:
        return False
    if one.intent is not None and one.intent in missions.by_intent:
        return True
    return one.touchpoint in missions.started_by and one.touchpoint not in missions.looks


def _is_firm(one: Interaction, mission: str, missions: Missions) -> bool:
    if one.touchpoint in missions.expects[mission]:
        return True
    return one.intent is not None and missions.by_intent.get(one.intent) == mission


def taken_along(
    tail: Sequence[Interaction],
    known: Sequence[OpenSession],
    going: Iterable[Journey],
    rules: Rules,
) -> dict[str, str]:
    """By `ref`, the mission of what showed later in the session and takes it along (P).

    Args:
        tail: Sorted; sessions and touchpoints of it are written anew.
        known: The sessions that it goes on from.
        going: The journeys that it goes on from and that have not ended.
        rules: All of them.

    From an intent back through its session, as far as nothing showed a mission of its own: what
    belongs to no mission, or only to the open journey that was active last. And from the beginning
    of a journey back to the preludes of its mission. What is taken along changes what was open in
    between; so the tail is gone through again from there.
    """
    claims = [(at, mission) for at, one in enumerate(tail) if (mission := claim(one, rules))]
    if not claims:
        return {}
    before, session_at = _places_before(tail, list(map(copy, known)), rules)
    missions = rules.missions
    preludes = frozenset().union(*(missions.all[mission].preludes for _, mission in claims))
    if not any(one.touchpoint in preludes for one in tail) and all(
        before[at] < 0 or _shows_its_own(tail[before[at]], missions) for at, _ in claims
    ):
        return {}  # each opens its session, or follows what has a mission
    return _LookBack(tail, known, (before, session_at), going, rules).taken


class _LookBack:
    """One walk through a tail, in sketches."""

    def __init__(
        self,
        tail: Sequence[Interaction],
        known: Sequence[OpenSession],
        places: tuple[list[int], list[int]],
        going: Iterable[Journey],
        rules: Rules,
    ) -> None:
        self.taken: dict[str, str] = {}
        self._tail, self._rules = tail, rules
        self._before, self._session_at = places
        machines = sessions.machines_of(tail, known, rules)
        self._of_machine = [session in machines for session in self._session_at]
        # By place in the tail: what was open before it, or may be resumed; then whose it is, and
        # whether firmly.
        first = [Sketch(0, one.mission, one.place, one.last) for one in going]
        self._open = [
            tuple(one._replace(serial=at - len(first) - 1) for at, one in enumerate(first))
        ]
        self._found: list[tuple[int, bool]] = []
        self._completed: list[str] = []
        self._done_before = {session.serial: session.done for session in known}
        at = 0
        while at < len(tail):
            at = self._step(at)

    def _step(self, at: int) -> int:
        """Go on from a place in the tail; tells where to go on from next."""
        one, missions = self._tail[at], self._rules.missions
        if self._of_machine[at]:
            self._found.append((-1, True))
            self._completed.append("")
            self._open.append(self._open[at])
            return at + 1
        going, silent = self._parted(self._open[at], one.at)
        named = missions.by_intent.get(one.intent) if one.intent is not None else None
        if named is not None and one.channel != SURVEY:
            run = self._run(at, {sketch.serial for sketch in going})
            if run:
                return self._take(run, named)
        named = self.taken.get(one.ref, named)
        done = self._done(at)
        mine, begins, firm = choose(going, one, named, self._about(at), missions, done)
        if silent and (begins is not None or not firm):
            recalled = recalled_by(one, named, missions)
            back = last_active(sketch for sketch in silent if sketch.mission in recalled)
            if back is not None:
                mine, begins, firm = back, None, True
                going = tuple(sorted((*going, back)))
        if begins is not None:
            run = self._prelude(at, begins, {sketch.serial for sketch in going})
            if run:
                return self._take(run, begins)
            mine = Sketch(at, begins, -1, one.at)
            going = (*going, mine)
        self._found.append((-1 if mine is None else mine.serial, firm))
        self._completed.append(self._goal(mine, going, one))
        # What was asked about, and what another journey of its mission follows, is resumed no more.
        silent = tuple(s for s in silent if mine is None or s.mission != mine.mission)
        self._open.append((*self._walked(going, mine, one), *silent))
        return at + 1

    def _take(self, run: list[int], mission: str) -> int:
        """Take these along, and go on from the first of them."""
        self.taken |= {self._tail[place].ref: mission for place in run}
        del self._open[run[-1] + 1 :], self._found[run[-1] :], self._completed[run[-1] :]
        return run[-1]

    def _prelude(self, at: int, mission: str, going: set[int]) -> list[int]:
        """The places before it that are its prelude and all there is of their journeys.

        As far back in its session as nothing else showed a mission of its own.
        """
        preludes = self._rules.missions.all[mission].preludes
        run: list[int] = []
        while preludes and (at := self._before[at]) >= 0:
            serial, firm = self._found[at]
            if self._tail[at].touchpoint in preludes and serial in going:
                run.append(at)
            elif firm or serial != -1:
                break
        theirs = {self._found[place][0] for place in run}
        others = {found[0] for at, found in enumerate(self._found) if at not in run}
        return run if all(serial >= 0 for serial in theirs) and not theirs & others else []

    def _done(self, at: int) -> set[str]:
        """The missions that were completed in the session of a place, before it; if it matters."""
        if self._tail[at].touchpoint not in self._rules.missions.looks:
            return set()
        done = set(self._done_before.get(self._session_at[at], ()))
        while (at := self._before[at]) >= 0:
            done.add(self._completed[at])
        return done

    def _run(self, at: int, going: set[int]) -> list[int]:
        """The places before it in its session that nothing firm interrupts, the last one first."""
        run: list[int] = []
        while (at := self._before[at]) >= 0:
            serial, firm = self._found[at]
            if firm or (serial != -1 and serial not in going):
                break
            run.append(at)
        return run

    def _parted(
        self, held: tuple[Sketch, ...], at: datetime
    ) -> tuple[tuple[Sketch, ...], tuple[Sketch, ...]]:
        """What is still open at a time, and what silence has ended and may be resumed."""
        missions = self._rules.missions
        patience_of = missions.patience_of
        if all(at - sketch.last <= patience_of(sketch.mission) for sketch in held):
            return held, ()
        going = tuple(one for one in held if at - one.last <= patience_of(one.mission))
        silent = {
            one.mission: one
            for one in held
            if one not in going
            and one.mission in missions.resuming
            and at - one.last <= missions.resuming[one.mission]
        }
        return going, tuple(silent.values())

    def _about(self, at: int) -> Sketch | None:
        """What an answer is about: of one that has ended, which lets nothing follow, the number."""
        one = self._tail[at]
        if one.channel != SURVEY or one.hint is None:
            return None
        while (at := self._before[at]) >= 0:
            serial = self._found[at][0]
            if self._tail[at].channel != SURVEY and serial != -1:
                open_ = (sketch for sketch in self._open[-1] if sketch.serial == serial)
                return next(open_, Sketch(serial, "", -1, one.at))
        return None

    def _goal(self, mine: Sketch | None, going: tuple[Sketch, ...], one: Interaction) -> str:
        """The mission that an interaction completes, "" for none."""
        if mine is None or all(sketch.serial != mine.serial for sketch in going):
            return ""
        mission = self._rules.missions.all[mine.mission]
        return mine.mission if completes(one, mission, self._rules.inventory) else ""

    def _walked(
        self, going: tuple[Sketch, ...], mine: Sketch | None, one: Interaction
    ) -> tuple[Sketch, ...]:
        """What is open after an interaction that is `mine`'s."""
        if mine is None or all(sketch.serial != mine.serial for sketch in going):
            return going
        missions = self._rules.missions
        mission = missions.all[mine.mission]
        if self._goal(mine, going, one) or one.touchpoint in mission.frustrates:
            return tuple(sketch for sketch in going if sketch.serial != mine.serial)
        place = missions.places[mine.mission].get(one.touchpoint)
        farthest = mine.place if place is None else max(mine.place, place[0])
        walked = Sketch(mine.serial, mine.mission, farthest, max(mine.last, one.at))
        return tuple(walked if sketch.serial == mine.serial else sketch for sketch in going)


def _places_before(
    tail: Sequence[Interaction], known: list[OpenSession], rules: Rules
) -> tuple[list[int], list[int]]:
    """For each place in the tail, that of the one before it in its session, and its session.

    By number; -1 where there is none before it.
    """
    last: dict[int, int] = {}
    before: list[int] = []
    session_at: list[int] = []
    recognise = rules.inventory.touchpoint_of
    for at, one in enumerate(tail):
        one.touchpoint = recognise(one.channel, one.name, one.location, one.intent)
        session, _ = sessions.join(known, one, rules)
        before.append(last.get(session.serial, -1))
        last[session.serial] = at
        session_at.append(session.serial)
    return before, session_at
