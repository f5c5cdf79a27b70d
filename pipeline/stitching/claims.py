"""Claims: what one identifier knows of its owners, and who owns it at a time.

An identifier belongs to the last to have claimed it by then, or, before the first claim, to the
first: a function of the set of claims, whatever the order in which they came.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

from pipeline.stitching.ownership import Owners, owner_at
from pipeline.stitching.rules import IdentityRules
from schemas.identifiers import IdentifierClass

CLAIMS_MAX: Final = 64
"""Claims that one identifier remembers; of more, repeats by the same owner are thinned out."""


_WEAK: Final = IdentifierClass.WEAK  # looked up once: to ask an enumeration is a call
_BEFORE_ALL: Final = datetime(1, 1, 1, tzinfo=UTC)


PARTED_MAX: Final = 64
"""Owners from whom an identifier remembers having been parted (P): as many as it remembers claims.
Of more, the longest parted is forgotten, and all that it had claimed."""


class Claim(msgspec.Struct, array_like=True, frozen=True, gc=False, order=True):
    """`anchor` was shown to own the identifier at a time.

    `origin` names the span of time or the device that says so, where another identifier does: of
    two claims with the same origin, one replaces the other.
    """

    at: datetime
    anchor: str
    origin: str = ""


class IdentifierState(msgspec.Struct, array_like=True, gc=False):
    """What is known of one identifier.

    Attributes:
        claims: By the owners it was shown with, sorted.
        implied: By owners that a device met besides it; they count where nothing else does.
        told: What other identifiers were told because of this one: (identifier, at) → anchor.
        held: Identifiers that this one owns, and when each was last claimed.
        refused: Owners that may not own it, since they own too many.
        spans: The first time told of each (identifier, owner, span); see `identity.LINK_SPAN`.
        addressed: Whether touchpoints were sent to its own customer.
        kept: Whether other keys may address its own customer, which therefore has to remember
            whom to forward to.
        mixed: Whether different owners ever claimed it, or one was parted from it: then only the
            timeline tells whose it is.
        forgotten: What is earlier is nobody's any more: claims that old had to be let go of.
        seen: The latest event time at which anything showed it.
        version: How often its timeline has changed.
        parted: Owners that an operator parted it from, and when: what they claimed until then
            does not count. None where that never happened, as nearly always.
        erased: When its customer was erased: what was received by then is dropped.
    """

    claims: list[Claim] = []
    implied: list[Claim] = []
    told: list[Claim] = []
    held: dict[str, datetime] = {}
    refused: list[str] = []
    spans: dict[str, datetime] = {}
    addressed: bool = False
    kept: bool = False
    mixed: bool = False
    forgotten: datetime | None = None
    seen: datetime | None = None
    version: int = 0
    parted: dict[str, datetime] | None = None
    erased: datetime | None = None


def standing(claims: list[Claim], state: IdentifierState) -> list[Claim]:
    """Those that count: not what an operator took back, by a claim's owner and until a time."""
    parted = state.parted
    if not parted:
        return claims
    return [one for one in claims if one.anchor not in parted or one.at > parted[one.anchor]]


def part_from(state: IdentifierState, owner: str, at: datetime) -> None:
    """Take back what an owner claimed until then."""
    parted = {**(state.parted or {}), owner: at}
    if len(parted) > PARTED_MAX:
        oldest = min(parted, key=lambda name: (parted[name], name))
        until = parted.pop(oldest)
        for claims in (state.claims, state.implied):
            claims[:] = [one for one in claims if one.anchor != oldest or one.at > until]
    state.parted, state.mixed = parted, True


def owner_of(state: IdentifierState, at: datetime, rules: IdentityRules) -> str | None:
    """Who owns the identifier at a time; None where it stands for itself."""
    claims = state.claims
    if not claims and not state.implied:
        return None
    if claims and not state.mixed and not state.refused:
        return claims[0].anchor
    return owner_at(timeline(state, rules), at) or None


def timeline(state: IdentifierState, rules: IdentityRules) -> Owners:
    """Who owned the identifier, each from a time on. An empty owner means itself.

    From the moment that too many people share it, a claim holds for a session's length only. What
    is older than the oldest claim belongs to its owner, unless older claims were forgotten.
    """
    counted = standing(state.claims, state) or standing(state.implied, state)
    claims = [one for one in counted if one.anchor not in state.refused]
    owners: list[tuple[datetime, str]] = []
    if state.forgotten is not None and claims:
        owners.append((_BEFORE_ALL, ""))
    may_be_shared = len({one.anchor for one in claims}) > rules.shared_customers_max
    for at, one in enumerate(claims):
        if not owners or owners[-1][1] != one.anchor:
            owners.append((one.at, one.anchor))
        if may_be_shared and is_shared(claims[: at + 1], rules):
            until = one.at + rules.shared_claim
            if at + 1 == len(claims) or claims[at + 1].at > until:
                owners.append((until, ""))
    return tuple(owners)


def is_shared(claims: list[Claim], rules: IdentityRules) -> bool:
    """Whether, as of its last claim, too many people used a device: more than 3 in 30 days (P)."""
    since = claims[-1].at - rules.shared_window
    people: set[str] = set()
    for one in reversed(claims):
        if one.at < since:
            break
        if one.anchor not in people and class_of(one.anchor, rules) == "unique":
            people.add(one.anchor)
            if len(people) > rules.shared_customers_max:
                return True
    return False


def class_of(identifier: str, rules: IdentityRules) -> IdentifierClass:
    """The class of `type:value`; weak where the type is not known."""
    return rules.classes.get(identifier.partition(":")[0], _WEAK)


def thin(state: IdentifierState, claims: list[Claim]) -> None:
    """Of more claims, or implied ones, than are remembered forget one.

    The oldest that repeats its neighbours', else the oldest of all: what is older still, nobody
    owns from then on.
    """
    if len(claims) <= CLAIMS_MAX:
        return
    for at in range(1, len(claims) - 1):
        if claims[at - 1].anchor == claims[at].anchor == claims[at + 1].anchor:
            del claims[at]
            return
    del claims[0]
    if state.forgotten is None or claims[0].at > state.forgotten:
        state.forgotten = claims[0].at
