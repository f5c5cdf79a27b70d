"""stitch: one customer's open touchpoints, and what follows when one more arrives or time passes.

`observe` takes the short path for what comes in order and folds again for what does not; both
give the same. Customers hand touchpoints to each other when identities merge or part, always as
sets, so that late, repeated and crossing messages do no harm.

A state that is passed in is spent: use the one that comes back.
"""

from copy import copy
from datetime import datetime, timedelta
from typing import Final

import msgspec

from pipeline.stitching import revisions
from pipeline.stitching.change import Change, Message
from pipeline.stitching.journeys import OpenJourney
from pipeline.stitching.ownership import Owners, differences, owner_at
from pipeline.stitching.picture import Picture, Touched, fold, pass_time, step
from pipeline.stitching.rules import Rules
from pipeline.stitching.sessions import OpenSession
from schemas.controls import Control, Handover, Interaction, Recall, Reroute
from schemas.records import IdentityChange, Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS, IDENTITY_CHANGES

HANDOVER_MAX: Final = 1_000
"""Interactions that one hand-over carries; more travel in pieces, so that no merge stalls (P)."""

_SEAL_FROM: Final = 64
"""Interactions from which an active customer's old ones are looked through for sealing."""


class CustomerState(msgspec.Struct, array_like=True, gc=False):
    """What is kept of one customer: bounded, and enough to fold again.

    Attributes:
        customer: The id.
        tail: Interactions that may still be revised, sorted by time, then id.
        picture: What was derived from them.
        until: How far time has passed for this customer.
        catalogue: The fingerprint of the rules that derived it.
        owners: Where the customer's identifier belongs by now: (from, customer), sorted.
        sealed: What is earlier can no longer be told apart; set when the tail had to be cut.
        looked: The tail's length at which it is next looked through for sealing.
    """

    customer: str
    tail: list[Interaction] = []
    picture: Picture = msgspec.field(default_factory=Picture)
    until: datetime | None = None
    catalogue: str = ""
    owners: Owners = ()
    identifier: str = ""
    sealed: datetime | None = None
    looked: int = _SEAL_FROM


def interaction_of(touchpoint: Touchpoint, device: str, path: tuple[str, ...]) -> Interaction:
    """A touchpoint as it is kept, keyed by `device` and come by `path`."""
    rating = touchpoint.rating
    return Interaction(
        id=touchpoint.id,
        at=touchpoint.occurred_at,
        channel=touchpoint.channel,
        name=touchpoint.name,
        location=touchpoint.location,
        intent=touchpoint.intent,
        hint=touchpoint.session_hint,
        source=touchpoint.source,
        signals=touchpoint.signals,
        rating=None if rating is None else (rating.scale, rating.value),
        device=device,
        path=path,
    )


def order_of(one: Interaction) -> tuple[datetime, str]:
    """What interactions are sorted by: time, then id."""
    return (one.at, one.id)


def observe(state: CustomerState, one: Interaction, rules: Rules) -> Change[CustomerState]:
    """One more interaction arrived. Agrees with folding the whole set, whatever the order.

    A repeat of one that is kept changes nothing. A customer that another one absorbed passes it
    on. Whether it comes too late is `is_too_late`'s to say, before.
    """
    owner = owner_at(state.owners, one.at)
    if owner is not None and owner != state.customer:
        return Change(state, [_handover(state, owner, [one])])
    tail = state.tail
    if tail:
        last = tail[-1]
        if one.at < last.at or (one.at == last.at and one.id <= last.id):
            return unite(state, [one], rules)
        if state.catalogue != rules.fingerprint or _spoke_too_soon(state, one, rules):
            return unite(state, [one], rules)
    return Change(state, _append(state, [one], rules))


def _append(state: CustomerState, ones: list[Interaction], rules: Rules) -> list[Message]:
    """The short path: interactions that are later than all others, in order."""
    state.catalogue = rules.fingerprint
    tail, picture = state.tail, state.picture
    touched = Touched()
    for one in ones:
        tail.append(one)
        step(picture, tail, one, rules, touched)
    if state.until is not None and ones[-1].at < state.until:
        pass_time(picture, tail, state.until, rules, touched)
    results = revisions.publish_touched(state.customer, picture, tail, touched, rules)
    if len(tail) >= state.looked:
        _seal(state, rules)
    return results


def _spoke_too_soon(state: CustomerState, one: Interaction, rules: Rules) -> bool:
    """Whether time had passed further than this, and silence ended a journey that now goes on."""
    if state.until is None or one.at >= state.until:
        return False
    return any(
        journey.ended and one.at - journey.last <= rules.missions.patience_of(journey.mission)
        for journey in state.picture.journeys
    )


