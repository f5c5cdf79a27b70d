"""Votes: verdicts counted by touchpoint, mission and minute, one vote of a customer a session.

A customer's interactions at one touchpoint in one session cast one vote for their mission, and
one for the touchpoint over all missions: broken where any of them broke, else sound. Each session
also casts one for every source that it is heard of by, always a sound one: whether a source has
gone quiet is seen like a touchpoint's silence. What a step changes about a customer's votes leaves
it as a `Ballot`, the difference of before and after, and goes to the tally of its touchpoint and
minutes, which the same partition keeps: `tallies`. What votes mean is `alerts`' work.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from pipeline.stitching.change import Message
from pipeline.stitching.picture import Judged, Picture, Touched
from pipeline.stitching.verdicts import BLAMES
from schemas.controls import Interaction
from schemas.records import Record

BALLOTS: Final = "ballots"
"""Where ballots go. No topic: a tally is its partition's own, and they never leave that."""

OVERALL: Final = ""
"""The series of a touchpoint over all missions, beside those of each mission."""

SOURCE: Final = "source "
"""What the key begins with under which a source is watched; no touchpoint's id has a space."""

BLOCK: Final = 10
"""Minutes that one tally counts (P): few enough that a change writes little, many enough that
few timers run."""

NOT_BEFORE: Final = timedelta(minutes=60)
"""A customer who broke in a series so shortly before is no further customer (P)."""

_NO_VARIANTS: Final[dict[str, tuple[int, int]]] = {}

_UNJUDGED: Final[Judged] = (None, ())
"""Of what was not there, or not judged."""

Seen = tuple[Interaction, Judged]
"""An interaction with the verdict that counts, which is not always the one it has now."""

Vote = tuple[str, int, bool, bool, tuple[str, ...], str, tuple[str, ...]]
"""Series, minute, whether broken, whether by a customer not broken before; for broken ones the
rules that fired and the touchpoint's id; under which releases and variants it was cast."""


class Shift(msgspec.Struct, array_like=True, gc=False):
    """How the totals of one series and minute change.

    Attributes:
        series: A mission, or `OVERALL`.
        minute: Since 1970.
        votes, broken, customers, reasons: What is added; negative where it is taken back.
        samples: Ids of touchpoints that broke.
        variants: By release or variant, how many votes and broken ones are added.
    """

    series: str
    minute: int
    votes: int = 0
    broken: int = 0
    customers: int = 0
    reasons: dict[str, int] = {}
    samples: tuple[str, ...] = ()
    variants: dict[str, tuple[int, int]] = {}


class Ballot(Record, frozen=True):
    """What one step changed about votes at one touchpoint, in the minutes of one tally.

    Attributes:
        block: The first minute that the tally counts, since 1970.
        at: Event time of the customer's latest interaction.
        sources: Those by which the customer's interactions there are heard of.
    """

    touchpoint: str
    block: int
    at: datetime
    shifts: tuple[Shift, ...]
    sources: tuple[str, ...] = ()


def minute_of(at: datetime) -> int:
    """The minute that a time lies in, counted from 1970."""
    return int(at.timestamp()) // 60


def time_of(minute: int) -> datetime:
    """When a minute begins."""
    return datetime.fromtimestamp(minute * 60, UTC)


def source_key(source: str) -> str:
    """How a source is called among the touchpoints that are watched."""
    return SOURCE + source


class AllVotes(NamedTuple):
    """All votes of a customer as they stand, by touchpoint and `source_key`.

    Attributes:
        votes: The votes.
        sources: By which sources each touchpoint is heard of.
    """

    votes: dict[str, list[Vote]]
    sources: dict[str, tuple[str, ...]]


NO_VOTES: Final = AllVotes({}, {})


def standing(tail: Iterable[Interaction], picture: Picture) -> AllVotes:
    """All votes of a customer as they stand."""
    by_touchpoint: dict[str, list[Seen]] = {}
    by_source: dict[str, list[Seen]] = {}
    for one in tail:
        seen = (one, (one.verdict, one.reasons))
        by_touchpoint.setdefault(one.touchpoint, []).append(seen)
        by_source.setdefault(one.source, []).append(seen)
    cast = {name: votes_of(seen, picture) for name, seen in by_touchpoint.items()}
    cast |= {source_key(name): _sessions_of(seen) for name, seen in by_source.items()}
    return AllVotes(cast, {name: _sources_of(seen) for name, seen in by_touchpoint.items()})


