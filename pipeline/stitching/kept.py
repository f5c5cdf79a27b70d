"""What is kept of one customer: the interactions that may still be revised, and their picture."""

from datetime import datetime
from typing import Final

import msgspec

from pipeline.stitching.ownership import Owners
from pipeline.stitching.picture import Picture
from schemas.controls import Interaction
from schemas.records import Touchpoint

SEAL_FROM: Final = 64
"""Interactions from which an active customer's old ones are looked through for sealing."""


class CustomerState(msgspec.Struct, array_like=True, gc=False):
    """What is kept of one customer: bounded, and enough to fold again.

    Attributes:
        customer: The id.
        tail: Interactions that may still be revised, sorted by time, then id.
        picture: What was derived from them.
        base: What was derived from interactions that had to be let go of while something they
            belong to goes on; the tail is folded on top of it.
        until: How far time has passed for this customer.
        catalogue: The fingerprint of the rules that derived it.
        owners: Where the customer's identifier belongs by now: (from, customer), sorted.
        sealed: What is earlier can no longer be told apart; set when the tail had to be cut.
        looked: The tail's length at which it is next looked through for sealing.
    """

    customer: str
    tail: list[Interaction] = []
    picture: Picture = msgspec.field(default_factory=Picture)
    base: Picture | None = None
    until: datetime | None = None
    catalogue: str = ""
    owners: Owners = ()
    identifier: str = ""
    sealed: datetime | None = None
    looked: int = SEAL_FROM


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