def unite(state: CustomerState, arrivals: list[Interaction], rules: Rules) -> Change[CustomerState]:
    """Take the union with a set of interactions and fold again; publish what differs."""
    known = {one.id for one in state.tail}
    fresh = {one.id: one for one in arrivals if one.id not in known}
    same_catalogue = state.catalogue == rules.fingerprint or not state.tail
    if not fresh and same_catalogue:
        return Change(state, [])
    ones = sorted(fresh.values(), key=order_of)
    later = not state.tail or order_of(ones[0]) > order_of(state.tail[-1])
    if same_catalogue and later and not _spoke_too_soon(state, ones[0], rules):
        results = _append(state, ones, rules)
        picture, tail = state.picture, state.tail
        results += revisions.publish_taken_over(state.customer, picture, tail, ones, rules)
        return Change(state, results)
    return _refold(state, rules, [*state.tail, *ones])


def expire(
    state: CustomerState, until: datetime, rules: Rules
) -> Change[CustomerState] | Change[None]:
    """Event time passed: silence has consequences, and what no longer can change is let go.

    Returns:
        The state that follows, None when nothing has to be kept of the customer.
    """
    if state.until is None or until > state.until:
        state.until = until
    if state.catalogue != rules.fingerprint and state.tail:
        return _refold(state, rules, state.tail)
    touched = Touched()
    pass_time(state.picture, state.tail, state.until, rules, touched)
    results = revisions.publish_touched(state.customer, state.picture, state.tail, touched, rules)
    _seal(state, rules)
    if not state.tail and not state.owners:
        return Change(None, results)
    return Change(state, results)


def due_at(state: CustomerState, rules: Rules) -> datetime | None:
    """When `expire` is next worth calling: at the first silence to run out, then at sealing."""
    due: datetime | None = None
    picture = state.picture
    for serial in picture.open:
        session = picture.sessions[serial]
        at = session.last + session.gap
        if due is None or at < due:
            due = at
    for serial in picture.walked:
        journey = picture.journeys[serial]
        at = journey.last + rules.missions.patience_of(journey.mission)
        if due is None or at < due:
            due = at
    if due is None and state.tail:
        return _settled_at(picture, rules)
    return due


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


def reroute(state: CustomerState, told: Reroute, rules: Rules) -> Change[CustomerState]:
    """The customer's own identifier belongs to others by now: hand over what is theirs.

    What was forwarded to former owners is called back from them by the same way it went, so that
    the recall cannot overtake the hand-over.
    """
    state.identifier = told.identifier
    recalls = [
        Message(
            CUSTOMER_TOUCHPOINTS,
            was,
            Recall(identifier=told.identifier, start=start, until=until, to=now or state.customer),
        )
        for start, until, was, now in differences(state.owners, told.owners)
        if was not in ("", state.customer)
    ]
    state.owners = told.owners
    leaving: dict[str, list[Interaction]] = {}
    for one in state.tail:
        owner = owner_at(told.owners, one.at)
        if owner is not None and owner != state.customer:
            leaving.setdefault(owner, []).append(one)
    if not told.keep:
        state.owners = ()
    changes = [
        Message(
            IDENTITY_CHANGES,
            state.customer,
            IdentityChange(
                customer=state.customer,
                change="merged",
                at=leaving[owner][0].at,
                reason="same_person",
                identifier=told.identifier,
                into=owner,
                touchpoint=told.touchpoint,
            ),
        )
        for owner in leaving
    ]
    change = _give(state, leaving, rules)
    return Change(change.state, [*recalls, *changes, *change.results])


def recall(state: CustomerState, told: Recall, rules: Rules) -> Change[CustomerState]:
    """Hand over what came by an identifier in an interval; forwarded where it was passed on.

    What is here rightly already is from now on known to have come by that identifier alone.
    """
    leaving = [
        one
        for one in state.tail
        if told.identifier in one.path
        and (told.start is None or one.at >= told.start)
        and (told.until is None or one.at < told.until)
    ]
    for one in leaving:
        one.path = one.path[: one.path.index(told.identifier) + 1]
    elsewhere = {owner for _, owner in state.owners} - {state.customer}
    forwarded = [Message(CUSTOMER_TOUCHPOINTS, owner, told) for owner in sorted(elsewhere)]
    if told.to == state.customer:
        return Change(state, forwarded)
    change = _give(state, {told.to: leaving} if leaving else {}, rules)
    return Change(change.state, [*forwarded, *change.results])


def receive(state: CustomerState, told: Control, rules: Rules) -> Change[CustomerState]:
    """A control record addressed to this customer. Raises TypeError for one it does not know."""
    if isinstance(told, Handover):
        stays: list[Interaction] = []
        passed: dict[str, list[Interaction]] = {}
        for one in map(copy, told.interactions):
            owner = owner_at(state.owners, one.at)
            if owner is None or owner == state.customer:
                stays.append(one)
            else:
                passed.setdefault(owner, []).append(one)
        onward = [_handover(state, owner, ones) for owner, ones in passed.items()]
        change = unite(state, stays, rules)
        return Change(change.state, [*onward, *change.results])
    if isinstance(told, Recall):
        return recall(state, told, rules)
    if isinstance(told, Reroute):
        return reroute(state, told, rules)
    message = f"expected a handover, a recall or a reroute; found {type(told).__name__}"
    raise TypeError(message)


