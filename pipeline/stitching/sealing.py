"""Sealing: what can no longer change is let go of, so that the state stays bounded.

A touchpoint inside the revision window may still join a session up to its gap, and a journey up
to its patience, before the window; so interactions are kept that much longer. Those of a journey
that came to nothing are kept until no later contact can blame them.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from pipeline.stitching import leakage, outcomes, revisions
from pipeline.stitching.journeys import COMPLETED, LIVE, OpenJourney
from pipeline.stitching.kept import SEAL_FROM, CustomerState
from pipeline.stitching.order import let_stand
from pipeline.stitching.picture import Picture, fold, looked_back
from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import SESSIONS_MAX, OpenSession

TAIL_BYTES_MAX: Final = 3 * 1024**2
"""Bytes of the interactions that are kept, as JSON, which is how they are handed over (P): 500 of
any person's are a twentieth of it. With what else is kept it stays below what a record holds."""

INTERACTION_BYTES_MAX: Final = 32 * 1024
"""About the most that one takes: by so many more at the worst is reckoned when to look again."""

_encode: Final = msgspec.json.Encoder().encode


def is_too_late(
    state: CustomerState | None, at: datetime, until: datetime | None, rules: Rules
) -> bool:
    """Whether a touchpoint of this time can no longer correct anything.

    The window is 24 h behind the watermark; a journey that reaches further back, and is open or
    ended within the window and its mission's patience, keeps it open from its start on.
    """
    if state is not None and state.sealed is not None and at < state.sealed:
        return True
    if until is None or at >= until - rules.revision_window:
        return False
    if state is None:
        return True
    return not any(
        journey.started <= at and until <= _journey_settled_at(journey, rules)
        for journey in state.picture.journeys
    )


def _session_settled_at(session: OpenSession, rules: Rules) -> datetime:
    """Until when a touchpoint inside the window may still join a session."""
    return _joinable_until(session) + rules.revision_window


def _joinable_until(session: OpenSession) -> datetime:
    joinable = session.last + session.gap
    if not session.honoured:
        return joinable
    longest = session.started + session.length_max
    return longest if longest > joinable else joinable


def _journey_settled_at(journey: OpenJourney, rules: Rules) -> datetime:
    """Until when a touchpoint inside the window may still join a journey, or undo its outcome."""
    return journey.last + rules.missions.memory_of(journey.mission) + rules.revision_window


def _journey_kept_until(journey: OpenJourney, rules: Rules) -> datetime:
    """Until when it can change: also by a contact that blames what it came to nothing with."""
    return journey.last + _kept_for(journey, rules) + rules.revision_window


def _kept_for(journey: OpenJourney, rules: Rules) -> timedelta:
    kind = (journey.mission, journey.stand is COMPLETED, LIVE.isdisjoint(journey.channels))
    known = rules.kept_for.get(kind)
    if known is None:
        memory = rules.missions.memory_of(journey.mission)
        known = rules.kept_for[kind] = max(memory, leakage.blamable_for(journey, rules))
    return known


def settled_at(picture: Picture, rules: Rules) -> datetime:
    """When nothing of a quiet customer can change any more."""
    at = picture.sessions[0].last
    for session in picture.sessions:
        until = _joinable_until(session)
        if until > at:
            at = until
    for journey in picture.journeys:
        until = journey.last + _kept_for(journey, rules)
        if until > at:
            at = until
    return at + rules.revision_window + timedelta(microseconds=1)


