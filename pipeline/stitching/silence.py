"""Silence: whether a touchpoint that customers come by all day has gone quiet.

A dead tracker or telephone line casts no broken votes, only none. So many votes are expected of an
hour as hours like it have brought; where even a slack hour would have brought many and next to
none came, the touchpoint says that it is silent. Whether that is its own trouble or everybody's is
`presences`' work, which hears of all touchpoints. All numbers are (P) and were simulated.
"""

from math import ceil, exp, floor, log
from typing import Final, NamedTuple

import msgspec

from pipeline.stitching import evidence
from pipeline.stitching.baseline import Baseline
from pipeline.stitching.change import Message
from pipeline.stitching.minutes import window
from pipeline.stitching.rules import Rules
from pipeline.stitching.tallies import SOURCES_MAX
from pipeline.stitching.votes import OVERALL, SOURCE
from pipeline.stitching.watched import HOUR, Series, Watched
from schemas.controls import Presence
from schemas.topics import VOTES

ALL: Final = "all touchpoints"
"""Key of what compares them; no touchpoint is called so, for the space in it."""

EXPECTED: Final = 20.0
"""Votes that even a slack window must lead one to expect."""

CHANCE: Final = 1e-6
"""How improbable so few votes have to be."""

SHARE: Final = 0.1
"""More than this share of the usual votes is not silence."""

SPREAD: Final = 2.5
"""A slack hour is so many standard deviations of its logarithm below the usual …"""

SLACK: Final = (0.1, 0.67)
"""… but at least and at most this share of it."""

LIKE_IT: Final = 1.5
"""Hours like this one that must be known, weighted by age: two days of the kind."""

WINDOW_MAX: Final = 24 * HOUR
"""What takes longer to show is not looked for."""

HEARD_EVERY: Final = 4
"""A touchpoint says so many times a window that customers come …"""

HEARD_UNKNOWN: Final = HOUR
"""… and every so many minutes while it is not known how many."""

SOURCE_FORGOTTEN: Final = 7 * 24 * HOUR
"""Minutes after which a source that a touchpoint was no longer heard of by is none of its (P)."""


class Horizon(NamedTuple):
    """How far one has to look back to see silence.

    Attributes:
        minutes: So many.
        expected: Votes that these usually bring.
        least: Votes that they bring in slack hours.
        most: No more votes than this are silence.
    """

    minutes: int
    expected: float
    least: float
    most: int


def horizon(baseline: Baseline, until: int) -> Horizon | None:
    """How far back of a minute silence would show; None where that is too far, or not known."""
    low, high = SLACK
    slack = min(high, max(low, exp(-SPREAD * baseline.traffic_sigma())))
    minutes, expected = 0, 0.0
    while expected * slack < EXPECTED or minutes < evidence.SHORT:
        if minutes >= WINDOW_MAX:
            return None
        hour = (until - minutes) // HOUR
        rate, seen = baseline.rate(hour)
        if seen < LIKE_IT:
            return None
        here = (until - minutes) % HOUR + 1
        if rate > 0.0:
            needed = ceil((EXPECTED / slack - expected) * HOUR / rate)
            here = min(here, max(needed, evidence.SHORT - minutes))
        minutes += here
        expected += rate * here / HOUR
    least = expected * slack
    return Horizon(minutes, expected, least, min(floor(SHARE * expected), _most(least)))


def name_source(state: Watched, minute: int, source: str) -> None:
    """In this minute it was heard of by this one."""
    known = state.sources
    known[source] = minute
    if len(known) > SOURCES_MAX:
        del known[min(known, key=lambda source: (known[source], source))]


def heard(state: Watched, series: Series, minute: int, rules: Rules) -> list[Message]:
    """A customer came by in this minute: say so, and reckon when silence would show.

    Not of what the inventory does not know: that is no one place, and silence means nothing there.
    """
    known = state.touchpoint in rules.inventory.entries or state.touchpoint.startswith(SOURCE)
    if not known:
        return []
    looked = horizon(series.baseline, minute)
    state.look = 0 if looked is None else _next_look(series, looked)
    return _say(
        state,
        Presence(
            touchpoint=state.touchpoint,
            heard=minute,
            window=0 if looked is None else looked.minutes,
        ),
    )


def look(state: Watched) -> list[Message]:
    """The minute has come in which it may be silent."""
    series, told = state.series[OVERALL], state.presence
    until = state.now - 1  # the last minute that is over
    looked = horizon(series.baseline, until)
    if looked is None or told is None:
        state.look = 0
        return []
    minutes = series.minutes
    seen = window(minutes, len(minutes), until, looked.minutes).votes
    if seen > looked.most:
        state.look = max(state.now + 1, _next_look(series, looked))
        return []
    state.look = 0
    last = next((one.at for one in reversed(minutes) if one.votes), told.heard)
    return _say(
        state,
        Presence(
            touchpoint=state.touchpoint,
            heard=last,
            window=looked.minutes,
            silent=last,
            expected=round(looked.expected, 1),
            evidence=round(-log(_chance(looked.least, seen)), 2),
            at=state.now,
        ),
    )


def _say(state: Watched, presence: Presence) -> list[Message]:
    known = state.series[OVERALL].baseline.whole
    ago = presence.heard - SOURCE_FORGOTTEN
    presence = msgspec.structs.replace(
        presence,
        votes=round(known.votes, 1),
        broken=round(known.broken, 1),
        sources=tuple(sorted(name for name, at in state.sources.items() if at > ago)),
    )
    state.presence = presence
    every = max(1, presence.window // HEARD_EVERY) if presence.window else HEARD_UNKNOWN
    state.speaks = presence.heard + (1 if presence.silent >= 0 else every)
    return [Message(VOTES, ALL, presence)]


def _next_look(series: Series, looked: Horizon) -> int:
    """The minute before which too many votes lie in the window for silence."""
    votes = 0
    for one in reversed(series.minutes):
        votes += one.votes
        if votes > looked.most:
            return one.at + looked.minutes + 1
    return 0 if not series.minutes else series.minutes[0].at + looked.minutes + 1


def _chance(mean: float, most: int) -> float:
    """The Poisson chance of at most so many."""
    term = total = exp(-mean)
    for count in range(1, most + 1):
        term *= mean / count
        total += term
    return max(total, 1e-300)


def _most(mean: float) -> int:
    """The largest number that is improbable enough."""
    term = total = exp(-mean)
    count = -1
    while total < CHANCE:
        count += 1
        term *= mean / (count + 1)
        total += term
    return count
