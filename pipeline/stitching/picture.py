"""The fold itself: one customer's interactions, in order, become sessions, journeys, verdicts.

`step` takes one more interaction that is not earlier than any before; `pass_time` lets silence
have its consequences. `fold` is nothing but these two over a sorted set, which is why the short
path and a fold from the start always agree.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from pipeline.stitching import (
    attribution,
    journeys,
    leakage,
    looking,
    outcomes,
    sessions,
    verdicts,
)
from pipeline.stitching.journeys import Move, OpenJourney
from pipeline.stitching.missions import Missions
from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import OpenSession
from pipeline.stitching.verdicts import Pace
from schemas.controls import Interaction
from schemas.records import Judgement, Reason


class Picture(msgspec.Struct, array_like=True, gc=False):
    """What was derived from a customer's interactions so far, serial numbers being indexes.

    Attributes:
        sessions, journeys: In the order in which they were opened.
        open: Serial numbers of the sessions that are not closed.
        walked: Serial numbers of the journeys that have not ended.
    """

    sessions: list[OpenSession] = []
    journeys: list[OpenJourney] = []
    open: list[int] = []
    walked: list[int] = []


Judged = tuple[Judgement | None, tuple[Reason, ...]]
"""A verdict and its reasons."""


class Touched:
    """What a step changed, and whose published records may therefore be out of date.

    Attributes:
        unmasked: Whether a session turned out to be a machine's: all has to be folded again.
        former: By `id()`, the verdict that an interaction had before; None for one that is new.
    """

    __slots__ = ("former", "interactions", "journeys", "sessions", "unmasked")

    def __init__(self) -> None:
        self.sessions: list[OpenSession] = []
        self.journeys: list[OpenJourney] = []
        self.interactions: list[Interaction] = []
        self.former: dict[int, Judged | None] = {}
        self.unmasked = False


def fold(
    tail: Sequence[Interaction],
    until: datetime | None,
    rules: Rules,
    picture: Picture,
    taken: Mapping[str, str] | None = None,
) -> Picture:
    """Fold a sorted set of interactions on top of a picture, then let time pass to `until`.

    The interactions' derived fields are written anew. `taken` is what later intents take along;
    it is looked for where it is not given.
    """
    machines = sessions.machines_of(tail, picture.sessions, rules)
    if taken is None:
        taken = looked_back(tail, picture, rules)
    touched = Touched()
    seen: list[Interaction] = []
    for one in tail:
        forget(one)
        seen.append(one)
        step(picture, seen, one, rules, touched, taken.get(one.ref) if taken else None, machines)
    if until is not None:
        pass_time(picture, tail, until, rules, touched)
    return picture


def looked_back(tail: Sequence[Interaction], picture: Picture, rules: Rules) -> dict[str, str]:
    """What later intents take along of a tail that goes on from a picture; see `attribution`."""
    going = [picture.journeys[serial] for serial in picture.walked]
    return looking.taken_along(tail, picture.sessions, going, rules)


def forget(one: Interaction) -> None:
    """Take back what an earlier fold, perhaps another customer's, derived for it."""
    one.session = one.journey = -1
    one.verdict, one.reasons, one.progress = None, (), False


def step(
    picture: Picture,
    tail: Sequence[Interaction],
    one: Interaction,
    rules: Rules,
    touched: Touched,
    named: str | None = None,
    machines: frozenset[int] = frozenset(),
) -> None:
    """Take one more interaction; `tail` ends with it, and it is the latest.

    `named` is the mission of a later intent that takes it along. `machines` are the sessions known
    to be, or to become, a machine's: it wants nothing, so what it touches serves no mission.
    """
    pass_time(picture, tail, one.at, rules, touched)
    session, fresh = sessions.join(picture.sessions, one, rules)
    if fresh:
        _begin(session, picture, touched)
    one.touchpoint = rules.inventory.touchpoint_of(one.channel, one.name, one.location, one.intent)
    missions = rules.missions
    if named is None and one.intent is not None:
        named = missions.by_intent.get(one.intent)
    about = _asked_about(one, tail, picture) if one.channel == attribution.SURVEY else None
    if machines and session.serial in machines:
        session.machine = True
    going, journey = len(picture.walked), None
    if not session.machine:
        journey = journeys.attribute(
            picture.journeys, picture.walked, one, named, about, missions, session.done
        )
        if journey and journey.count and len(picture.walked) > going:
            _resume(journey, tail, touched)
    progressed = journey is not None and journey.place >= 0
    pace = None if journey is None else _go_on(journey, one, picture, rules, touched)
    on_path = journey is not None and one.touchpoint in missions.expects[journey.mission]
    if session.count > rules.verdicts.machine_touchpoints:
        _unmask(session, tail, rules, touched)
    limits = rules.verdicts if journey is None else rules.verdicts_of(journey.mission)
    one.verdict, one.reasons = verdicts.judge(
        one,
        session,
        on_path=on_path,
        progressed=progressed,
        pace=pace,
        rules=rules,
        limits=limits,
    )
    touched.interactions.append(one)
    touched.former[id(one)] = None
    said: Judged = (one.verdict, one.reasons)
    if one.channel == "survey" and one.verdict is not None:
        _answer_for(one, picture, tail, rules, touched)
    if journey is not None and journey.ended:
        _said_afterwards(journey, one, said, rules, touched)
    elif journey is not None:
        if one.verdict is not None and leakage.begins(one, tail):
            blamed = leakage.blame(one, tail, picture.sessions, picture.journeys, rules)
            if blamed is not None:
                session.blamed = (*session.blamed, blamed[0].ref)
                _add(blamed, picture, rules, touched)
        if journeys.conclude(journey, one, rules):
            _end(journey, session, picture, tail, rules, touched)
    if session.ended:
        session.closed = True
        picture.open.remove(session.serial)
        if sessions.is_short_call(session, rules):
            _unjudge(session, picture, tail, rules, touched)
        fresh = True
    if fresh:
        touched.sessions.append(session)


