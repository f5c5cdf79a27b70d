"""Notices: what an identifier tells others of itself, as messages.

To its owner, that it is held; to its own customer and to former owners, whose it is by now; to
subscribers, that somebody was linked or unlinked.
"""

from datetime import datetime

from pipeline.stitching.change import Message
from pipeline.stitching.claims import Claim, IdentifierState
from pipeline.stitching.ids import customer_of
from pipeline.stitching.ownership import Owners
from schemas.controls import Recall, Reroute
from schemas.records import IdentityChange, IdentityMove, Link
from schemas.topics import CUSTOMER_TOUCHPOINTS, IDENTITY_CHANGES, LINKS

Witness = tuple[str, str]
"""The touchpoint that shows something: its source and its id."""


def holds(key: str, made: Claim, witness: Witness, *, revoked: bool = False) -> Message:
    """Tell an owner what it owns from now on, or no longer does."""
    record = Link(
        identifier=made.anchor,
        anchor=made.anchor,
        at=made.at,
        origin=key,
        reason="holds",
        touchpoint=witness[1],
        revoked=revoked,
        source=witness[0],
    )
    return Message(LINKS, made.anchor, record)


def reroute(state: IdentifierState, key: str, owners: Owners, witness: Witness) -> Message:
    """Tell its own customer whose it is, with the whole timeline."""
    assert state.seen is not None
    told = Reroute(
        identifier=key,
        version=state.version,
        owners=_customers_of(key, owners),
        keep=state.kept,
        at=state.seen,
        touchpoint=witness[1],
        source=witness[0],
    )
    return Message(CUSTOMER_TOUCHPOINTS, customer_of(key), told)


def recall(state: IdentifierState, key: str, customer: str, owners: Owners) -> Message:
    """Tell a former owner the same."""
    assert state.seen is not None
    told = Recall(
        identifier=key,
        version=state.version,
        owners=_customers_of(key, owners),
        since=state.forgotten,
        at=state.seen,
    )
    return Message(CUSTOMER_TOUCHPOINTS, customer, told)


def _customers_of(key: str, owners: Owners) -> Owners:
    own = customer_of(key)
    return tuple((at, customer_of(name) if name else own) for at, name in owners)


def changed(
    owner: str, change: IdentityMove, at: datetime, key: str, reason: str, witness: Witness
) -> Message:
    """Tell subscribers who was linked or unlinked."""
    record = IdentityChange(
        customer=customer_of(owner),
        change=change,
        at=at,
        reason=reason,
        identifier=key,
        into=None,
        touchpoint=witness[1],
        source=witness[0],
    )
    return Message(IDENTITY_CHANGES, record.customer, record)
