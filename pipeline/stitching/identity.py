"""identify: whose identifier this is. Keyed by identifier; only messages pass between keys.

Identifiers are ranked. In a record, the strongest owns the others from that moment on. Each
identifier keeps a short list of such claims; at any time it belongs to the last to have claimed
it by then, or, before the first claim, to the first. So one device that two people log in on
belongs to each in turn and never joins them; and since the answer is a function of the set of
claims, the order of arrival does not matter. An owner may be owned in turn - device, e-mail,
account - and its own customer passes on what it gets (`handovers.reroute`).

What a device met at different times it joins too: its e-mail belongs to its login. A device of
too many people is shared: it joins nothing, and a login counts for one session's length only.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from pipeline.stitching import caps, notices
from pipeline.stitching.change import Change, Message
from pipeline.stitching.claims import (
    Claim,
    IdentifierState,
    class_of,
    is_shared,
    owner_of,
    part_from,
    standing,
    thin,
    timeline,
)
from pipeline.stitching.ids import customer_of
from pipeline.stitching.notices import Witness
from pipeline.stitching.ownership import Owners, differences
from pipeline.stitching.rules import IdentityRules, Rules
from schemas.identifiers import PREVIOUS_ID, UNLINKED_FROM, blocked
from schemas.records import IdentityMove, Link, Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS, LINKS

LINK_SPAN: Final = 600.0
"""Seconds of event time within which one identifier tells another of the same owner once, with
the earliest time seen (P). A record that shows an account, a user and a device need not say so
every time; and since the earliest of a set does not depend on the order of arrival, nor does
the result."""

SPANS_MAX: Final = 32
"""Spans an identifier remembers having told of; a forgotten one is told again, harmlessly."""

BY_OPERATOR: Final = "asked_by_operator"
"""Reason of a change that no record showed."""

_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)


Shown = tuple[Touchpoint, tuple[str, ...]]
"""A touchpoint, and the stronger identifiers that `keys.read` finds in it, strongest first."""


def identify(
    state: IdentifierState, key: str, arrived: Sequence[Shown], rules: IdentityRules
) -> Change[IdentifierState]:
    """Touchpoints keyed by this identifier: send each to its customer, and tell what they show.

    A touchpoint goes to the customer of its strongest identifier; one that shows none besides the
    key's own, to whoever owns that at the time, by all that is known once the last has arrived. So
    what was seen before a log-in that arrived with it goes straight to its owner, and need not be
    handed over.
    """
    results: list[Message] = []
    for touchpoint, shown in arrived:
        results += _learn(state, key, touchpoint, shown, rules)
    for touchpoint, shown in arrived:
        if shown:
            customer, path, version = customer_of(shown[0]), (shown[0],), 0
        else:
            owner = owner_of(state, touchpoint.occurred_at, rules)
            if owner is None:
                state.addressed = True
                owner = key
            customer, path, version = customer_of(owner), (key,), state.version
        results.append(Message(CUSTOMER_TOUCHPOINTS, customer, touchpoint, (key, path), version))
    return Change(state, results)


def _learn(
    state: IdentifierState,
    key: str,
    touchpoint: Touchpoint,
    shown: tuple[str, ...],
    rules: IdentityRules,
) -> list[Message]:
    """Note what one touchpoint shows, and tell whom it concerns."""
    at = touchpoint.occurred_at
    if state.seen is None or at > state.seen:
        state.seen = at
    if UNLINKED_FROM in touchpoint.identifiers:
        return part(state, key, touchpoint, rules)
    results: list[Message] = []
    witness = (touchpoint.source, touchpoint.id)
    alias = _alias(touchpoint, shown[0] if shown else key, rules)
    if alias is not None and alias[0] == key:
        results = claim(state, key, Claim(at, alias[1]), witness, rules)
    if shown:
        anchor = shown[0]
        results += claim(state, key, Claim(at, anchor), witness, rules)
        for other in shown[1:]:
            results += _tell(state, key, other, anchor, touchpoint, "shown_together")
    if alias is not None and alias[0] != key:
        results += _tell(state, key, *alias, touchpoint, "alias")
    return results


def link(
    state: IdentifierState, key: str, told: Link, rules: IdentityRules
) -> Change[IdentifierState]:
    """Another identifier's record showed something about this one.

    From then on, others may address its own customer, which has to forward.
    """
    if state.seen is None or told.at > state.seen:
        state.seen = told.at
    if told.reason == "holds":
        results = _keep(state, key, told, rules)
        return Change(state, results + caps.hold(state, key, told, rules))
    results = _keep(state, key, told, rules)
    made, witness = Claim(told.at, told.anchor, told.origin), (told.source, told.touchpoint)
    if told.reason in ("shown_together", "alias"):
        return Change(state, results + claim(state, key, made, witness, rules))
    before = timeline(state, rules)
    if told.reason == "cap":
        caps.refuse(state, told.anchor)
    else:
        at_origin = (told.at, told.origin)
        state.implied = [one for one in state.implied if (one.at, one.origin) != at_origin]
        if not told.revoked:
            insort(state.implied, made)
            thin(state, state.implied)
    return Change(state, results + _moved(state, key, before, witness, rules, told.reason))


def part(
    state: IdentifierState, key: str, touchpoint: Touchpoint, rules: IdentityRules
) -> list[Message]:
    """An operator says that an owner is none: what it claimed until now counts no more.

    A claim that comes later, or of a later time, does: parting is itself a claim with a time, and
    so a matter of the set, not of the order of arrival.
    """
    owner, at = touchpoint.identifiers[UNLINKED_FROM], touchpoint.occurred_at
    known = (state.parted or {}).get(owner)
    if known is not None and known >= at:
        return []
    before = timeline(state, rules)
    part_from(state, owner, at)
    witness = (touchpoint.source, touchpoint.id)
    results = _moved(state, key, before, witness, rules, BY_OPERATOR)
    if not any(one.anchor == owner for one in standing(state.claims, state)):
        results.append(notices.holds(key, Claim(at, owner), witness, revoked=True))
    return results


def due_at(state: IdentifierState, rules: Rules) -> datetime | None:
    """When an identifier that nothing showed any more may be forgotten.

    After the window in which a device's people count (30 d), and the one in which a late
    touchpoint still corrects. One that others address stays, since they rely on its forwarding.
    """
    if state.seen is None or state.kept:
        return None
    return state.seen + rules.identity.shared_window + rules.revision_window


def expire(
    state: IdentifierState, until: datetime, rules: Rules
) -> Change[IdentifierState] | Change[None]:
    """Event time passed: forget the identifier if its time has come."""
    due = due_at(state, rules)
    if due is not None and until >= due:
        return Change(None, [])
    return Change(state, [])


def _keep(state: IdentifierState, key: str, told: Link, rules: IdentityRules) -> list[Message]:
    """Let its own customer know whom to forward to, as soon as others may address it."""
    if state.kept:
        return []
    state.kept = True
    owners = timeline(state, rules)
    witness = (told.source, told.touchpoint)
    return [notices.reroute(state, key, owners, witness)] if owners else []


def claim(
    state: IdentifierState,
    key: str,
    made: Claim,
    witness: Witness,
    rules: IdentityRules,
) -> list[Message]:
    """Note that `made.anchor` owns this identifier from then on; what has to be told of it."""
    claims = state.claims
    last = claims[-1] if claims and not state.mixed else None
    if last is not None and made.anchor == last.anchor and made.at >= last.at:
        if made.at != last.at and (not made.origin or made.origin != last.origin):
            claims.append(made)
            thin(state, claims)
        return []
    if made.anchor in state.refused:
        return []
    if not claims and not state.implied and not state.parted:
        return _first_claim(state, key, made, witness)
    before = timeline(state, rules)
    if made.origin:
        earlier = next(
            (c for c in claims if (c.origin, c.anchor) == (made.origin, made.anchor)), None
        )
        if earlier is not None and earlier.at <= made.at:
            return []
        if earlier is not None:
            claims.remove(earlier)
    held = any(one.anchor == made.anchor for one in standing(claims, state))
    at = bisect_right(claims, made)
    if at and claims[at - 1] == made:
        return []
    claims.insert(at, made)
    state.mixed = state.mixed or made.anchor != claims[0].anchor or made.anchor != claims[-1].anchor
    thin(state, claims)
    counts = not state.parted or made.at > state.parted.get(made.anchor, _BEFORE_ALL)
    results = [] if held or not counts else [notices.holds(key, made, witness)]
    results += _moved(state, key, before, witness, rules, "shown_together")
    return results


def _first_claim(state: IdentifierState, key: str, made: Claim, witness: Witness) -> list[Message]:
    """The claim that most identifiers ever see: nothing was told before, all is its owner's."""
    state.claims.append(made)
    state.version += 1
    results = [notices.holds(key, made, witness)]
    if state.addressed or state.kept:
        results.append(notices.reroute(state, key, ((made.at, made.anchor),), witness))
    results.append(notices.changed(made.anchor, "linked", made.at, key, "shown_together", witness))
    return results


