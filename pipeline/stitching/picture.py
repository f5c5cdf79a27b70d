"""The fold itself: one customer's interactions, in order, become sessions, journeys, verdicts.

`step` takes one more interaction that is not earlier than any before; `pass_time` lets silence
have its consequences. `fold` is nothing but these two over a sorted set, which is why the short
path and a fold from the start always agree.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from pipeline.stitching import journeys, sessions, verdicts
from pipeline.stitching.journeys import Move, OpenJourney
from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import OpenSession
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
        former: By id, the verdict that an interaction had before; None for one that is new.
    """

    __slots__ = ("former", "interactions", "journeys", "sessions")

    def __init__(self) -> None:
        self.sessions: list[OpenSession] = []
        self.journeys: list[OpenJourney] = []
        self.interactions: list[Interaction] = []
        self.former: dict[str, Judged | None] = {}


def fold(
    tail: Sequence[Interaction], until: datetime | None, rules: Rules, picture: Picture
) -> Picture:
    """Fold a sorted set of interactions on top of a picture, then let time pass to `until`.

    The interactions' derived fields are written anew.
    """
    touched = Touched()
    seen: list[Interaction] = []
    for one in tail:
        forget(one)
        seen.append(one)
        step(picture, seen, one, rules, touched)
    if until is not None:
        pass_time(picture, tail, until, rules, touched)
    return picture


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
) -> None:
    """Take one more interaction; `tail` ends with it, and it is the latest."""
    pass_time(picture, tail, one.at, rules, touched)
    session, fresh = sessions.join(picture.sessions, one, rules)
    if fresh:
        picture.open.append(session.serial)
    one.touchpoint = rules.inventory.touchpoint_of(one.channel, one.name, one.location, one.intent)
    missions = rules.missions
    journey = journeys.attribute(picture.journeys, picture.walked, one, missions)
    progressed = journey is not None and journey.place >= 0
    if journey is not None:
        journeys.walk(journey, one, missions)
    on_path = journey is not None and one.touchpoint in missions.expects[journey.mission]
    crowded = session.count > rules.verdicts.machine_touchpoints
    if crowded and not session.machine and sessions.is_machine(session, tail, rules):
        _unjudge(session, picture, tail, touched)
        session.machine = True
    one.verdict, one.reasons = verdicts.judge(
        one, session, on_path=on_path, progressed=progressed, rules=rules
    )
    touched.interactions.append(one)
    touched.former[one.id] = None
    if journey is not None:
        if one.channel in journeys.LIVE:
            blamed = journeys.blame_leak(journey, tail, one, rules)
            if blamed is not None:
                _break((blamed,), picture, touched)
                journeys.move(journey, Move.BREAK)
        if journeys.conclude(journey, one, missions.all[journey.mission]):
            if journey.stand is journeys.FRUSTRATED:
                _break(journeys.blame_unreached(journey, tail), picture, touched)
            picture.walked.remove(journey.serial)
            touched.journeys.append(journey)
    if session.ended:
        session.closed = True
        picture.open.remove(session.serial)
        if _is_short_call(session, rules):
            _unjudge(session, picture, tail, touched)
        fresh = True
    if fresh:
        touched.sessions.append(session)


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
            blamed = journeys.blame_unreached(journey, tail)
            if blamed:
                _break(blamed, picture, touched)
                journeys.move(journey, Move.BREAK)
            journeys.move(journey, Move.SILENCE)
            picture.walked.remove(serial)
            touched.journeys.append(journey)


def _break(
    blamed: Iterable[tuple[Interaction, tuple[Reason, ...]]], picture: Picture, touched: Touched
) -> None:
    """Each is broken now, for these reasons."""
    for one, reasons in blamed:
        _revise(one, "broken", reasons, picture, touched)


def _revise(
    one: Interaction,
    verdict: Judgement | None,
    reasons: tuple[Reason, ...],
    picture: Picture,
    touched: Touched,
) -> None:
    """Its verdict changes, and with it the counts of what was closed or ended already."""
    touched.former.setdefault(one.id, (one.verdict, one.reasons))
    one.verdict, one.reasons = verdict, reasons
    touched.interactions.append(one)
    if picture.sessions[one.session].closed:
        touched.sessions.append(picture.sessions[one.session])
    if one.journey >= 0 and picture.journeys[one.journey].ended:
        touched.journeys.append(picture.journeys[one.journey])


def _unjudge(
    session: OpenSession, picture: Picture, tail: Sequence[Interaction], touched: Touched
) -> None:
    """Take back the verdicts of a session that was no customer's."""
    blamed = [one for one in tail if one.session == session.serial and one.verdict is not None]
    for one in blamed:
        _revise(one, None, (), picture, touched)
    broken = {one.journey for one in tail if one.verdict == "broken"}
    for serial in {one.journey for one in blamed} - broken - {-1}:
        if not picture.journeys[serial].ended:
            journeys.move(picture.journeys[serial], Move.PARDON)


def _is_short_call(session: OpenSession, rules: Rules) -> bool:
    """A call that was hung up at once: kept, not judged. Source: Webex's short-call threshold."""
    if session.channel != "ivr" or session.count < 2:
        return False
    return session.last - session.started < rules.verdicts.call_length_min