def _give(
    state: CustomerState, leaving: dict[str, list[Interaction]], rules: Rules
) -> Change[CustomerState]:
    """Hand sets of interactions to their owners and fold what remains."""
    if not leaving:
        return Change(state, [])
    gone = {one.id for ones in leaving.values() for one in ones}
    all_leave = len(gone) == len(state.tail)
    known = {} if all_leave else _before(state, rules)
    revisions.stamp(state.picture, state.tail)
    handovers = [
        _handover(state, owner, ones[at : at + HANDOVER_MAX])
        for owner, ones in leaving.items()
        for at in range(0, len(ones), HANDOVER_MAX)
    ]
    if all_leave:
        state.tail, state.picture = [], Picture()
        return Change(state, handovers)
    remaining = [one for one in state.tail if one.id not in gone]
    change = _fold_again(state, rules, remaining, known)
    return Change(change.state, [*handovers, *change.results])


def _handover(state: CustomerState, owner: str, ones: list[Interaction]) -> Message:
    passed = []
    for one in map(copy, ones):
        if state.identifier and state.identifier not in one.path:
            one.path = (*one.path, state.identifier)
        passed.append(one)
    record = Handover(giver=state.customer, interactions=tuple(passed))
    return Message(CUSTOMER_TOUCHPOINTS, owner, record)


def _refold(
    state: CustomerState, rules: Rules, interactions: list[Interaction]
) -> Change[CustomerState]:
    known = _before(state, rules)
    revisions.stamp(state.picture, state.tail)
    return _fold_again(state, rules, interactions, known)


def _before(state: CustomerState, rules: Rules) -> revisions.Before:
    """What was published and stands; nothing of it is known to hold under another catalogue."""
    if not state.tail or state.catalogue != rules.fingerprint:
        return {}
    return revisions.before(state.customer, state.picture, state.tail, rules)


def _fold_again(
    state: CustomerState, rules: Rules, interactions: list[Interaction], known: revisions.Before
) -> Change[CustomerState]:
    state.tail = sorted(interactions, key=order_of)
    state.catalogue = rules.fingerprint
    state.picture = fold(state.tail, state.until, rules, Picture())
    results = revisions.publish_changed(state.customer, known, state.picture, state.tail, rules)
    if len(state.tail) >= state.looked:
        _seal(state, rules)
    return Change(state, results)


def _session_settled_at(session: OpenSession, rules: Rules) -> datetime:
    """Until when a touchpoint inside the window may still join a session."""
    joinable = session.last + session.gap
    if session.honoured:
        joinable = max(joinable, session.started + session.length_max)
    return joinable + rules.revision_window


def _journey_settled_at(journey: OpenJourney, rules: Rules) -> datetime:
    """Until when a touchpoint inside the window may still join a journey."""
    return journey.last + rules.missions.patience_of(journey.mission) + rules.revision_window


def _settled_at(picture: Picture, rules: Rules) -> datetime:
    """When nothing of a quiet customer can change any more."""
    at = max(_session_settled_at(session, rules) for session in picture.sessions)
    for journey in picture.journeys:
        at = max(at, _journey_settled_at(journey, rules))
    return at + timedelta(microseconds=1)


def _seal(state: CustomerState, rules: Rules) -> None:
    """Let go of interactions that can no longer change: before a point that nothing spans."""
    tail, until, picture = state.tail, state.until, state.picture
    if until is not None and tail and tail[0].at < until - rules.revision_window:
        if not picture.open and not picture.walked and _settled_at(picture, rules) <= until:
            state.tail, state.picture, state.looked = [], Picture(), _SEAL_FROM
            return
        cut = until - rules.revision_window
        spans = []
        for session in picture.sessions:
            spans.append((session.started, session.last))
            if session.started < cut and until <= _session_settled_at(session, rules):
                cut = session.started
        for journey in picture.journeys:
            spans.append((journey.started, journey.last))
            if journey.started < cut and until <= _journey_settled_at(journey, rules):
                cut = journey.started
        for started, last in sorted(spans, key=lambda span: span[1], reverse=True):
            if started < cut <= last:
                cut = started
        _cut(state, cut, rules)
    state.looked = max(_SEAL_FROM, 2 * len(state.tail))


def _cut(state: CustomerState, cut: datetime, rules: Rules) -> None:
    gone = sum(one.at < cut for one in state.tail)
    if not gone:
        return
    revisions.stamp(state.picture, state.tail)
    state.tail = state.tail[gone:]
    state.picture = fold(state.tail, state.until, rules, Picture())
