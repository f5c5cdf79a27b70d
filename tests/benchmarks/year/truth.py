"""What the customers wanted and got: written down by the simulator when it happens.

Nothing here knows the rules of the pipeline. An *intention* is what somebody wanted, from the
moment they wanted it until they had it or wanted it no longer; a *veil* is a fact of the
simulation that keeps it from everybody who sees the records alone.
"""

from array import array
from enum import IntFlag, auto
from typing import Final

GOT, FRUSTRATED, ABANDONED = "completed", "frustrated", "abandoned"
"""They got it; they wanted it still and something made them give up; they no longer wanted it."""


class Veil(IntFlag):
    """Why the records do not tell all of it; each is set where it happens."""

    NAMELESS = auto()
    FORGOTTEN = auto()
    SHARED_DEVICE = auto()
    LOST = auto()
    VERY_LATE = auto()
    WRONG_CLOCK = auto()
    UNKNOWN_NAME = auto()
    MISHEARD = auto()
    UNSAID = auto()
    NOT_IN_CATALOGUE = auto()
    NO_SIGN = auto()
    OWN_REASONS = auto()
    ELSEWHERE = auto()
    HALF_SIGN = auto()
    MACHINE = auto()
    SLOW_MACHINE = auto()


EXPLAINED: Final = {
    Veil.NAMELESS: "a path in pieces that nothing ever showed to be one person's: cookie cleared "
    "without a log-in, withheld number, nameless purchase in the shop",
    Veil.FORGOTTEN: "likewise, but on a device that had been theirs before it lay unused for "
    "30 days",
    Veil.SHARED_DEVICE: "on the household's tablet without logging in",
    Veil.LOST: "a record of the path never arrived: blocked in the browser, or lost on the way",
    Veil.VERY_LATE: "a record arrived more than a day late",
    Veil.WRONG_CLOCK: "the device's clock was off by more than a minute",
    Veil.UNKNOWN_NAME: "a redesign renamed a touchpoint of the path before the inventory knew",
    Veil.MISHEARD: "the bot or the agent wrote down another wish",
    Veil.UNSAID: "nothing they touched says what they came for, or it speaks for something else",
    Veil.NOT_IN_CATALOGUE: "they wanted what no mission describes, such as a look at the bill",
    Veil.NO_SIGN: "it failed them without a trace: recorded as fine, and they told nobody",
    Veil.OWN_REASONS: "trouble is on record, but they left for reasons of their own",
    Veil.ELSEWHERE: "they got it where no touchpoint is: the fault went away, a friend knew",
    Veil.HALF_SIGN: "what cost it left no trace, something smaller did",
    Veil.MACHINE: "a machine, fast enough to be told by it",
    Veil.SLOW_MACHINE: "a machine as slow as a person",
}

_ALL: Final = frozenset({"mission", "outcome", "broke_at"})
HIDES: Final = {
    **dict.fromkeys(Veil, _ALL),
    Veil.NO_SIGN: frozenset({"outcome", "broke_at"}),
    Veil.OWN_REASONS: frozenset({"outcome", "broke_at"}),
    Veil.ELSEWHERE: frozenset({"outcome", "broke_at"}),
    Veil.HALF_SIGN: frozenset({"broke_at"}),
    Veil.MACHINE: frozenset(),
}
"""What each hides."""

HIDES_CUSTOMER: Final = (
    Veil.NAMELESS | Veil.FORGOTTEN | Veil.SHARED_DEVICE | Veil.WRONG_CLOCK | Veil.VERY_LATE
)


def observable(veils: Veil, what: str) -> bool:
    """Whether an ideal observer of the records could tell the mission, the outcome, `broke_at`."""
    return not any(what in HIDES[veil] for veil in veils)


class Truth:
    """All intentions and whose each touchpoint was; compact, since it is kept for the whole year.

    Number 0 of intentions is none. A touchpoint's id is `t` and its serial number.

    Attributes:
        words: Missions, outcomes and touchpoints by their number.
        intention_of, person_of: By a touchpoint's serial number.
        touched, at: Likewise which touchpoint it was, and the second of it: for examples only.
        person, mission, outcome, broke_at, veils: By an intention's number.
    """

    def __init__(self) -> None:
        self.words: list[str] = [""]
        self._numbers: dict[str, int] = {"": 0}
        self.intention_of, self.person_of = array("I"), array("I")
        self.touched, self.at = array("H"), array("I")
        self.person, self.veils = array("I", [0]), array("I", [0])
        self.mission, self.outcome, self.broke_at = (array("H", [0]) for _ in range(3))

    def number(self, word: str) -> int:
        """The number of a word, the same for good."""
        known = self._numbers.get(word)
        if known is None:
            known = self._numbers[word] = len(self.words)
            self.words.append(word)
        return known

    def begin(self, person: int, mission: str) -> int:
        """Somebody wants something; the number of the intention."""
        self.person.append(person)
        self.mission.append(self.number(mission))
        self.outcome.append(0)
        self.broke_at.append(0)
        self.veils.append(0)
        return len(self.person) - 1

    def end(self, intention: int, outcome: str, broke_at: str, veils: Veil) -> None:
        """They have it, or want it no longer."""
        self.outcome[intention] = self.number(outcome)
        self.broke_at[intention] = self.number(broke_at)
        self.veils[intention] |= int(veils)

    def touch(self, intention: int, person: int, touchpoint: str, second: int) -> int:
        """A touchpoint that will arrive; its serial number."""
        self.intention_of.append(intention)
        self.person_of.append(person)
        self.touched.append(self.number(touchpoint))
        self.at.append(second)
        return len(self.intention_of) - 1
