"""Attribution: which of a customer's missions an interaction serves, also where that shows late.

`choose` says it of one interaction, by what is open. `taken_along` looks back: what came before an
intent in the same session, and was nobody's own, is read as though it had shown that intent too.
Both are the same for a journey of the fold and for the sketch of one that looking back needs:
attribution asks for the mission, the place and the last time, never for a verdict.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from pipeline.stitching import sessions
from pipeline.stitching.missions import Missions
from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import OpenSession
from schemas.controls import Interaction

SURVEY: Final = "survey"


class Journey(Protocol):
    """What attribution asks of a journey."""

    @property
    def serial(self) -> int:
        """Its number, in the order in which they began."""

    @property
    def mission(self) -> str:
        """Towards which mission."""

    @property
    def place(self) -> int:
        """The number of the farthest step reached; -1 for none."""

    @property
    def last(self) -> datetime:
        """Its last touchpoint's time."""


J = TypeVar("J", bound=Journey)


class Choice(NamedTuple, Generic[J]):
    """Whose an interaction is.

    Attributes:
        journey: The journey; None where it begins one, or serves no mission.
        begins: The mission of the journey that it begins.
        firm: Whether it showed that itself; else an intent that shows later takes it along.
    """

    journey: J | None
    begins: str | None = None
    firm: bool = True


def choose(
    going: Sequence[J],
    one: Interaction,
    named: str | None,
    about: J | None,
    missions: Missions,
    done: Iterable[str] = (),
) -> Choice[J]:
    """Whose an interaction is (P).

    Args:
        going: The journeys that have not ended, in the order in which they began.
        one: The interaction, its touchpoint known.
        named: The mission that its intent names.
        about: The journey that it is an answer about, which may have ended.
        missions: All of them.
        done: The missions that were completed earlier in its session.

    In this order: the mission its intent names; what it is an answer about; the open journey that
    expects its touchpoint, the one whose next step it is before others, then the one active last;
    a mission it starts; the open journey active last. An answer begins no journey.
    """
    if named is not None:
        for journey in going:
            if journey.mission == named:
                return Choice(journey)
        if one.channel != SURVEY:
            return Choice(None, named)
    if about is not None:
        return Choice(about)
    touchpoint = one.touchpoint
    chosen = latest = None
    chosen_is_next = False
    for journey in going:
        if latest is None or journey.last >= latest.last:
            latest = journey
        if touchpoint in missions.expects[journey.mission]:
            place = missions.places[journey.mission].get(touchpoint)
            is_next = place is not None and place[0] == journey.place + 1
            if (
                chosen is None
                or is_next > chosen_is_next
                or (is_next == chosen_is_next and journey.last >= chosen.last)
            ):
                chosen, chosen_is_next = journey, is_next
    if chosen is not None:
        return Choice(chosen)
    starts = missions.started_by.get(touchpoint)
    if starts is not None and one.channel != SURVEY:
        if starts[0] in done and touchpoint in missions.all[starts[0]].looks:
            return Choice(None, firm=False)  # a look back at what is done
        return Choice(None, starts[0])
    return Choice(latest, firm=False)


def may_come_back(choice: Choice[J], one: Interaction) -> bool:
    """Whether coming back goes before this choice: nothing that is open claims the interaction."""
    return (choice.begins is not None or not choice.firm) and one.channel != SURVEY


def come_back(
    silent: Iterable[J], one: Interaction, named: str | None, missions: Missions
) -> J | None:
    """The journey that the customer comes back for; None where there is none (P).

    Args:
        silent: Journeys that silence ended and that may be resumed by now, one for each mission.
        one: The interaction.
        named: The mission that its intent names, or that of one that took it along.
        missions: All of them.

    Of several that expect it, the one active last, and of these the one begun last.
    """
    found = None
    for journey in silent:
        mission = journey.mission
        wanted = mission == named if named else one.touchpoint in missions.expects[mission]
        if wanted and (found is None or _later(journey, found)):
            found = journey
    return found


def _later(journey: Journey, other: Journey) -> bool:
    return (journey.last, journey.serial) > (other.last, other.serial)


def shows_late(
    one: Interaction,
    tail: Sequence[Interaction],
    known: Sequence[OpenSession],
    missions_of: Mapping[int, str],
    rules: Rules,
) -> bool:
    """Whether a latest interaction's intent may take along what came before it.

    Args:
        one: Not yet in the tail.
        tail: What is kept, as it was folded.
        known: The customer's sessions.
        missions_of: The mission of each journey that has not ended, by serial number.
        rules: All of them.

    Asked of each that arrives, so it is quick, and at times true without need.
    """
    if one.channel == SURVEY:
        return False
    missions = rules.missions
    if missions.preludes and any(before.touchpoint in missions.preludes for before in tail):
        touchpoint = rules.inventory.touchpoint_of(one.channel, one.name, one.location, one.intent)
        started = missions.started_by.get(touchpoint, ())
        if started and missions.all[started[0]].preludes:
            return True
    named = missions.by_intent.get(one.intent) if one.intent is not None else None
    if named is None:
        return False
    if missions.all[named].preludes:
        return True
    session = sessions.find(known, one, rules)
    if session is None:
        return False
    for before in reversed(tail):
        if before.session != session.serial:
            if before.at < session.started:
                break
            continue
        if before.journey < 0:
            return True
        mission = missions_of.get(before.journey)
        if mission is None or _is_firm(before, mission, rules.missions):
            return False
        if mission != named:
            return True
    return False


def _is_firm(one: Interaction, mission: str, missions: Missions) -> bool:
    if one.touchpoint in missions.expects[mission]:
        return True
    return one.intent is not None and missions.by_intent.get(one.intent) == mission
