"""Evidence: what the votes of one series say about whether it is broken, minute by minute.

For three alternatives - a little, a good deal and almost wholly broken - a likelihood ratio
against the null, the worst hour that is still normal, is gathered in a Shiryaev-Roberts
statistic, `M ← (1 + M) · e`. While the broken share is no higher than the null, each `e` is at
most 1 in expectation, so the mean time until `M` reaches a threshold by chance is at least that
threshold, in minutes, without asymptotics: Shin, Ramdas and Rinaldo on e-detectors. A CUSUM of
the same ratios tells since when. The numbers were tuned together on simulated series
(`tests/benchmarks/alarms.py`), all (P).

`advance` is a function of the minutes and of where it starts, so the same minutes give the same
standing in whatever order they came. Which minutes there are, and what is said, is `alerts`' work.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import ceil, exp, log
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from pipeline.stitching.minutes import Minute, window
from pipeline.stitching.rules import AlertRules

TILTS: Final = (0.05, 0.2, 0.6)
"""The alternatives: how far from the null towards always broken."""

NULL_SPREAD: Final = 2.5
"""The null is the usual share, and so many standard deviations of its hourly drift …"""

NULL_TIMES: Final = (1.5, 4.0)
"""… but at least and at most so many times the usual share …"""

NULL_MAX: Final = 0.6
"""… and never more than this."""

EVIDENCE_MAX: Final = 1e30
"""What the statistic is capped at, so that it can be added to."""

EXPONENT_MAX: Final = 600.0
"""What one minute adds at most to the logarithm: e^600 is still a number."""

SHORT: Final = 5
"""Minutes in which "right now" is seen."""

SHORT_VOTES_MIN: Final = 5
"""With fewer votes than this right now, the present share opens and closes no gate."""

GATE_MINUTES: Final = 60
"""The customers that have to have met the break are looked for in so many minutes …"""

GATE_VOTES: Final = 20
"""… or in so many votes, whichever reaches further back."""

RATE_MAX: Final = 0.5
"""A break's own share counts as at most this when it is to end: what stays broken for one in two
is not mended."""

RECOVERY: Final = log(1000)
"""It is mended once votes speak 1,000 to 1 for it …"""

HOLD: Final = 5
"""… and it looks so for as many minutes running."""

FADES_MAX: Final = 100
"""Numbers of sound votes in a minute for which the factors are kept."""

IDLE_LOOK: Final = 2 * SHORT + HOLD
"""After so many minutes without votes, further ones decide nothing."""


RUN_MIN: Final = 5
"""Votes in a row, at least, that have to break for the same hard reason to be enough (P) …"""

RUN_MINUTES: Final = 10
"""… within so many minutes …"""

RUN_CHANCE: Final = 0.1
"""… and so many that chance alone does that to a series for a tenth of its false alarms (P)."""

DAY_UNKNOWN: Final = 72_000.0
"""Votes a day of a touchpoint that is not known yet: as busy as any (P)."""


class Weights(NamedTuple):
    """What a vote weighs.

    Attributes:
        usual: The usual share of broken votes.
        null: The worst share that is still normal.
        sound: Below this share a break counts as mended.
        up, down: What a broken and a sound vote add to the logarithm, for each alternative.
        day: How many votes a day brings.
        fades: What so many sound votes do to the evidence: worked out before.
    """

    usual: float
    null: float
    sound: float
    up: tuple[float, ...]
    down: tuple[float, ...]
    day: float
    fades: dict[int, tuple[float, float, float]]

    def fade(self, votes: int) -> tuple[float, float, float]:
        """What so many sound votes multiply the evidence with, for each alternative."""
        one, two, three = self.down
        factors = (exp(votes * one), exp(votes * two), exp(votes * three))
        if votes < FADES_MAX:
            self.fades[votes] = factors
        return factors


@lru_cache(maxsize=100_000)
def weights_of(usual: float, sigma: float, day: float = DAY_UNKNOWN) -> Weights:
    """The weights for a usual share, the deviation of its hourly logarithm, and votes a day."""
    least, most = NULL_TIMES
    null = min(NULL_MAX, usual * min(most, max(least, exp(NULL_SPREAD * sigma))))
    worse = [null + (1 - null) * tilt for tilt in TILTS]
    return Weights(
        usual=usual,
        null=null,
        sound=(usual + null) / 2,
        up=tuple(log(share / null) for share in worse),
        down=tuple(log((1 - share) / (1 - null)) for share in worse),
        day=day,
        fades={},
    )


def threshold_of(rules: AlertRules) -> float:
    """What the evidence has to reach: live series times minutes of a day, by false alarms a day.

    Each series then raises, by chance, at most its part of the false alarms.
    """
    return rules.series * 1440 / rules.false_alarms_a_day


class Standing(msgspec.Struct, array_like=True, gc=False):
    """How a series stands at the end of a minute.

    Attributes:
        at: That minute, since 1970.
        evidence: The statistic, one for each alternative.
        climb: The CUSUM, likewise …
        since, votes, broken: … the minute in which it left zero, and the votes since then.
        firing: Whether it is broken, by all that is known.
        fired, began: In which minute it fired last, and since when it was broken then; -1: never.
        resolved: In which minute it was last resolved; -1: never.
        rate: The share of the break, against which it is judged mended.
        recovery: The evidence that it is mended.
        quiet: Minutes running in which it looked mended.
    """

    at: int
    evidence: tuple[float, float, float] = (0.0, 0.0, 0.0)
    climb: tuple[float, float, float] = (0.0, 0.0, 0.0)
    since: tuple[int, int, int] = (0, 0, 0)
    votes: tuple[int, int, int] = (0, 0, 0)
    broken: tuple[int, int, int] = (0, 0, 0)
    firing: bool = False
    fired: int = -1
    began: int = -1
    resolved: int = -1
    rate: float = RATE_MAX
    recovery: float = 0.0
    quiet: int = 0

    @property
    def mean(self) -> float:
        """The evidence: the mean over the alternatives."""
        return sum(self.evidence) / len(TILTS)

    def copy(self) -> "Standing":
        """Another that may be advanced by itself."""
        return msgspec.structs.replace(self)


_at: Final = attrgetter("at")
_FLAT: Final = (0.0, 0.0, 0.0)
_NONE: Final = (0, 0, 0)


class Detector:
    """Weighs the minutes of a series.

    Args:
        rules: The budget, and how many customers it takes.
        weights_at: What a vote weighs in a minute.
    """

    def __init__(self, rules: AlertRules, weights_at: Callable[[int], Weights]) -> None:
        self.threshold = threshold_of(rules)
        self._total = self.threshold * len(TILTS)  # compared with the sum, which saves a division
        self._customers_min = rules.customers_min
        self._weights_at = weights_at

    def advance(self, standing: Standing, minutes: Sequence[Minute], to: int) -> None:
        """Take the minutes after `standing.at` up to `to`; those that are absent had no votes.

        Args:
            standing: Is changed.
            minutes: Sorted by `at`; reaching back before `standing.at` as far as the gate looks.
            to: The last minute to take. Not beyond the minute in which it is.
        """
        index = bisect_right(minutes, standing.at, key=_at)
        for one in minutes[index:]:
            if one.at > to:
                break
            index += 1
            if one.at > standing.at + 1:
                self._pass(standing, minutes, index - 1, one.at - 1)
            self._weigh(standing, one)
            run = one.alike and one.alike == one.votes  # perhaps one of a run
            if run or standing.firing or sum(standing.evidence) >= self._total:
                self._decide(standing, minutes, index, one.votes, one.broken)
        if to > standing.at:
            self._pass(standing, minutes, index, to)

    def hopeless(self, standing: Standing, minutes: Sequence[Minute], now: int) -> bool:
        """Whether nothing that came after `standing` can make it fire, which is seen at a glance.

        As if each broken vote spoke for the worst alternative, and sound ones for none.
        """
        if standing.firing:
            return False
        broken = 0
        for one in reversed(minutes):
            if one.at <= standing.at:
                break
            broken += one.broken
            if one.alike and one.alike == one.votes:
                return False  # perhaps one of a run
        worst = max(self._weights_at(standing.at + 1).up[-1], self._weights_at(now).up[-1])
        passed = len(TILTS) * (now - standing.at)
        most = broken * worst
        return most < EXPONENT_MAX and (sum(standing.evidence) + passed) * exp(most) < self._total

    def stirs(self, standing: Standing, minutes: Sequence[Minute]) -> bool:
        """Whether a further minute without votes may decide anything."""
        if not standing.firing and standing.mean < self.threshold:
            return False
        return not minutes or standing.at - minutes[-1].at < IDLE_LOOK

    def _runs(self, minutes: Sequence[Minute], end: int, weights: Weights) -> bool:
        """Whether the last customers all broke for the same hard reason, in whole minutes."""
        index, votes, last = end - 1, 0, minutes[end - 1]
        needed = run_of(weights, self.threshold)
        while index >= 0 and votes < needed:
            one = minutes[index]
            if one.at <= last.at - RUN_MINUTES or one.reason != last.reason:
                return False
            if not one.alike == one.customers == one.votes:
                return False
            votes += one.votes
            index -= 1
        return votes >= needed

    def _pass(self, standing: Standing, minutes: Sequence[Minute], end: int, to: int) -> None:
        """Minutes without votes: each adds 1, and few of them decide anything."""
        looked = 0
        while standing.at < to and looked < IDLE_LOOK:
            if not standing.firing and sum(standing.evidence) < self._total:
                break
            looked += 1
            _add(standing, 1)
            self._decide(standing, minutes, end, 0, 0)
        if standing.at < to:
            _add(standing, to - standing.at)

    def _weigh(self, standing: Standing, one: Minute) -> None:
        at, votes, broken = one.at, one.votes, one.broken
        weights = self._weights_at(at)
        m0, m1, m2 = standing.evidence
        if not broken and standing.climb == _FLAT:
            f0, f1, f2 = weights.fades.get(votes) or weights.fade(votes)
            standing.at = at
            standing.evidence = ((1.0 + m0) * f0, (1.0 + m1) * f1, (1.0 + m2) * f2)
            return
        sound = votes - broken
        c0, c1, c2 = standing.climb
        (u0, u1, u2), (d0, d1, d2) = weights.up, weights.down
        # Written out three times: this runs more often than anything else in the stage.
        s0, s1, s2 = broken * u0 + sound * d0, broken * u1 + sound * d1, broken * u2 + sound * d2
        if s0 > EXPONENT_MAX or s1 > EXPONENT_MAX or s2 > EXPONENT_MAX:
            m0 = m1 = m2 = EVIDENCE_MAX
        else:
            m0, m1, m2 = (1.0 + m0) * exp(s0), (1.0 + m1) * exp(s1), (1.0 + m2) * exp(s2)
            if m0 > EVIDENCE_MAX or m1 > EVIDENCE_MAX or m2 > EVIDENCE_MAX:
                m0, m1, m2 = min(EVIDENCE_MAX, m0), min(EVIDENCE_MAX, m1), min(EVIDENCE_MAX, m2)
        standing.at, standing.evidence = at, (m0, m1, m2)
        h0, h1, h2 = c0 + s0, c1 + s1, c2 + s2
        if h0 <= 0.0 and h1 <= 0.0 and h2 <= 0.0:
            if c0 or c1 or c2:
                standing.climb, standing.votes, standing.broken = _FLAT, _NONE, _NONE
            return
        since, counted, bad = list(standing.since), list(standing.votes), list(standing.broken)
        for i, (before, after) in enumerate(((c0, h0), (c1, h1), (c2, h2))):
            if after > 0.0:
                if before == 0.0:
                    since[i] = at
                counted[i] += votes
                bad[i] += broken
            else:
                counted[i] = bad[i] = 0
        standing.climb = (max(0.0, h0), max(0.0, h1), max(0.0, h2))
        standing.since = (since[0], since[1], since[2])
        standing.votes = (counted[0], counted[1], counted[2])
        standing.broken = (bad[0], bad[1], bad[2])

    def _decide(
        self, standing: Standing, minutes: Sequence[Minute], end: int, votes: int, broken: int
    ) -> None:
        """Fire or resolve; `end` is the index after the last minute that has been taken."""
        weights = self._weights_at(standing.at)
        recent = window(minutes, end, standing.at, SHORT)
        present = recent.broken / recent.votes if recent.votes else 0.0
        if not standing.firing:
            if sum(standing.evidence) < self._total and not self._runs(minutes, end, weights):
                return
            if present <= weights.null and recent.votes >= SHORT_VOTES_MIN:
                return
            gate = window(minutes, end, standing.at, GATE_MINUTES, GATE_VOTES)
            if gate.customers < self._customers_min:
                return
            _fire(standing, weights)
        if votes:
            sound, rate = weights.sound, standing.rate
            gain = broken * log(sound / rate) + (votes - broken) * log((1 - sound) / (1 - rate))
            standing.recovery = max(0.0, standing.recovery + gain)
        if weights.sound >= standing.rate:
            standing.recovery = RECOVERY  # what it broke by has become what is usual
        calm = standing.recovery >= RECOVERY and present < weights.sound
        standing.quiet = standing.quiet + 1 if calm else 0
        if standing.quiet >= HOLD:
            standing.firing, standing.resolved, standing.quiet = False, standing.at, 0
            standing.evidence = standing.climb = _FLAT
            standing.votes = standing.broken = _NONE


def run_of(weights: Weights, threshold: float) -> int:
    """How many votes in a row have to break for the same hard reason.

    Of a day's votes so few such runs begin by chance, at the null, that they add a tenth to the
    false alarms that the threshold allows.
    """
    chance = RUN_CHANCE * 1440 / threshold / max(weights.day, 1.0)
    return max(RUN_MIN, ceil(log(chance) / log(weights.null)))


def _add(standing: Standing, minutes: int) -> None:
    one, two, three = standing.evidence
    standing.evidence = (one + minutes, two + minutes, three + minutes)
    standing.at += minutes


def _fire(standing: Standing, weights: Weights) -> None:
    best = standing.climb.index(max(standing.climb))
    seen = (standing.broken[best] + weights.null) / (standing.votes[best] + 1)
    least = weights.null + TILTS[0] * (1 - weights.null)
    standing.firing, standing.fired = True, standing.at
    standing.began = standing.since[best] if standing.climb[best] > 0.0 else standing.at
    standing.rate = min(RATE_MAX, max(least, seen))
    standing.recovery, standing.quiet = 0.0, 0
