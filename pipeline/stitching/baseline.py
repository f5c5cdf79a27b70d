"""Baselines: which share of a series' votes is broken usually, and how much that drifts.

Votes count for less as they age, by half every week. A week's hours are not alike, so each hour of
the day is known by itself, on working days and on others; where it has seen little, it is drawn
towards the series as a whole, and that towards its parent. Minutes under alarm never get here.
All numbers are (P) and were simulated; see `evidence`.
"""

from math import log, sqrt
from typing import Final

import msgspec

HALF_LIFE: Final = 7 * 24
"""Hours after which votes count half (P). After 28 days they count a sixteenth."""

FORGOTTEN: Final = 28 * 24 * 60
"""Minutes without a vote after which nothing of a series is worth keeping."""

SHRINK: Final = 100.0
"""Votes that the parent's share counts for (P)."""

DRIFT: Final = 0.25
"""Standard deviation of the logarithm of an hour's share to begin with (P)."""

DRIFT_NEW: Final = 0.5
"""The same for a series that has seen fewer than `SHRINK` votes (P)."""

DRIFT_SHRINK: Final = 24.0
"""Hours that `DRIFT` counts for (P)."""

DRIFT_VOTES_MIN: Final = 3.0
"""Broken votes that an hour must lead one to expect before it tells anything of drift (P): with
fewer, chance is all there is to see."""

DAYS: Final = 28
"""Days that are looked back on for how many votes come."""

_HOURS_A_DAY: Final = 24
_THURSDAY: Final = 3
"""The weekday of 1 January 1970, Monday being 0."""
_SATURDAY: Final = 5


class Cell(msgspec.Struct, array_like=True, gc=False):
    """Votes, weighted by age as of an hour since 1970."""

    at: int
    votes: float = 0.0
    broken: float = 0.0

    def add(self, hour: int, votes: float, broken: float) -> None:
        """Count an hour's votes; an hour before `at` counts as of its age, too."""
        if hour > self.at:
            faded = 0.5 ** ((hour - self.at) / HALF_LIFE)
            self.votes, self.broken, self.at = self.votes * faded, self.broken * faded, hour
        weight = 0.5 ** ((self.at - hour) / HALF_LIFE)
        self.votes += votes * weight
        self.broken += broken * weight


class Slot(msgspec.Struct, array_like=True, gc=False):
    """The same in hundredths of votes: a series has 48 of them, and so they take a third."""

    at: int
    votes: int = 0
    broken: int = 0

    def cell(self) -> Cell:
        """As votes."""
        return Cell(self.at, self.votes / 100, self.broken / 100)


class Baseline(msgspec.Struct, array_like=True, gc=False):
    """What is known of one series.

    Attributes:
        whole: All its votes.
        hours: The same by hour of the day, working days' as 0 to 23, other days' as 24 to 47.
        drift: Hours that told something of drift, and the sum of squares of their logarithms.
        begun: The hour from which on it is known.
        traffic: What hours told of how much the number of votes drifts, as `drift` has it.
    """

    whole: Cell
    hours: dict[int, Slot] = {}
    drift: Cell = msgspec.field(default_factory=lambda: Cell(0))
    begun: int = 0
    traffic: Cell = msgspec.field(default_factory=lambda: Cell(0))

    def add(self, hour: int, votes: int, broken: int, usual: float) -> None:
        """Learn what an hour was like.

        Args:
            hour: Since 1970.
            votes: Those of it that were not under alarm.
            broken: How many of them.
            usual: The share that had been expected of it.
        """
        expected = votes * usual
        if expected >= DRIFT_VOTES_MIN:
            away = log((broken + 0.5) / (expected + 0.5))
            self.drift.add(hour, 1.0, away * away - 1.0 / expected)  # less what chance alone does
        rate, seen = self.rate(hour)
        if seen and rate >= DRIFT_VOTES_MIN:
            off = log((votes + 0.5) / (rate + 0.5))
            self.traffic.add(hour, 1.0, off * off - 1.0 / rate)
        self.whole.add(hour, votes, broken)
        cell = self._hour(hour) or Cell(hour)
        cell.add(hour, votes, broken)
        hundredths = round(100 * cell.votes), round(100 * cell.broken)
        self.hours[slot_of(hour)] = Slot(cell.at, *hundredths)

    def usual(self, hour: int, parent: float, least: float) -> float:
        """The share that is expected of an hour.

        Args:
            hour: Since 1970.
            parent: What is expected of a series that nothing is known about.
            least: No share below this is believed.

        What an hour is drawn towards is what the others were like: no vote speaks twice.
        """
        cell = self._hour(hour)
        if cell is None:
            return max(least, drawn(self.whole, parent))
        return max(least, drawn(cell, drawn(without(self.whole, cell), parent)))

    def rate(self, hour: int) -> tuple[float, float]:
        """How many votes an hour brings, and of how many like it that is known, weighted by age.

        Hours without votes count, too; of what is under alarm the votes are missing, so that
        rather too few are expected.
        """
        slot, cell = slot_of(hour), self._hour(hour)
        if cell is None:
            return 0.0, 0.0
        last = max(cell.at, hour - _HOURS_A_DAY)  # the latest hour like it that is over
        seen: float = sum(
            0.5 ** (days * _HOURS_A_DAY / HALF_LIFE)
            for days in range(DAYS)
            if last - days * _HOURS_A_DAY >= self.begun
            and slot_of(last - days * _HOURS_A_DAY) == slot
        )
        faded: float = 0.5 ** ((last - cell.at) / HALF_LIFE)
        return (cell.votes * faded / seen if seen else 0.0), seen

    def votes_a_day(self) -> float:
        """How many votes a day brings; 0 while that is not known."""
        length = self.whole.at - self.begun
        if length < _HOURS_A_DAY:
            return 0.0
        weight = (1 - 0.5 ** (length / HALF_LIFE)) * HALF_LIFE / log(2)
        return float(_HOURS_A_DAY * self.whole.votes / weight)

    def sigma(self) -> float:
        """The standard deviation of the logarithm of an hour's share, beyond chance."""
        return DRIFT_NEW if self.whole.votes < SHRINK else _deviation(self.drift)

    def traffic_sigma(self) -> float:
        """The same of the number of votes of an hour."""
        return _deviation(self.traffic)

    def _hour(self, hour: int) -> Cell | None:
        known = self.hours.get(slot_of(hour))
        return None if known is None else known.cell()


def slot_of(hour: int) -> int:
    """Which of a week's hours are alike: by hour of the day, and working day or not, in UTC."""
    weekday = (hour // _HOURS_A_DAY + _THURSDAY) % 7
    return hour % _HOURS_A_DAY + (_HOURS_A_DAY if weekday >= _SATURDAY else 0)


def without(all_: Cell, some: Cell) -> Cell:
    """What is left of votes without some of them."""
    faded = 0.5 ** ((all_.at - some.at) / HALF_LIFE)
    return Cell(
        all_.at,
        max(0.0, all_.votes - some.votes * faded),
        max(0.0, all_.broken - some.broken * faded),
    )


def _deviation(told: Cell) -> float:
    squares = told.broken + DRIFT_SHRINK * DRIFT * DRIFT
    return sqrt(max(0.0, squares / (told.votes + DRIFT_SHRINK)))


def drawn(cell: Cell, towards: float) -> float:
    """The share of some votes; of few, near what such votes are like elsewhere."""
    return (cell.broken + SHRINK * towards) / (cell.votes + SHRINK)
