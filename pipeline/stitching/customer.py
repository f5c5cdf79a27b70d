"""stitch: one customer's open touchpoints, and what follows when one more arrives or time passes.

`observe` takes the short path for what comes in order and folds again for what does not; both
give the same. What other customers send is `handovers`' work.

A state that is passed in is spent: use the one that comes back.
"""

from datetime import datetime

from pipeline.stitching import revisions, votes
from pipeline.stitching.change import Change
from pipeline.stitching.handovers import pass_on
from pipeline.stitching.kept import CustomerState, is_kept
from pipeline.stitching.picture import Touched, pass_time
from pipeline.stitching.rules import Rules
from pipeline.stitching.sealing import seal, settled_at
from pipeline.stitching.unions import append, refold, shows_late, spoke_too_soon, unite
from schemas.controls import Interaction


def observe(state: CustomerState, one: Interaction, rules: Rules) -> Change[CustomerState]:
    """One more interaction arrived. Agrees with folding the whole set, whatever the order.

    A repeat of one that is kept changes nothing. A customer that another one absorbed passes it
    on. Whether it comes too late is `is_too_late`'s to say, before.
    """
    if state.forwarding is not None:
        owner, one.path = state.forwarding.place(state.customer, one.at, one.path)
        if owner != state.customer:
            return Change(state, pass_on(state, {owner: [one]}, rules))
    tail = state.tail
    if tail:
        last = tail[-1]
        if one.at < last.at or (one.at == last.at and one.id <= last.id):
            return unite(state, [one], rules)
        if state.catalogue != rules.fingerprint or spoke_too_soon(state, one, rules):
            return unite(state, [one], rules)
        if one.intent is not None and shows_late(state, [one], rules):
            return unite(state, [one], rules)
        for other in tail:
            if other.id == one.id:
                return Change(state, [])
    return Change(state, append(state, [one], rules))


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
        return refold(state, rules, state.tail)
    touched = Touched()
    pass_time(state.picture, state.tail, state.until, rules, touched)
    results = revisions.publish_touched(state.customer, state.picture, state.tail, touched, rules)
    if touched.former:
        results += votes.touched_ballots(state.tail, state.picture, touched)
    quiet = not state.picture.open and not state.picture.walked
    if quiet or len(state.tail) >= state.looked:
        seal(state, rules)
    if state.forwarding is not None:
        state.forwarding.forget(until)
    if not is_kept(state):
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
    if due is None and picture.sessions:
        return settled_at(picture, rules)
    if due is None and state.forwarding is not None:
        return state.forwarding.until
    return due
