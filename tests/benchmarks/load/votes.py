"""Invented votes of one touchpoint, minute by minute, and what a rule for alarms makes of them.

The true share of broken votes drifts around the usual one with an hour's memory, as the shares of
real touchpoints do; votes come by chance; a broken customer tries again and again, which counts as
further *events* but casts no further vote.
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import exp, sqrt
from random import Random
from typing import NamedTuple

MEMORY = exp(-1 / 60)
"""What is left of a drift after a minute: an hour's memory."""

EVENTS_A_BREAK = 3
"""Events that a broken customer causes on average."""

KNOWN_TO = 0.15
"""The usual share is known to so much, as a standard deviation of its logarithm."""


class World(NamedTuple):
    """What a touchpoint is like.

    Attributes:
        per_hour: Votes.
        usual: The share of them that is broken.
        drift: Standard deviation of the logarithm of the true share.
    """

    per_hour: float
    usual: float
    drift: float = 0.25


class Stream(NamedTuple):
    """What came, by minute; and what the rules believe to be usual."""

    votes: list[int]
    broken: list[int]
    events: list[int]
    broken_events: list[int]
    believed: float
    per_hour: float


def stream(
    world: World, minutes: int, chance: Random, share: float = 0.0, during: range = range(0)
) -> Stream:
    """The votes of so many minutes; in some of them at least a given share is broken."""
    steps = _poisson(world.per_hour / 60)
    noise = world.drift * sqrt(1 - MEMORY * MEMORY)
    level = chance.gauss(0, world.drift)
    votes, broken, events, broken_events = [], [], [], []
    for minute in range(minutes):
        level = MEMORY * level + noise * chance.gauss(0, 1)
        rate = min(0.95, world.usual * exp(level - world.drift * world.drift / 2))
        if minute in during:
            rate = max(rate, share)
        count = bisect(steps, chance.random())
        bad = sum(chance.random() < rate for _ in range(count))
        again = sum(_again(chance) for _ in range(bad))
        votes.append(count)
        broken.append(bad)
        events.append(count + again)
        broken_events.append(bad + again)
    believed = world.usual * exp(chance.gauss(0, KNOWN_TO))
    return Stream(votes, broken, events, broken_events, believed, world.per_hour)


def came_by(
    per_hour: float, minutes: int, chance: Random, until: int, left: float, drift: float = 0.25
) -> Iterator[int]:
    """Votes minute by minute, as the number drifts; after `until` only a share of them is left."""
    noise = drift * sqrt(1 - MEMORY * MEMORY)
    level = chance.gauss(0, drift)
    for minute in range(minutes):
        level = MEMORY * level + noise * chance.gauss(0, 1)
        mean = per_hour / 60 * exp(level - drift * drift / 2) * (left if minute >= until else 1.0)
        yield _drawn(mean, chance)


def _drawn(mean: float, chance: Random) -> int:
    """A Poisson number: by counting while it is small, by its bell where it is large."""
    if mean > 30:
        return max(0, round(chance.gauss(mean, sqrt(mean))))
    least, count, product = exp(-mean), 0, chance.random()
    while product > least:
        count += 1
        product *= chance.random()
    return count


def _poisson(mean: float) -> list[float]:
    """The probabilities of at most 0, 1, 2, … votes."""
    reach = int(mean + 12 * sqrt(mean) + 12)
    chances = [exp(-mean)]
    for count in range(1, reach):
        chances.append(chances[-1] * mean / count)
    return list(accumulate(chances))


def _again(chance: Random) -> int:
    """How often a broken customer tries again: geometric."""
    tries = 0
    while chance.random() > 1 / EVENTS_A_BREAK:
        tries += 1
    return tries


class Sums:
    """Sums over the last minutes of two counts."""

    def __init__(self, votes: Sequence[int], broken: Sequence[int]) -> None:
        self._votes = [0, *accumulate(votes)]
        self._broken = [0, *accumulate(broken)]

    def last(self, minute: int, length: int) -> tuple[int, int]:
        """Votes and broken ones of so many minutes, that minute being the last."""
        begin, end = max(0, minute + 1 - length), minute + 1
        return self._votes[end] - self._votes[begin], self._broken[end] - self._broken[begin]

    def share(self, minute: int, length: int) -> float:
        """The broken share of them; 0 of none."""
        votes, broken = self.last(minute, length)
        return broken / votes if votes else 0.0


def alarms(firing: Iterator[bool], warm_up: int, same: int) -> int:
    """How often an alarm begins after the warm-up; within `same` minutes it is the same one."""
    count, last = 0, -(10**9)
    for minute, fires in enumerate(firing):
        if fires:
            count += minute >= warm_up and minute - last > same
            last = minute
    return count
