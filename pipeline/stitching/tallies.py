"""Tallies: the running totals of one touchpoint's votes, in the partition that casts them.

Each counts ten minutes. It takes `Ballot`s, which `votes` makes, and sends `Votes`: totals, so
that a repeat changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from pipeline.stitching.change import Change, Message
from pipeline.stitching.rules import Rules
from pipeline.stitching.votes import BLOCK, Ballot, Shift, minute_of, time_of
from schemas.records import Votes
from schemas.topics import VOTES

SOUND_WAIT: Final = timedelta(seconds=20)
"""How long totals wait, at most, that only got more sound votes: those never break anything (P)."""

PROMPT_MAX: Final = 10
"""Broken votes of a series and minute that are sent at once (P): among so few, one more decides.
Further ones wait for each other, so that the cost does not grow with the traffic."""

SAMPLES_MAX: Final = 3
"""Broken touchpoints that a minute names, for people to look at (P)."""

VARIANTS_MAX: Final = 8
"""Releases and variants that a series' ten minutes tell apart (P); of what else comes then, votes
are counted, but not whose."""


SOURCES_MAX: Final = 8
"""Sources that a touchpoint is known to be heard of by (P); of further ones silence explains
nothing."""


class Count(msgspec.Struct, array_like=True, gc=False):
    """The totals of one series and minute; `unsent` while they differ from what was sent."""

    votes: int = 0
    broken: int = 0
    customers: int = 0
    reasons: dict[str, int] = {}
    samples: tuple[str, ...] = ()
    unsent: bool = False


class Tally(msgspec.Struct, array_like=True, gc=False):
    """The totals of one touchpoint in the minutes of one block, in one partition.

    Attributes:
        block: The first minute.
        at: The latest event time that was heard of.
        sent: The event time at which totals were last sent.
        send_at: When, by the watermark, what is unsent goes out; None where nothing is unsent.
        counts: By series and minute.
        variants: By series and release or variant, votes and broken ones of all these minutes.
        sources: By which sources it is heard of: the first by name, so that it does not matter
            who came first.
    """

    touchpoint: str
    block: int
    at: datetime
    sent: datetime | None = None
    send_at: datetime | None = None
    counts: dict[str, dict[int, Count]] = {}
    variants: dict[str, dict[str, tuple[int, int]]] = {}
    sources: tuple[str, ...] = ()


def count(
    state: Tally | None, cast: Sequence[Ballot], watermark: datetime | None, rules: Rules
) -> Change[Tally | None]:
    """Take ballots into their tally; send totals where something broke.

    The first of a minute to break go out at once, further ones unless some just went out. Minutes
    that are older than what is kept change nothing any more. A state that is passed in is spent:
    use the one that comes back.
    """
    kept, first = rules.alerts.kept, cast[0]
    if watermark is not None and minute_of(watermark - kept) >= first.block + BLOCK:
        return Change(state, [])
    if state is None:
        state = Tally(first.touchpoint, first.block, first.at)
    broken = prompt = False
    for ballot in cast:
        state.at = max(state.at, ballot.at)
        if any(source not in state.sources for source in ballot.sources):
            known = sorted({*state.sources, *ballot.sources})
            state.sources = tuple(known[:SOURCES_MAX])
        for shift in ballot.shifts:
            minutes = state.counts.get(shift.series)
            if minutes is None:
                minutes = state.counts[shift.series] = {}
            one = minutes.get(shift.minute)
            if one is None:
                one = minutes[shift.minute] = Count()
            _shift(one, shift)
            if shift.variants:
                _shift_variants(state.variants, shift)
            broken = broken or bool(shift.broken or shift.reasons)
            prompt = prompt or 0 < shift.broken <= one.broken <= PROMPT_MAX
    every = rules.alerts.votes_every
    if not broken:
        every = SOUND_WAIT
    elif state.sent is None or state.at - state.sent >= every or prompt:
        return Change(state, _send(state))
    due = (first.at - rules.out_of_order if watermark is None else watermark) + every
    if state.send_at is None or due < state.send_at:
        state.send_at = due
    return Change(state, [])


def expire(state: Tally, watermark: datetime, rules: Rules) -> Change[Tally | None]:
    """Event time passed: send what waited, forget what is older than what is kept."""
    results = _send(state) if state.send_at is not None and state.send_at <= watermark else []
    if watermark >= _forgotten_at(state, rules):
        return Change(None, results)
    return Change(state, results)


def due_at(state: Tally, rules: Rules) -> datetime:
    """When `expire` is next worth calling."""
    return state.send_at or _forgotten_at(state, rules)


def _forgotten_at(state: Tally, rules: Rules) -> datetime:
    return time_of(state.block + BLOCK) + rules.alerts.kept


def _shift(one: Count, shift: Shift) -> None:
    # Never below none: what an earlier version, or what was sealed, had cast was not counted.
    one.unsent = True
    one.votes = max(0, one.votes + shift.votes)
    if shift.broken or shift.reasons:
        one.broken = max(0, one.broken + shift.broken)
        one.customers = max(0, one.customers + shift.customers)
        fired = {
            rule: one.reasons.get(rule, 0) + shift.reasons.get(rule, 0)
            for rule in (*one.reasons, *shift.reasons)
        }
        one.reasons = {rule: count for rule, count in fired.items() if count > 0}
        one.samples = (one.samples + shift.samples)[:SAMPLES_MAX]


def _shift_variants(by_series: dict[str, dict[str, tuple[int, int]]], shift: Shift) -> None:
    known = by_series.get(shift.series)
    if known is None:
        known = by_series[shift.series] = {}
    for name, (cast, bad) in shift.variants.items():
        votes, broken = known.get(name, (0, 0))
        if votes + cast > 0:
            if votes or len(known) < VARIANTS_MAX:
                known[name] = (votes + cast, max(0, broken + bad))
        elif votes:
            del known[name]


def _send(state: Tally) -> list[Message]:
    state.sent, state.send_at = state.at, None
    results: list[Message] = []
    for series in sorted(state.counts, reverse=True):  # missions first: they name what breaks
        variants = dict(state.variants.get(series, ()))
        for minute, one in state.counts[series].items():
            if not one.unsent:
                continue
            one.unsent = False
            record = Votes(
                touchpoint=state.touchpoint,
                mission=series or None,
                minute=time_of(minute),
                partition=0,
                votes=one.votes,
                broken=one.broken,
                customers=one.customers,
                reasons=one.reasons,
                touchpoints=one.samples,
                at=state.at,
                variants=variants,
                sources=() if series else state.sources,
            )
            results.append(Message(VOTES, state.touchpoint, record))
    return results
