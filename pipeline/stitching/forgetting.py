"""Forgetting: what identifiers and customers do when an operator's `Erase` reaches them.

Keys are read at their own pace, so what an erased customer did may still be on its way from one to
another. So an erased key remembers for a while that it is, and drops what was received by then.
"""

from datetime import datetime

import msgspec

from pipeline.stitching import notices
from pipeline.stitching.change import Change, Message
from pipeline.stitching.claims import IdentifierState, timeline
from pipeline.stitching.erasing import Circle, forget_in_customer, forget_in_identifier
from pipeline.stitching.identity import BY_OPERATOR
from pipeline.stitching.ids import customer_of
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.rules import IdentityRules
from schemas.controls import Erase, Handover
from schemas.records import IdentityChange, Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS, IDENTITY_CHANGES


def in_identifier(
    state: IdentifierState, key: str, told: Erase, rules: IdentityRules
) -> Change[IdentifierState]:
    """The identifier forgets, and tells its own customer; its version goes on rising."""
    circle = Circle(told.names)
    onward = Message(CUSTOMER_TOUCHPOINTS, customer_of(key), told)
    if key in circle.names:
        if state.erased is None or state.erased < told.at:
            state = IdentifierState(erased=told.at, seen=told.at, version=state.version + 1)
        return Change(state, [onward])
    if not forget_in_identifier(state, circle):
        return Change(state, [onward])
    if state.seen is None:
        state.seen = told.at
    moved = notices.reroute(state, key, timeline(state, rules), ("", ""))
    return Change(state, [onward, moved])


def in_customer(state: CustomerState, told: Erase) -> Change[CustomerState]:
    """The customer forgets; one that is erased whole says so to subscribers."""
    circle = Circle(told.names)
    if state.customer not in circle.customers:
        forget_in_customer(state, circle)
        return Change(state, [])
    if state.erased is None or state.erased < told.at:
        state = CustomerState(state.customer, erased=told.at)
    change = IdentityChange(
        customer=state.customer, change="erased", at=told.at, reason=BY_OPERATOR
    )
    return Change(state, [Message(IDENTITY_CHANGES, state.customer, change)])


def is_erased(erased: datetime | None, touchpoint: Touchpoint) -> bool:
    """Whether a touchpoint is of the time before its identifier or customer was erased."""
    return erased is not None and touchpoint.received_at <= erased


def remaining(erased: datetime, told: Handover) -> Handover:
    """What a hand-over brings that is not of the time before.

    By when it happened, since when it was received is not known any more.
    """
    kept = tuple(one for one in told.interactions if one.at > erased)
    return msgspec.structs.replace(told, interactions=kept)