def _moved(
    state: IdentifierState,
    key: str,
    before: Owners,
    witness: Witness,
    rules: IdentityRules,
    reason: str,
) -> list[Message]:
    """What to tell when the owners changed: who has to give up what, and what is known anew."""
    after = timeline(state, rules)
    results = _imply(state, key, witness, rules)
    if after == before:
        return results
    state.version += 1
    if state.addressed or state.kept:
        results.append(notices.reroute(state, key, after, witness))
    if not after or not all(name for _, name in after):
        state.addressed = True  # by recalls, which give its own customer what is nobody else's
    forgotten = state.forgotten
    former = {
        was
        for _, until, was, _ in differences(before, after)
        if was and not (forgotten and until and until <= forgotten)
    }
    for was in sorted(former):
        results.append(notices.recall(state, key, customer_of(was), after))
    owners = {name for _, name in after if name}
    known = {name for _, name in before if name}
    for name in sorted(owners ^ known):
        at = next(at for at, one in (*after, *before) if one == name)
        change: IdentityMove = "linked" if name in owners else "unlinked"
        results.append(notices.changed(name, change, at, key, reason, witness))
    return results


def _imply(
    state: IdentifierState, key: str, witness: Witness, rules: IdentityRules
) -> list[Message]:
    """What a device met at different times belongs together: its e-mail to its login."""
    claims = standing(state.claims, state)
    people = [one for one in claims if class_of(one.anchor, rules) == "unique"]
    others = [one for one in claims if one.anchor and class_of(one.anchor, rules) != "unique"]
    implied: dict[tuple[str, datetime], str] = {}
    if people and others and not is_shared(claims, rules):
        for one in others:
            owner = people[max(0, bisect_right(people, one.at, key=lambda p: p.at) - 1)].anchor
            implied[(one.anchor, one.at)] = owner
    told = {(one.origin, one.at): one.anchor for one in state.told}
    if implied == told:
        return []
    results = []
    for identifier, at in sorted(implied.keys() | told.keys()):
        owner = implied.get((identifier, at), "")
        if owner == told.get((identifier, at), ""):
            continue
        record = Link(
            identifier=identifier,
            anchor=owner or told[identifier, at],
            at=at,
            origin=key,
            reason="device_met_both",
            touchpoint=witness[1],
            revoked=not owner,
            source=witness[0],
        )
        results.append(Message(LINKS, identifier, record))
    state.told = [Claim(at, owner, name) for (name, at), owner in sorted(implied.items())]
    return results


