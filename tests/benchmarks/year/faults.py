"""What goes wrong at the company's end, and how it shows: outages, ordinary failures, redesigns.

Every touchpoint fails at a rate of its own, and at a far higher one during its outages. How a
failure shows in the records is drawn apart from the failure: some are recorded as fine.
"""

from bisect import bisect_right
from random import Random
from typing import Final

from tests.benchmarks.year.people import DAY

ORDINARY: Final = {
    "pay-in-app": 0.020, "pay-online": 0.020, "order-online": 0.025, "top-up-in-app": 0.015,
    "change-plan-in-app": 0.020, "change-plan-online": 0.020, "dispute-form": 0.020,
    "log-in": 0.010, "fill-basket": 0.010, "report-fault-in-app": 0.012, "query-charge": 0.010,
}  # fmt: skip
"""How often a touchpoint fails on an ordinary day; `ORDINARY_ELSEWHERE` where none is named."""

ORDINARY_ELSEWHERE: Final = 0.004
SLOW_SHARE: Final = 0.012
"""Of pages and screens that work, how many are slow."""

OUTAGES_A_YEAR: Final = 4.0
OUTAGE_LENGTH: Final = 2.5 * 3_600_000
"""The median; lengths are log-normal."""

NOT_UNDERSTOOD_SHARE: Final = 0.10
UNHEARD_SHARE: Final = 0.06
UNHELPFUL_SHARE: Final = 0.05
LONG_QUEUE_SHARE: Final = 0.15
NO_RESULT_SHARE: Final = 0.10
MISSED_VISIT_SHARE: Final = 0.05
UNMENDED_SHARE: Final = 0.06
"""A bot that does not understand, a menu that does not hear, an agent who cannot help, a queue
that lasts, a search that finds nothing, a technician who does not come or cannot mend it."""

REDESIGNS_A_YEAR: Final = 10
REDESIGN_LENGTH: Final = 4 * DAY
"""Touchpoints that get new names, and how long until the inventory follows."""

BLOCKED, WASTED, WAITED, STOOD_UP = 3.0, 2.0, 1.0, 4.0
"""Annoyance: could not do it; had to do it over; had to wait; nobody came. A person gives up when
the sum for one wish exceeds their patience, and would name what annoyed them most."""


class Faults:
    """The year's failures, drawn beforehand: when each touchpoint is out of order or renamed."""

    def __init__(self, touchpoints: list[str], starts: int, days: int, chance: Random) -> None:
        self._chance = chance
        self._outages: dict[str, tuple[list[int], list[int], list[float]]] = {}
        for touchpoint in touchpoints:
            begins: list[int] = []
            ends: list[int] = []
            shares: list[float] = []
            at = float(starts)
            while True:
                at += chance.expovariate(OUTAGES_A_YEAR / 365) * DAY
                if at >= starts + days * DAY:
                    break
                begins.append(int(at))
                at += OUTAGE_LENGTH * chance.lognormvariate(0, 0.8)
                ends.append(int(at))
                shares.append(chance.uniform(0.5, 0.95))
            self._outages[touchpoint] = (begins, ends, shares)
        self._renamed: dict[str, list[int]] = {}
        for _ in range(round(REDESIGNS_A_YEAR * days / 365)):
            touchpoint = chance.choice(touchpoints)
            begins = self._renamed.setdefault(touchpoint, [])
            begins.append(int(starts + chance.random() * days * DAY))

    def fails(self, touchpoint: str, now: int) -> bool:
        """Whether it fails somebody at this time."""
        share = ORDINARY.get(touchpoint, ORDINARY_ELSEWHERE)
        begins, ends, shares = self._outages[touchpoint]
        if begins:
            at = bisect_right(begins, now) - 1
            if at >= 0 and now < ends[at]:
                share = shares[at]
        return self._chance.random() < share

    def renamed(self, touchpoint: str, now: int) -> bool:
        """Whether its records bear a name that the inventory does not know yet."""
        begins = self._renamed.get(touchpoint)
        return begins is not None and any(at <= now < at + REDESIGN_LENGTH for at in begins)