def _end(
    journey: OpenJourney,
    session: OpenSession,
    picture: Picture,
    tail: Sequence[Interaction],
    rules: Rules,
    touched: Touched,
) -> None:
    """An interaction has completed it, or shows that the customer gave up."""
    if journey.stand is journeys.FRUSTRATED:
        for unreached in journeys.blame_unreached(journey, tail, rules):
            _add(unreached, picture, rules, touched)
    elif journey.mission not in session.done:
        session.done = (*session.done, journey.mission)
    picture.walked.remove(journey.serial)
    touched.journeys.append(journey)


def _resume(journey: OpenJourney, tail: Sequence[Interaction], touched: Touched) -> None:
    """It was said to have ended, and goes on, marred where something of it is broken by now."""
    carried = journey.carried is not None and journey.carried.counts.broken
    if carried or any(one.journey == journey.serial and one.verdict == "broken" for one in tail):
        journeys.move(journey, Move.BREAK)
    touched.journeys.append(journey)


def _go_on(
    journey: OpenJourney, one: Interaction, picture: Picture, rules: Rules, touched: Touched
) -> Pace | None:
    """Let the journey grow by the interaction; gives how a new step was reached, if one asks."""
    first, last = not journey.count, journey.last
    if journey.ended:
        journeys.hear(journey, one)
        return None
    journeys.walk(journey, one, rules.missions)
    if journey.count == 1:
        _come_again(picture, journey, rules.missions, touched)
    mission, after = journey.mission, one.at - last
    if first or not one.progress or not rules.norms.ask(one.touchpoint, mission, after):
        return None
    return Pace(after.total_seconds(), outcomes.effort_of(journey, rules.missions), mission)


def pass_time(
    picture: Picture,
    tail: Sequence[Interaction],
    until: datetime,
    rules: Rules,
    touched: Touched,
) -> None:
    """Close what was silent for too long by then: sessions by gap, journeys by patience."""
    for serial in tuple(picture.open):
        session = picture.sessions[serial]
        if until - session.last > session.gap:
            session.closed = True
            picture.open.remove(serial)
            touched.sessions.append(session)
    for serial in tuple(picture.walked):
        journey = picture.journeys[serial]
        if until - journey.last > rules.missions.all[journey.mission].patience:
            for blamed in journeys.blame_unreached(journey, tail, rules):
                _add(blamed, picture, rules, touched)
            journeys.move(journey, journeys.way_out(journey, tail, rules))
            picture.walked.remove(serial)
            touched.journeys.append(journey)


def _begin(session: OpenSession, picture: Picture, touched: Touched) -> None:
    if len(picture.open) >= sessions.SESSIONS_MAX:
        silent = sessions.one_too_many([picture.sessions[serial] for serial in picture.open])
        silent.closed = True
        picture.open.remove(silent.serial)
        touched.sessions.append(silent)
    picture.open.append(session.serial)


def _unmask(
    session: OpenSession, tail: Sequence[Interaction], rules: Rules, touched: Touched
) -> None:
    """Tell a machine by its pace, where it was not known as one."""
    if not session.machine and sessions.is_machine(session, tail, rules):
        session.machine = touched.unmasked = True


def _asked_about(
    one: Interaction, tail: Sequence[Interaction], picture: Picture
) -> OpenJourney | None:
    """The journey that an answer is about: that of what came before it in the session it names."""
    if one.hint is None:
        return None
    for before in reversed(tail):
        if before.session != one.session or before.channel == attribution.SURVEY:
            continue
        if before.journey >= 0:
            return picture.journeys[before.journey]
    return None