def seal(state: CustomerState, rules: Rules) -> None:
    """Let go of interactions that can no longer change: before a point that nothing spans.

    Of more than `rules.touchpoints_max`, or `TAIL_BYTES_MAX`, the older half is let go of all the
    same: what it belongs to goes on, but what comes later and is older than that is too late.
    """
    tail, until, picture = state.tail, state.until, state.picture
    if until is not None and tail and tail[0].at < until - rules.revision_window:
        if not picture.open and not picture.walked and settled_at(picture, rules) <= until:
            state.tail, state.picture, state.base = [], Picture(), None
            state.looked = SEAL_FROM
            return
        cut = until - rules.revision_window
        spans = []
        for session in picture.sessions:
            spans.append((session.started, session.last))
            if session.started < cut and until <= _session_settled_at(session, rules):
                cut = session.started
        for journey in picture.journeys:
            spans.append((journey.started, journey.last))
            if journey.started < cut and until <= _journey_kept_until(journey, rules):
                cut = journey.started
        for started, last in sorted(spans, key=lambda span: span[1], reverse=True):
            if started < cut <= last:
                cut = started
        _let_go(state, sum(one.at < cut for one in tail), rules)
    if len(state.tail) > rules.touchpoints_max:
        _force(state, len(state.tail) - rules.touchpoints_max // 2, rules)
    if len(state.tail) < SEAL_FROM:  # as many of the longest take less; most customers have fewer
        state.looked = SEAL_FROM
        return
    room = TAIL_BYTES_MAX - len(_encode(state.tail))
    while room < 0 and len(state.tail) > 1:
        _force(state, len(state.tail) // 2, rules)
        room = TAIL_BYTES_MAX - len(_encode(state.tail))
    count = len(state.tail)
    room_for = count + max(1, room // INTERACTION_BYTES_MAX)
    state.looked = max(SEAL_FROM, min(2 * count, room_for, rules.touchpoints_max + 1))


def foundation(state: CustomerState, rules: Rules) -> Picture:
    """What the tail is folded on top of: a fresh copy of the base, or nothing.

    A journey whose mission the catalogue no longer has does not go on.
    """
    base = state.base
    if base is None:
        return Picture()
    if any(one.mission not in rules.missions.all for one in base.journeys):
        base.journeys = [one for one in base.journeys if one.mission in rules.missions.all]
        for serial, journey in enumerate(base.journeys):
            journey.serial = serial
        base.walked = list(range(len(base.journeys)))
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state.base), type=Picture)


def _may_go_on(session: OpenSession, at: datetime) -> bool:
    """Whether a closed session is joined again by its id alone."""
    return session.honoured and at - session.started <= session.length_max


def _let_go(state: CustomerState, count: int, rules: Rules) -> None:
    if not count:
        return
    revisions.stamp(state)
    let_stand(state.tail, count, rules)
    state.tail = state.tail[count:]
    state.picture = fold(state.tail, state.until, rules, foundation(state, rules))


def _force(state: CustomerState, count: int, rules: Rules) -> None:
    """Let go of the oldest interactions, though sessions and journeys of theirs go on."""
    revisions.stamp(state)
    gone = state.tail[:count]
    ground = foundation(state, rules)
    taken = looked_back(state.tail, ground, rules)  # also by intents of what stays
    whole = fold(gone, None, rules, ground, taken)
    base = Picture()
    going = [one for one in whole.sessions if not one.closed or _may_go_on(one, gone[-1].at)]
    going.sort(key=lambda one: (one.closed, -one.last.timestamp(), one.serial))
    kept = {one.serial for one in going[:SESSIONS_MAX]}
    for serial, session in enumerate(whole.sessions):
        if serial not in kept:
            continue
        session.carried = outcomes.carried_by(session.carried, gone, "session", serial)
        session.blamed = ()  # all of it came before, and was let go of as it is
        session.serial = len(base.sessions)
        if not session.closed:
            base.open.append(session.serial)
        base.sessions.append(session)
    for serial in whole.walked:
        journey = whole.journeys[serial]
        journey.carried = outcomes.carried_by(journey.carried, gone, "journey", serial)
        journey.serial = len(base.journeys)
        base.walked.append(journey.serial)
        base.journeys.append(journey)
    state.base, state.sealed = base, state.tail[count].at
    let_stand(state.tail, count, rules)
    state.tail = state.tail[count:]
    state.picture = fold(state.tail, state.until, rules, foundation(state, rules))
