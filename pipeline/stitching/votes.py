"""Votes: verdicts counted by touchpoint, mission and minute, one vote of a customer a session.

A customer's interactions at one touchpoint in one session cast one vote for their mission, and
one for the touchpoint over all missions: broken where any of them broke, else sound. What a step
changes about a customer's votes leaves it as a `Ballot`, the difference of before and after, and
goes to the `Tally` of its touchpoint and minutes, which the same partition keeps. A tally sends
`Votes`: running totals, so that a repeat changes nothing. What they mean is `alerts`' work.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from pipeline.stitching.change import Change, Message
from pipeline.stitching.picture import Judged, Picture, Touched
from pipeline.stitching.rules import Rules
from pipeline.stitching.verdicts import LEAKED_TO_CALL
from schemas.controls import Interaction
from schemas.records import Record, Votes
from schemas.topics import VOTES

BALLOTS: Final = "ballots"
"""Where ballots go. No topic: a tally is its partition's own, and they never leave that."""

OVERALL: Final = ""
"""The series of a touchpoint over all missions, beside those of each mission."""

BLOCK: Final = 10
"""Minutes that one tally counts (P): few enough that a change writes little, many enough that
few timers run."""

NOT_BEFORE: Final = timedelta(minutes=60)
"""A customer who broke in a series so shortly before is no further customer (P)."""

SOUND_WAIT: Final = timedelta(seconds=20)
"""How long totals wait, at most, that only got more sound votes: those never break anything (P)."""

PROMPT_MAX: Final = 10
"""Broken votes of a series and minute that are sent at once (P): among so few, one more decides.
Further ones wait for each other, so that the cost does not grow with the traffic."""

SAMPLES_MAX: Final = 3
"""Broken touchpoints that a minute names, for people to look at (P)."""

Seen = tuple[Interaction, Judged]
"""An interaction with the verdict that counts, which is not always the one it has now."""

Vote = tuple[str, int, bool, bool, tuple[str, ...], str]
"""Series, minute, whether broken, whether by a customer not broken before; for broken ones the
rules that fired and the touchpoint's id."""


class Shift(msgspec.Struct, array_like=True, gc=False):
    """How the totals of one series and minute change.

    Attributes:
        series: A mission, or `OVERALL`.
        minute: Since 1970.
        votes, broken, customers, reasons: What is added; negative where it is taken back.
        samples: Ids of touchpoints that broke.
    """

    series: str
    minute: int
    votes: int = 0
    broken: int = 0
    customers: int = 0
    reasons: dict[str, int] = {}
    samples: tuple[str, ...] = ()


