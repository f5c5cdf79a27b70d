"""Hand-overs: customers give each other interactions when identities merge, part or change hands.

Always as sets, and each message says the whole truth about one identifier, so that late and
repeated messages do no harm. A recall that is passed on can still overtake a newer decision where
keys are read at their own pace; the embedded engine settles them in order.
"""

from copy import copy
from typing import Final

from pipeline.stitching import revisions
from pipeline.stitching.change import Change, Message
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.ownership import differences, owner_at
from pipeline.stitching.picture import Picture
from pipeline.stitching.rules import Rules
from pipeline.stitching.unions import before, fold_again, unite
from schemas.controls import Control, Handover, Interaction, Recall, Reroute
from schemas.records import IdentityChange
from schemas.topics import CUSTOMER_TOUCHPOINTS, IDENTITY_CHANGES

HANDOVER_MAX: Final = 1_000
"""Interactions that one hand-over carries; more travel in pieces, so that no merge stalls (P)."""


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
        onward = [handover(state, owner, ones, state.identifier) for owner, ones in passed.items()]
        change = unite(state, stays, rules)
        return Change(change.state, [*onward, *change.results])
    if isinstance(told, Recall):
        return recall(state, told, rules)
    if isinstance(told, Reroute):
        return reroute(state, told, rules)
    message = f"expected a handover, a recall or a reroute; found {type(told).__name__}"
    raise TypeError(message)


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
    change = _give(state, leaving, rules, told.identifier)
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
    change = _give(state, {told.to: leaving} if leaving else {}, rules, "")
    return Change(change.state, [*forwarded, *change.results])


def _give(
    state: CustomerState, leaving: dict[str, list[Interaction]], rules: Rules, via: str
) -> Change[CustomerState]:
    """Hand sets of interactions to their owners and fold what remains."""
    if not leaving:
        return Change(state, [])
    gone = {one.id for ones in leaving.values() for one in ones}
    all_leave = len(gone) == len(state.tail) and state.base is None
    known = {} if all_leave else before(state, rules)
    revisions.stamp(state)
    handovers = [
        handover(state, owner, ones[at : at + HANDOVER_MAX], via)
        for owner, ones in leaving.items()
        for at in range(0, len(ones), HANDOVER_MAX)
    ]
    if all_leave:
        state.tail, state.picture = [], Picture()
        return Change(state, handovers)
    remaining = [one for one in state.tail if one.id not in gone]
    change = fold_again(state, rules, remaining, known)
    return Change(change.state, [*handovers, *change.results])


def handover(state: CustomerState, owner: str, ones: list[Interaction], via: str = "") -> Message:
    """A hand-over of copies; `via` is the identifier whose owner gets them, put on their path.

    What answers a recall goes by the recalled identifier alone, which ends its path already.
    """
    passed = []
    for one in map(copy, ones):
        if via and via not in one.path:
            one.path = (*one.path, via)
        passed.append(one)
    record = Handover(giver=state.customer, interactions=tuple(passed))
    return Message(CUSTOMER_TOUCHPOINTS, owner, record)
