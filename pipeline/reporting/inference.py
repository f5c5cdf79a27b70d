"""What counts allow one to say: intervals, comparisons, many comparisons at once, ranks.

Plain formulas over whole numbers, so that a report needs no numerical library. The level of every
interval is `CONFIDENCE`.
"""

from collections.abc import Sequence
from math import exp, lgamma, sqrt
from typing import Final

import msgspec

CONFIDENCE: Final = 0.95
"""How often an interval is meant to hold what it is about. Source: the usual convention."""

_Z: Final = 1.959964
"""The normal quantile that belongs to `CONFIDENCE`, two-sided."""

FALSE_DISCOVERY_RATE: Final = 0.1
"""Of the touchpoints a report calls certain, the share that may be chance (P)."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """So many of so many, with the interval in which the true share lies.

    Attributes:
        part, whole: The counts; `whole` may be 0.
        share: `part / whole`; 0 of 0 is 0.
        low, high: The Wilson interval; 0 to 1 where nothing was counted.
    """

    part: int
    whole: int
    share: float
    low: float
    high: float


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One share less another, with its interval; from -1 to 1."""

    value: float
    low: float
    high: float


def rate(part: int, whole: int) -> Rate:
    """A share with its Wilson score interval.

    Source: E. B. Wilson, JASA 22 (1927): right for small counts and for shares near 0 and 1.

    Raises:
        ValueError: `part` is no part of `whole`.
    """
    if not 0 <= part <= whole:
        msg = f"expected a part of {whole}; found {part}"
        raise ValueError(msg)
    if whole == 0:
        return Rate(part=0, whole=0, share=0.0, low=0.0, high=1.0)
    share, square = part / whole, _Z * _Z
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    reach = _Z / (1 + square / whole)
    reach *= sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    return Rate(
        part=part,
        whole=whole,
        share=share,
        low=0.0 if part == 0 else max(0.0, middle - reach),
        high=1.0 if part == whole else min(1.0, middle + reach),
    )


def difference(one: Rate, other: Rate) -> Difference:
    """One share less another, its interval from the Wilson intervals of both.

    Source: R. G. Newcombe, Statistics in Medicine 17 (1998), method 10.
    """
    value = one.share - other.share
    below = sqrt((one.share - one.low) ** 2 + (other.high - other.share) ** 2)
    above = sqrt((one.high - one.share) ** 2 + (other.share - other.low) ** 2)
    return Difference(value=value, low=max(-1.0, value - below), high=min(1.0, value + above))


def chance_of_less(one: Rate, other: Rate) -> float:
    """How often chance alone makes `one`'s share so much smaller than `other`'s, or more so.

    Fisher's exact test, one-sided: right however few there are.
    """
    done = one.part + other.part
    total = one.whole + other.whole
    least = max(0, done - other.whole)
    all_ways = _ln_ways(total, done)
    terms = (
        exp(_ln_ways(one.whole, k) + _ln_ways(other.whole, done - k) - all_ways)
        for k in range(least, one.part + 1)
    )
    return min(1.0, sum(terms))


def certain_among(chances: Sequence[float], rate_max: float = FALSE_DISCOVERY_RATE) -> list[bool]:
    """Which of many comparisons hold up although there are many.

    Source: Y. Benjamini and Y. Hochberg, JRSS B 57 (1995). Right for a report, which looks once
    at a closed period; wrong for alerts, which look again and again.

    Args:
        chances: How often chance alone explains each comparison.
        rate_max: The share of those called certain that may be chance.
    """
    ranked = sorted(chances)
    bound = max(
        (p for n, p in enumerate(ranked, 1) if p <= rate_max * n / len(ranked)), default=-1.0
    )
    return [p <= bound for p in chances]


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's: 1 where both rank alike, 0 where one tells nothing of the other.

    None for fewer than two pairs, or where one side is the same throughout.
    """
    ones, others = _ranks([a for a, _ in pairs]), _ranks([b for _, b in pairs])
    middle = (len(pairs) + 1) / 2
    together = sum((a - middle) * (b - middle) for a, b in zip(ones, others, strict=True))
    spread = sum((a - middle) ** 2 for a in ones) * sum((b - middle) ** 2 for b in others)
    return together / sqrt(spread) if spread > 0 else None


def _ranks(values: Sequence[float]) -> list[float]:
    """Each value's rank from 1; those that tie share the middle of their ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for at in order[start : end + 1]:
            ranks[at] = (start + end) / 2 + 1
        start = end + 1
    return ranks


def _ln_ways(among: int, taken: int) -> float:
    """The logarithm of the number of ways to take so many of so many."""
    return lgamma(among + 1) - lgamma(taken + 1) - lgamma(among - taken + 1)