def ballots(before: AllVotes, after: AllVotes, at: datetime) -> list[Message]:
    """The difference between all votes of a customer before and after, as messages.

    Args:
        before: As `standing` gives them; touchpoints may be missing.
        after: Likewise.
        at: Event time of the customer's latest interaction.
    """
    made: list[Message] = []
    for name in sorted(before.votes.keys() | after.votes.keys()):
        stood, stands = before.votes.get(name, []), after.votes.get(name, [])
        made += _ballots_at(name, stood, stands, at, after.sources.get(name, ()))
    return made


def touched_ballots(
    tail: Sequence[Interaction], picture: Picture, touched: Touched
) -> list[Message]:
    """The same for a short step, from what it touched alone."""
    made: list[Message] = []
    former = touched.former
    if len(former) == 1 and id(tail[-1]) in former and tail[-1].verdict != "broken":
        simple = _sound_ballot(tail, picture)
        if simple is not None:
            return simple
    for touchpoint in sorted({one.touchpoint for one in touched.interactions}):
        before: list[Seen] = []
        after: list[Seen] = []
        for one in tail:
            if one.touchpoint != touchpoint:
                continue
            now: Judged = (one.verdict, one.reasons)
            after.append((one, now))
            was = former.get(id(one), now)
            if was is not None:
                before.append((one, was))
        votes = votes_of(after, picture)
        stood = votes_of(before, picture) if before else []
        made += _ballots_at(touchpoint, stood, votes, tail[-1].at, _sources_of(after))
    return made + _source_ballots(tail, touched)


def _source_ballots(tail: Sequence[Interaction], touched: Touched) -> list[Message]:
    """What a short step changes about the votes for sources: hardly ever anything."""
    former = touched.former
    changed: set[str] = set()
    for one in touched.interactions:
        was = former.get(id(one), (one.verdict, one.reasons))
        if (was is None or was[0] is None) != (one.verdict is None):
            changed.add(one.source)
    made: list[Message] = []
    for source in sorted(changed):
        before: list[Seen] = []
        after: list[Seen] = []
        for one in tail:
            if one.source == source:
                now: Judged = (one.verdict, one.reasons)
                after.append((one, now))
                before.append((one, former.get(id(one), now) or _UNJUDGED))
        stood, stands = _sessions_of(before), _sessions_of(after)
        made += _ballots_at(source_key(source), stood, stands, tail[-1].at)
    return made


def _sessions_of(seen: Sequence[Seen]) -> list[Vote]:
    """The votes for one source: one a session, in the minute of its first judged interaction."""
    first: dict[int, Interaction] = {}
    for one, (verdict, _) in seen:
        if verdict is not None:
            first.setdefault(one.session, one)
    return [(OVERALL, minute_of(one.at), False, False, (), "", ()) for one in first.values()]


def _sources_of(seen: Sequence[Seen]) -> tuple[str, ...]:
    """By which sources a touchpoint is heard of."""
    return tuple(sorted({one.source for one, (verdict, _) in seen if verdict is not None}))


def _sound_ballot(tail: Sequence[Interaction], picture: Picture) -> list[Message] | None:
    """What a latest interaction casts that is all that changed and did not break.

    None where it takes a closer look: the session was here before, for another mission, or by
    another source.
    """
    one = tail[-1]
    if one.verdict is None:
        return []
    started, session, touchpoint, source = (
        picture.sessions[one.session].started,
        one.session,
        one.touchpoint,
        one.source,
    )
    heard = False
    for other in reversed(tail):
        if other.at < started:
            break
        if other.session == session and other.verdict is not None and other is not one:
            heard = heard or other.source == source
            if other.touchpoint == touchpoint:
                return [] if heard and other.journey == one.journey else None
    minute = minute_of(one.at)
    under = dict.fromkeys(one.variants, (1, 0)) if one.variants else _NO_VARIANTS
    shifts = [Shift(OVERALL, minute, 1, variants=under)]
    if one.journey >= 0:
        mission = picture.journeys[one.journey].mission
        shifts.append(Shift(mission, minute, 1, variants=under))
    block = minute // BLOCK * BLOCK
    cast = [_ballot(touchpoint, block, one.at, shifts, (source,))]
    if not heard:
        cast.append(_ballot(source_key(source), block, one.at, [Shift(OVERALL, minute, 1)]))
    return cast