def _alias(touchpoint: Touchpoint, anchor: str, rules: IdentityRules) -> tuple[str, str] | None:
    """An alias call: the previous id, taken as an anonymous one, belongs to who is shown.

    Returns:
        The identifier and its owner: the stronger owns, of two of one kind the smaller. It never
        joins two unique identifiers of one kind, and nothing by a weak one; naming oneself changes
        nothing.
    """
    previous = touchpoint.identifiers.get(PREVIOUS_ID)
    if previous is None:
        return None
    kind, _, value = anchor.partition(":")
    ranks = rules.ranks
    if kind not in ranks or "anonymous_id" not in ranks:
        return None
    if value == previous or blocked(previous, rules.blocked):
        return None
    older = f"anonymous_id:{previous}"
    if (ranks["anonymous_id"], older) < (ranks[kind], anchor):
        return anchor, older
    return older, anchor


def _tell(
    state: IdentifierState,
    key: str,
    other: str,
    anchor: str,
    touchpoint: Touchpoint,
    reason: Literal["shown_together", "alias"],
) -> list[Message]:
    """Tell another identifier who owns it, unless it was told in this span of time already."""
    at = touchpoint.occurred_at
    span = int(at.timestamp() // LINK_SPAN)
    known = f"{other} {anchor} {span}"
    told = state.spans.get(known)
    if told is not None and told <= at:
        return []
    state.spans[known] = at
    if len(state.spans) > SPANS_MAX:
        del state.spans[next(iter(state.spans))]
    record = Link(
        identifier=other,
        anchor=anchor,
        at=at,
        origin=f"{key} {span}",
        reason=reason,
        touchpoint=touchpoint.id,
        source=touchpoint.source,
    )
    return [Message(LINKS, other, record)]
