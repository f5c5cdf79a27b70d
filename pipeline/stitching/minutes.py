"""Minutes: the votes of one series as they are kept, and sums and shares of them."""

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import msgspec

from pipeline.stitching.signals import HARD, HARD_ON_STEP

HARD_RULES: Final = HARD | HARD_ON_STEP
"""Reasons that an emitter's word is enough for: a run of one of them needs no further evidence."""

_at: Final = attrgetter("at")


class Part(msgspec.Struct, array_like=True, gc=False):
    """One stitch partition's totals of a minute; samples of the newest such minutes only."""

    votes: int
    broken: int
    customers: int
    reasons: dict[str, int] = {}
    samples: tuple[str, ...] = ()


class Minute(msgspec.Struct, array_like=True, gc=False):
    """The votes of one minute.

    Attributes:
        at: The minute, since 1970.
        votes, broken: How many.
        customers: How many of the broken are of customers not broken shortly before.
        parts: What each stitch partition said, their sum being the above; the partition's number
            where one alone spoke, of sound votes; None once it is no longer corrected.
        reason: The hard reason that most votes broke for …
        alike: … and how many.
    """

    at: int
    votes: int
    broken: int
    customers: int
    parts: dict[int, Part] | int | None = None
    reason: str = ""
    alike: int = 0


def add_up(one: Minute) -> None:
    """Make the totals of a minute those of its parts."""
    parts = one.parts
    assert isinstance(parts, dict)
    one.votes = one.broken = one.customers = one.alike = 0
    hard: dict[str, int] = {}
    for each in parts.values():
        one.votes += each.votes
        one.broken += each.broken
        one.customers += each.customers
        for rule, count in each.reasons.items():
            if rule in HARD_RULES:
                hard[rule] = hard.get(rule, 0) + count
    one.reason = min(hard, key=lambda rule: (-hard[rule], rule), default="")
    one.alike = hard.get(one.reason, 0)


def window(minutes: Sequence[Minute], end: int, at: int, length: int, votes: int = 0) -> Minute:
    """The sum of the last `length` minutes up to `at`, and further back to see so many votes.

    Args:
        minutes: Sorted.
        end: The index after the last that counts.
        at: The minute that the window ends with, which may have had no votes.
        length: In minutes.
        votes: See above.
    """
    total = Minute(at, 0, 0, 0)
    index = end
    while index:
        one = minutes[index - 1]
        if one.at <= at - length and total.votes >= votes:
            break
        total.votes += one.votes
        total.broken += one.broken
        total.customers += one.customers
        index -= 1
    return total


def interval(votes: int, count: int, z: float) -> tuple[float, float]:
    """Wilson's interval for a share, `z` standard deviations wide; all of it of no votes."""
    if not votes:
        return 0.0, 1.0
    share, square = count / votes, z * z
    middle = share + square / (2 * votes)
    spread = z * (share * (1 - share) / votes + square / (4 * votes * votes)) ** 0.5
    whole = 1 + square / votes
    return float((middle - spread) / whole), float((middle + spread) / whole)


def wilson(votes: int, count: int, z: float) -> float:
    """The lower end of that interval."""
    return interval(votes, count, z)[0]


def index_of(minutes: Sequence[Minute], at: int) -> int:
    """The index of the first minute that is not before `at`."""
    if not minutes or minutes[-1].at < at:
        return len(minutes)
    return bisect_left(minutes, at, key=_at)
