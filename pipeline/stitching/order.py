"""The order of one customer's interactions: by time, and within a session by the emitter's numbers.

An emitter that numbers what it sends knows the order better than its clock does: several things
happen in one millisecond, clocks are set back, and a correction of the clock may differ from one
delivery to the next. But numbers of different emitters, or none, cannot be compared. So a number
orders only what shares channel, source and session id, and it does so by dealing out: the times of
these interactions stay, as a set, and the first number gets the first time, the next the next.
Everything then has one time by which all of it can be sorted, and so does what has no number.

Source of the rule: Snowplow's event index; of the need, mozilla/fxa issue 3446, where events of
Android came in a wrong order.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import rule_of
from schemas.controls import Interaction

UNNUMBERED: Final = -1
"""The `sequence` of an interaction that has none."""

Key = tuple[str, str, str | None]
"""Channel, source and session id: what shares them is numbered by one emitter."""


def order_of(one: Interaction) -> tuple[datetime, int, str]:
    """What interactions are sorted by: time, then number, then id."""
    return (one.at, one.sequence, one.id)


def clock_of(one: Interaction) -> datetime:
    """The time that the emitter itself gave it."""
    return one.at if one.clock is None else one.clock


def in_order(interactions: Iterable[Interaction], rules: Rules) -> list[Interaction]:
    """A customer's interactions, sorted, their times dealt out by their numbers.

    A function of the set: whatever was dealt out before is taken back first.
    """
    ones = list(interactions)
    numbered = [one for one in ones if one.sequence >= 0]
    if numbered:
        _deal(numbered, rules)
    return sorted(ones, key=order_of)


def follow(tail: Sequence[Interaction], ones: Sequence[Interaction], rules: Rules) -> bool:
    """Whether what is later than a tail is so by its numbers, too, so that times stay as they are.

    Args:
        tail: In order, so that the last of a session has its highest number.
        ones: Sorted by the emitters' own clocks.
        rules: Which tell how long an id stands for one session.

    At times false without need, where an id begins to number anew after its longest duration.
    """
    lasts: dict[Key, Interaction] = {}
    for one in ones:
        if one.sequence < 0:
            continue
        key = _key_of(one)
        last = lasts.get(key) or _last_of(key, tail)
        lasts[key] = one
        if last is None or one.sequence >= last.sequence:
            continue
        if not _apart(last.at, last.at, one, rules):
            return False
    return True


def _last_of(key: Key, tail: Sequence[Interaction]) -> Interaction | None:
    for one in reversed(tail):
        if one.sequence >= 0 and _key_of(one) == key:
            return one
    return None


def own_clock(one: Interaction) -> None:
    """Take back what was dealt out, perhaps among another customer's."""
    if one.clock is not None:
        one.at, one.clock = one.clock, None


def _key_of(one: Interaction) -> Key:
    return (one.channel, one.source, one.hint)


def _deal(numbered: list[Interaction], rules: Rules) -> None:
    for one in numbered:
        own_clock(one)
    numbered.sort(key=order_of)
    runs: dict[Key, list[Interaction]] = {}
    for one in numbered:
        run = runs.setdefault(_key_of(one), [])
        if run and _apart(run[0].at, run[-1].at, one, rules):
            _deal_run(run)
            run.clear()
        run.append(one)
    for run in runs.values():
        _deal_run(run)


def _apart(first: datetime, last: datetime, one: Interaction, rules: Rules) -> bool:
    """Whether the id stands for another session by then, whose numbers begin anew."""
    rule = rule_of(one.channel, one.source, rules)
    if one.at - first > rule.length_max:
        return True
    return rule.hint == "split" and one.at - last > rule.gap


def _deal_run(run: Sequence[Interaction]) -> None:
    """Give the times of a run, which are sorted, to its members in the order of their numbers."""
    times = [one.at for one in run]
    for one, at in zip(sorted(run, key=lambda one: one.sequence), times, strict=True):
        if one.at != at:
            one.clock, one.at = one.at, at
