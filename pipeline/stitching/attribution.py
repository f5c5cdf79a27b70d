"""Attribution: which of a customer's missions an interaction serves, by what is open or was.

The same for a journey of the fold and for the sketch of one that `looking` back needs: attribution
asks for the mission, the place and the last time, never for a verdict.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol, TypeVar

from pipeline.stitching.inventory import Inventory
from pipeline.stitching.missions import Mission, Missions
from pipeline.stitching.signals import HARD_WHERE_EXPECTED, RELATIONSHIP, UNDONE
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


Choice = tuple[J | None, str | None, bool]
"""Whose an interaction is: the journey it joins; the mission of the one it begins; and whether it
showed that itself, or an intent that shows later takes it along."""


def choose(
    going: Sequence[J],
    one: Interaction,
    named: str | None,
    about: J | None,
    missions: Missions,
    done: Collection[str] = (),
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
    a mission it starts; the open journey active last. An answer begins no journey, and one about
    the relationship belongs to none. A journey that silence ended goes before what is not open; see
    `recalled_by`.
    """
    if one.channel == SURVEY and RELATIONSHIP in one.signals:
        return None, None, True
    if named is not None:
        for journey in going:
            if journey.mission == named:
                return journey, None, True
        if one.channel != SURVEY:
            return None, named, True
    if about is not None:
        return about, None, True
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
        return chosen, None, True
    starts = missions.started_by.get(touchpoint)
    if starts is not None and one.channel != SURVEY:
        if done and starts[0] in done and touchpoint in missions.all[starts[0]].looks:
            return None, None, False  # a look back at what is done
        return None, starts[0], True
    return latest, None, False


def completes(one: Interaction, mission: Mission, inventory: Inventory) -> bool:
    """Whether an interaction completes a mission; what shows that it failed there does not.

    A payment that was refused is no payment, though the page of payments was seen.
    """
    if one.touchpoint not in mission.completes:
        return False
    refused = HARD_WHERE_EXPECTED in one.signals and one.touchpoint in inventory.expecting_success
    return not refused and UNDONE.isdisjoint(one.signals)


def recalled_by(one: Interaction, named: str | None, missions: Missions) -> Collection[str]:
    """The missions whose silent journeys an interaction may resume: that named, or expecting it.

    To be asked where nothing that is open claims the interaction. An answer resumes nothing.
    """
    if one.channel == SURVEY:
        return ()
    if named is not None:
        return (named,) if named in missions.resuming else ()
    return missions.recalled.get(one.touchpoint, ())


def last_active(silent: Iterable[J]) -> J | None:
    """The journey that the customer comes back for: of several the one active last (P).

    Of these the one begun last. None where there is none.
    """
    return max(silent, key=lambda journey: (journey.last, journey.serial), default=None)
