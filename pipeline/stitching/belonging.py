"""Belonging: whose an identifier was at a time, and what it was claimed by, for people to read."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from pipeline.stitching.claims import owner_of, standing, timeline
from pipeline.stitching.erasing import States
from pipeline.stitching.ids import customer_of
from pipeline.stitching.placement import HOPS_MAX
from pipeline.stitching.rules import IdentityRules

UNLINK_WINDOW: Final = timedelta(days=30)
"""How long after it was last shown a link may be taken back (P): about as long as an identifier is
remembered at all."""

_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time in which one owner had the identifier.

    Attributes:
        since: From when; None for always before.
        owner: As `type:value`; None where it stood for itself.
    """

    since: datetime | None
    owner: str | None


class Belonging(msgspec.Struct, frozen=True, kw_only=True):
    """Whose an identifier was.

    Attributes:
        identifier: As `type:value`; a personal value as its hash.
        at: The time that was asked about.
        known: Whether anything is known of it; one that was not shown for 31 days is forgotten.
        chain: Itself, its owner, that one's owner and so on; the last is the customer's. No longer
            than interactions travel, see `placement.HOPS_MAX`.
        customer: The customer's id.
        timeline: Its direct owners, each from a time on; empty where it always stood for itself.
    """

    identifier: str
    at: datetime
    known: bool
    chain: tuple[str, ...]
    customer: str
    timeline: tuple[Stretch, ...]


def belonging_of(identifier: str, at: datetime, states: States, rules: IdentityRules) -> Belonging:
    """Whose an identifier was at a time, by all that is known now."""
    chain = [identifier]
    while len(chain) <= HOPS_MAX and (state := states(chain[-1])) is not None:
        owner = owner_of(state, at, rules)
        if owner is None or owner in chain:
            break
        chain.append(owner)
    own = states(identifier)
    stretches = [] if own is None else list(timeline(own, rules))
    return Belonging(
        identifier=identifier,
        at=at,
        known=own is not None,
        chain=tuple(chain),
        customer=customer_of(chain[-1]),
        timeline=tuple(
            Stretch(since=None if number == 0 or since == _FIRST else since, owner=owner or None)
            for number, (since, owner) in enumerate(stretches)
        ),
    )


def last_shown(identifier: str, states: States) -> dict[str, datetime]:
    """Who claims an identifier by now, and when last: the links that may be taken back."""
    state = states(identifier)
    if state is None:
        return {}
    shown: dict[str, datetime] = {}
    for one in (*standing(state.claims, state), *standing(state.implied, state)):
        if one.anchor:
            shown[one.anchor] = max(one.at, shown.get(one.anchor, one.at))
    return shown