def votes_of(seen: Sequence[Seen], picture: Picture) -> list[Vote]:
    """The votes that one customer's interactions at one touchpoint cast.

    Args:
        seen: All of them, in order of time.
        picture: Knows their journeys, and with them their missions.

    A vote lies in the minute of the interaction that decided it: the first that broke, or else
    the first. Where nothing broke but a later contact showed that it had not helped, the sound vote
    stays, and a broken one lies in the minute of that contact: it is seen while customers ring.
    """
    cast: dict[tuple[int, str], tuple[Interaction, Interaction | None, Interaction | None]] = {}
    reasons: dict[str, Judged] = {}
    for one, judged in seen:
        verdict, why = judged
        if verdict is None:
            continue
        mission = picture.journeys[one.journey].mission if one.journey >= 0 else OVERALL
        decides = leaks = False
        if verdict == "broken":
            reasons[one.ref] = judged
            leaks = bool(why) and why[0].rule in BLAMES
            decides = not leaks
        for series in (mission, OVERALL) if mission else (OVERALL,):
            first, broke, leaked = cast.get((one.session, series), (one, None, None))
            if decides:
                broke = broke or one
            elif leaks:
                leaked = leaked or one
            cast[one.session, series] = (first, broke, leaked)
    broken: list[tuple[str, datetime, Interaction]] = []
    votes: list[Vote] = []
    for (_, series), (first, broke, leaked) in cast.items():
        if broke is not None:
            broken.append((series, broke.at, broke))
            continue
        votes.append((series, minute_of(first.at), False, False, (), "", first.variants))
        if leaked is not None:
            waited = reasons[leaked.ref][1][0].value
            assert isinstance(waited, float)
            broken.append((series, leaked.at + timedelta(seconds=waited), leaked))
    return votes + _broken(broken, reasons) if broken else votes


def _broken(
    broken: list[tuple[str, datetime, Interaction]], reasons: dict[str, Judged]
) -> list[Vote]:
    """Broken votes, each knowing whether the customer had not been broken shortly before."""
    broken.sort(key=lambda one: (one[1], one[2].id, one[2].source))
    last: dict[str, datetime] = {}
    votes: list[Vote] = []
    for series, at, one in broken:
        before = last.get(series)
        fresh = before is None or at - before > NOT_BEFORE
        last[series] = at
        rules = tuple(dict.fromkeys(reason.rule for reason in reasons[one.ref][1]))
        votes.append((series, minute_of(at), True, fresh, rules, one.id, one.variants))
    return votes


def _ballots_at(
    touchpoint: str,
    before: list[Vote],
    after: list[Vote],
    at: datetime,
    sources: tuple[str, ...] = (),
) -> list[Message]:
    shifts: dict[tuple[str, int], Shift] = {}
    added, removed = list(after), []
    for vote in before:
        if vote in added:
            added.remove(vote)
        else:
            removed.append(vote)
    for sign, votes in ((-1, removed), (1, added)):
        for vote in votes:
            series, minute, broken, fresh, rules, id_, variants = vote
            shift = shifts.get((series, minute))
            if shift is None:
                shift = shifts[series, minute] = Shift(series, minute)
            shift.votes += sign
            if broken:
                shift.broken += sign
                shift.customers += sign if fresh else 0
                fired = {rule: shift.reasons.get(rule, 0) + sign for rule in rules}
                shift.reasons = {**shift.reasons, **fired}
                shift.samples += (id_,) if sign > 0 else ()
            if variants:
                shift.variants = dict(shift.variants)
                for name in variants:
                    cast, bad = shift.variants.get(name, (0, 0))
                    shift.variants[name] = (cast + sign, bad + sign * broken)
    by_block: dict[int, list[Shift]] = {}
    for shift in shifts.values():
        by_block.setdefault(shift.minute // BLOCK * BLOCK, []).append(shift)
    return [_ballot(touchpoint, block, at, ones, sources) for block, ones in by_block.items()]


def _ballot(
    touchpoint: str,
    block: int,
    at: datetime,
    shifts: list[Shift],
    sources: tuple[str, ...] = (),
) -> Message:
    ballot = Ballot(
        touchpoint=touchpoint, block=block, at=at, shifts=tuple(shifts), sources=sources
    )
    return Message(BALLOTS, f"votes {touchpoint} {block}", ballot)
