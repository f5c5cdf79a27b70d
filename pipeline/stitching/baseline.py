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


class Baseline(msgspec.Struct, array_like=True, gc=False):
    """What is known of one series.

    Attributes:
        whole: All its votes.
        hours: The same by hour of the day, working days' as 0 to 23, other days' as 24 to 47.
        drift: Hours that told something of drift, and the sum of squares of their logarithms.
    """

    whole: Cell
    hours: dict[int, Cell] = {}
    drift: Cell = msgspec.field(default_factory=lambda: Cell(0))

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
        self.whole.add(hour, votes, broken)
        self.hours.setdefault(slot_of(hour), Cell(hour)).add(hour, votes, broken)

    def usual(self, hour: int, parent: float, least: float) -> float:
        """The share that is expected of an hour.

        Args:
            hour: Since 1970.
            parent: What is expected of a series that nothing is known about.
            least: No share below this is believed.
        """
        whole = _drawn(self.whole, parent)
        cell = self.hours.get(slot_of(hour))
        return max(least, whole if cell is None else _drawn(cell, whole))

    def sigma(self) -> float:
        """The standard deviation of the logarithm of an hour's share, beyond chance."""
        if self.whole.votes < SHRINK:
            return DRIFT_NEW
        told = self.drift
        squares = told.broken + DRIFT_SHRINK * DRIFT * DRIFT
        return sqrt(max(0.0, squares / (told.votes + DRIFT_SHRINK)))


def slot_of(hour: int) -> int:
    """Which of a week's hours are alike: by hour of the day, and working day or not, in UTC."""
    weekday = (hour // _HOURS_A_DAY + _THURSDAY) % 7
    return hour % _HOURS_A_DAY + (_HOURS_A_DAY if weekday >= _SATURDAY else 0)


def _drawn(cell: Cell, towards: float) -> float:
    return (cell.broken + SHRINK * towards) / (cell.votes + SHRINK)