def _said_afterwards(
    journey: OpenJourney, one: Interaction, said: Judged, rules: Rules, touched: Touched
) -> None:
    """An answer about a journey that has ended: who left and says it was bad, was frustrated.

    `said` is what was judged of the answer by itself, before it went to what it asks about.
    """
    limits = rules.verdicts_of(journey.mission)
    bad = said[0] == "broken" and journeys.answered_badly(said[1], limits)
    if bad and Move.ANSWER in journeys.MOVES[journey.stand]:
        journeys.move(journey, Move.ANSWER)
    if said[0] is not None or one.rating is not None:
        touched.journeys.append(journey)


def _come_again(
    picture: Picture, journey: OpenJourney, missions: Missions, touched: Touched
) -> None:
    """A journey was begun: the one before it was not solved, where their mission sees it so."""
    unsolved = journeys.come_again(picture.journeys, journey, missions)
    if unsolved is not None:
        journeys.move(unsolved, Move.RETURN)
        touched.journeys.append(unsolved)


def _answer_for(
    answer: Interaction,
    picture: Picture,
    tail: Sequence[Interaction],
    rules: Rules,
    touched: Touched,
) -> None:
    """What a survey says is said of the interaction it asks about, where there is one.

    That is the last of its session, or else of its journey, that was judged (P).
    """
    for of in ("session", "journey"):
        serial = getattr(answer, of)
        if serial < 0:
            continue
        for one in reversed(tail):
            if getattr(one, of) == serial and one.channel != "survey" and one.verdict is not None:
                reasons = (*one.reasons, *answer.reasons)
                mission = picture.journeys[one.journey].mission if one.journey >= 0 else None
                if mission is not None and one.touchpoint not in rules.missions.expects[mission]:
                    reasons = verdicts.aside(reasons, one.touchpoint, rules.verdicts_of(mission))
                answer.verdict, answer.reasons = None, ()
                marred = one.verdict == "broken"
                _settle(one, reasons, picture, rules, touched)
                if marred and one.verdict != "broken":
                    _pardon({one.journey}, picture, tail)
                return


def _add(
    blamed: tuple[Interaction, Reason], picture: Picture, rules: Rules, touched: Touched
) -> None:
    one, reason = blamed
    _settle(one, (*one.reasons, reason), picture, rules, touched)


def _settle(
    one: Interaction,
    reasons: tuple[Reason, ...],
    picture: Picture,
    rules: Rules,
    touched: Touched,
) -> None:
    """Its reasons have changed: say what they weigh, and mar a journey that has not ended."""
    journey = picture.journeys[one.journey] if one.journey >= 0 else None
    mission = None if journey is None else journey.mission
    verdict, reasons = verdicts.settle(
        reasons,
        on_path=mission is not None and one.touchpoint in rules.missions.expects[mission],
        limits=rules.verdicts_of(mission),
    )
    _revise(one, verdict, reasons, picture, touched)
    if verdict == "broken" and journey is not None and not journey.ended:
        journeys.move(journey, Move.BREAK)


def _revise(
    one: Interaction,
    verdict: Judgement | None,
    reasons: tuple[Reason, ...],
    picture: Picture,
    touched: Touched,
) -> None:
    """Its verdict changes, and with it the counts of what was closed or ended already."""
    touched.former.setdefault(id(one), (one.verdict, one.reasons))
    one.verdict, one.reasons = verdict, reasons
    touched.interactions.append(one)
    if picture.sessions[one.session].closed:
        touched.sessions.append(picture.sessions[one.session])
    if one.journey >= 0 and picture.journeys[one.journey].ended:
        touched.journeys.append(picture.journeys[one.journey])


def _unjudge(
    session: OpenSession,
    picture: Picture,
    tail: Sequence[Interaction],
    rules: Rules,
    touched: Touched,
) -> None:
    """Take back the verdicts of a session that was no customer's, and whom it blamed."""
    changed = [one for one in tail if one.session == session.serial and one.verdict is not None]
    for one in changed:
        _revise(one, None, (), picture, touched)
    if session.blamed:
        names = {*session.blamed}  # in states of before sources were told, ids alone
        blamed = [one for one in tail if one.verdict and not names.isdisjoint((one.ref, one.id))]
        for one in blamed:
            _settle(one, verdicts.without_blame(one.reasons), picture, rules, touched)
        changed += blamed
        session.blamed = ()
    _pardon({one.journey for one in changed}, picture, tail)


def _pardon(serials: set[int], picture: Picture, tail: Sequence[Interaction]) -> None:
    """Of journeys where something was broken and no longer is, those where nothing else is."""
    broken = {one.journey for one in tail if one.verdict == "broken"}
    for serial in serials - broken - {-1}:
        if not picture.journeys[serial].ended:
            journeys.move(picture.journeys[serial], Move.PARDON)