class Ballot(Record, frozen=True):
    """What one step changed about votes at one touchpoint, in the minutes of one tally.

    Attributes:
        block: The first minute that the tally counts, since 1970.
        at: Event time of the customer's latest interaction.
    """

    touchpoint: str
    block: int
    at: datetime
    shifts: tuple[Shift, ...]


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
    """

    touchpoint: str
    block: int
    at: datetime
    sent: datetime | None = None
    send_at: datetime | None = None
    counts: dict[str, dict[int, Count]] = {}


def minute_of(at: datetime) -> int:
    """The minute that a time lies in, counted from 1970."""
    return int(at.timestamp()) // 60


def time_of(minute: int) -> datetime:
    """When a minute begins."""
    return datetime.fromtimestamp(minute * 60, UTC)


def standing(tail: Iterable[Interaction], picture: Picture) -> dict[str, list[Vote]]:
    """All votes of a customer as they stand, by touchpoint."""
    by_touchpoint: dict[str, list[Seen]] = {}
    for one in tail:
        seen = by_touchpoint.setdefault(one.touchpoint, [])
        seen.append((one, (one.verdict, one.reasons)))
    return {name: votes_of(seen, picture) for name, seen in by_touchpoint.items()}


def ballots(
    before: dict[str, list[Vote]], after: dict[str, list[Vote]], at: datetime
) -> list[Message]:
    """The difference between all votes of a customer before and after, as messages.

    Args:
        before: As `standing` gives them; a touchpoint may be missing.
        after: Likewise.
        at: Event time of the customer's latest interaction.
    """
    made: list[Message] = []
    for touchpoint in before.keys() | after.keys():
        made += _ballots_at(touchpoint, before.get(touchpoint, []), after.get(touchpoint, []), at)
    return made


def touched_ballots(
    tail: Sequence[Interaction], picture: Picture, touched: Touched
) -> list[Message]:
    """The same for a short step, from what it touched alone."""
    made: list[Message] = []
    former = touched.former
    if len(former) == 1 and tail[-1].id in former and tail[-1].verdict != "broken":
        simple = _sound_ballot(tail, picture)
        if simple is not None:
            return simple
    for touchpoint in {one.touchpoint for one in touched.interactions}:
        before: list[Seen] = []
        after: list[Seen] = []
        for one in tail:
            if one.touchpoint != touchpoint:
                continue
            now: Judged = (one.verdict, one.reasons)
            after.append((one, now))
            was = former.get(one.id, now)
            if was is not None:
                before.append((one, was))
        votes = votes_of(after, picture)
        stood = votes_of(before, picture) if before else []
        made += _ballots_at(touchpoint, stood, votes, tail[-1].at)
    return made


def _sound_ballot(tail: Sequence[Interaction], picture: Picture) -> list[Message] | None:
    """What a latest interaction casts that is all that changed and did not break.

    None where it takes a closer look: the session was here before, for another mission.
    """
    one = tail[-1]
    if one.verdict is None:
        return []
    started, session, touchpoint = (
        picture.sessions[one.session].started,
        one.session,
        one.touchpoint,
    )
    for other in reversed(tail):
        if other.at < started:
            break
        if other.touchpoint == touchpoint and other.session == session and other is not one:
            if other.verdict is None:
                continue
            return [] if other.journey == one.journey else None
    minute = minute_of(one.at)
    shifts = [Shift(OVERALL, minute, 1)]
    if one.journey >= 0:
        shifts.append(Shift(picture.journeys[one.journey].mission, minute, 1))
    return [_ballot(touchpoint, minute // BLOCK * BLOCK, one.at, shifts)]


def votes_of(seen: Sequence[Seen], picture: Picture) -> list[Vote]:
    """The votes that one customer's interactions at one touchpoint cast.

    Args:
        seen: All of them, in order of time.
        picture: Knows their journeys, and with them their missions.

    A vote lies in the minute of the interaction that decided it: the first that broke, or else
    the first. Where nothing broke but a call showed that it had not helped, the sound vote stays,
    and a broken one lies in the minute of the call: there it is seen while customers ring.
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
            reasons[one.id] = judged
            leaks = bool(why) and why[0].rule == LEAKED_TO_CALL
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
        votes.append((series, minute_of(first.at), False, False, (), ""))
        if leaked is not None:
            waited = reasons[leaked.id][1][0].value
            assert isinstance(waited, float)
            broken.append((series, leaked.at + timedelta(seconds=waited), leaked))
    return votes + _broken(broken, reasons) if broken else votes


def _broken(
    broken: list[tuple[str, datetime, Interaction]], reasons: dict[str, Judged]
) -> list[Vote]:
    """Broken votes, each knowing whether the customer had not been broken shortly before."""
    broken.sort(key=lambda one: (one[1], one[2].id))
    last: dict[str, datetime] = {}
    votes: list[Vote] = []
    for series, at, one in broken:
        before = last.get(series)
        fresh = before is None or at - before > NOT_BEFORE
        last[series] = at
        rules = tuple(dict.fromkeys(reason.rule for reason in reasons[one.id][1]))
        votes.append((series, minute_of(at), True, fresh, rules, one.id))
    return votes


def _ballots_at(
    touchpoint: str, before: list[Vote], after: list[Vote], at: datetime
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
            series, minute, broken, fresh, rules, id_ = vote
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
    by_block: dict[int, list[Shift]] = {}
    for shift in shifts.values():
        by_block.setdefault(shift.minute // BLOCK * BLOCK, []).append(shift)
    return [_ballot(touchpoint, block, at, ones) for block, ones in by_block.items()]


def _ballot(touchpoint: str, block: int, at: datetime, shifts: list[Shift]) -> Message:
    ballot = Ballot(touchpoint=touchpoint, block=block, at=at, shifts=tuple(shifts))
    return Message(BALLOTS, f"votes {touchpoint} {block}", ballot)


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
        for shift in ballot.shifts:
            minutes = state.counts.get(shift.series)
            if minutes is None:
                minutes = state.counts[shift.series] = {}
            one = minutes.get(shift.minute)
            if one is None:
                one = minutes[shift.minute] = Count()
            _shift(one, shift)
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


def _send(state: Tally) -> list[Message]:
    state.sent, state.send_at = state.at, None
    results: list[Message] = []
    for series in sorted(state.counts, reverse=True):  # missions first: they name what breaks
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
            )
            results.append(Message(VOTES, state.touchpoint, record))
    return results
