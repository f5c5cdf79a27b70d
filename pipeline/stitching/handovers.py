"""Hand-overs: customers give each other interactions when identities merge, part or change hands.

Always as sets, and each message says the whole truth about one identifier, so that late, repeated
and crossing messages do no harm; why is told in `placement`.
"""

from copy import copy
from typing import Final

from pipeline.stitching import revisions, votes
from pipeline.stitching.change import Change, Message
from pipeline.stitching.kept import CustomerState, forwarding_of
from pipeline.stitching.order import clock_of
from pipeline.stitching.picture import Picture
from pipeline.stitching.placement import Told
from pipeline.stitching.rules import Rules
from pipeline.stitching.unions import before, fold_again, unite
from schemas.controls import Control, Handover, Interaction, Recall, Reroute
from schemas.records import IdentityChange
from schemas.topics import CUSTOMER_TOUCHPOINTS, IDENTITY_CHANGES

HANDOVER_MAX: Final = 1_000
"""Interactions that one hand-over carries; more travel in pieces, so that no merge stalls (P)."""

Leaving = dict[str, list[Interaction]]
"""Interactions by the customer they belong to instead, each with the path that takes it there."""


def receive(state: CustomerState, told: Control, rules: Rules) -> Change[CustomerState]:
    """A control record addressed to this customer. Raises TypeError for one it does not know."""
    if isinstance(told, Handover):
        stays, onward = taken(state, told, rules)
        change = unite(state, stays, rules)
        return Change(change.state, [*onward, *change.results])
    if isinstance(told, Recall):
        return recall(state, told, rules)
    if isinstance(told, Reroute):
        return reroute(state, told, rules)
    message = f"expected a handover, a recall or a reroute; found {type(told).__name__}"
    raise TypeError(message)


def taken(
    state: CustomerState, told: Handover, rules: Rules
) -> tuple[list[Interaction], list[Message]]:
    """What is handed over and stays here; and what belongs to others by now, as messages."""
    stays: list[Interaction] = []
    passed: Leaving = {}
    for one in map(copy, told.interactions):
        if state.forwarding is not None:
            owner, one.path = state.forwarding.place(state.customer, clock_of(one), one.path)
            if owner != state.customer:
                passed.setdefault(owner, []).append(one)
                continue
        stays.append(one)
    return stays, pass_on(state, passed, rules)


def reroute(state: CustomerState, told: Reroute, rules: Rules) -> Change[CustomerState]:
    """The customer's own identifier belongs to others by now: hand over what is theirs."""
    forwarding = forwarding_of(state)
    if told.version < forwarding.version:
        return Change(state, [])
    forwarding.identifier, forwarding.version = told.identifier, told.version
    forwarding.owners = told.owners
    leaving = _misplaced(state)
    changes = [
        Message(
            IDENTITY_CHANGES,
            state.customer,
            IdentityChange(
                customer=state.customer,
                change="merged",
                at=ones[0].at,
                reason="same_person",
                identifier=told.identifier,
                into=owner,
                touchpoint=told.touchpoint,
                source=told.source,
            ),
        )
        for owner, ones in leaving.items()
    ]
    if not told.keep:
        # Nobody else addresses this customer, but what others were given under an earlier version
        # may come back.
        forwarding.owners = ()
        if told.version > 1:
            known = Told(told.version, told.owners)
            forwarding.learn(told.identifier, known, told.at + rules.revision_window)
    change = _give(state, leaving, rules)
    return Change(change.state, [*changes, *change.results])


def recall(state: CustomerState, told: Recall, rules: Rules) -> Change[CustomerState]:
    """Hand over what came by an identifier and is others' by now; whom it was passed to is told.

    Hand-overs go first, so that the news finds them there.
    """
    forwarding = forwarding_of(state)
    known = Told(told.version, told.owners, told.since)
    if not forwarding.learn(told.identifier, known, told.at + rules.revision_window):
        return Change(state, [])
    change = _give(state, _misplaced(state), rules)
    news = [
        Message(CUSTOMER_TOUCHPOINTS, one, told)
        for one in forwarding.passed
        if one != state.customer
    ]
    return Change(change.state, [*change.results, *news])


def _misplaced(state: CustomerState) -> Leaving:
    """What is kept here and belongs to others by what is known now."""
    leaving: Leaving = {}
    forwarding = forwarding_of(state)
    for one in state.tail:
        owner, one.path = forwarding.place(state.customer, clock_of(one), one.path)
        if owner != state.customer:
            leaving.setdefault(owner, []).append(one)
    return leaving


def _give(state: CustomerState, leaving: Leaving, rules: Rules) -> Change[CustomerState]:
    """Hand sets of interactions to their owners and fold what remains."""
    if not leaving:
        return Change(state, [])
    gone = {one.ref for ones in leaving.values() for one in ones}
    all_leave = len(gone) == len(state.tail) and state.base is None
    known = {} if all_leave else before(state, rules)
    revisions.stamp(state)
    handovers = pass_on(state, leaving, rules)
    if all_leave:
        if rules.votes:
            cast = votes.standing(state.tail, state.picture)
            handovers += votes.ballots(cast, votes.NO_VOTES, state.tail[-1].at)
        state.tail, state.picture = [], Picture()
        return Change(state, handovers)
    remaining = [one for one in state.tail if one.ref not in gone]
    change = fold_again(state, rules, remaining, known)
    return Change(change.state, [*handovers, *change.results])


def pass_on(state: CustomerState, leaving: Leaving, rules: Rules) -> list[Message]:
    """Copies of interactions on their way to their owners, at most `HANDOVER_MAX` a message."""
    for owner, ones in leaving.items():
        for one in ones:
            forwarding_of(state).pass_on(owner, one.path, one.at + rules.revision_window)
    return [
        Message(
            CUSTOMER_TOUCHPOINTS,
            owner,
            Handover(state.customer, tuple(map(copy, ones[at : at + HANDOVER_MAX]))),
        )
        for owner, ones in leaving.items()
        for at in range(0, len(ones), HANDOVER_MAX)
    ]
