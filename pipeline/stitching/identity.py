"""identify: whose identifier this is. Keyed by identifier; only messages pass between keys.

Identifiers are ranked. In a record, the strongest owns the others from that moment on. Each
identifier keeps a short list of such claims; at any time it belongs to the last to have claimed
it by then, or, before the first claim, to the first. So one device that two people log in on
belongs to each in turn and never joins them; and since the answer is a function of the set of
claims, the order of arrival does not matter. An owner may be owned in turn - device, e-mail,
account - and its own customer passes on what it gets (`customer.reroute`).

What a device met at different times it joins too: its e-mail belongs to its login. A device of
too many people is shared: it joins nothing, and a login counts for one session's length only.
"""

from bisect import bisect_right
from datetime import datetime
from typing import Literal

import msgspec

from pipeline.stitching.change import Change, Message
from pipeline.stitching.ids import customer_of
from pipeline.stitching.rules import IdentityRules
from schemas.controls import Recall, Reroute
from schemas.identifiers import PREVIOUS_ID, IdentifierClass, blocked
from schemas.records import DeadLetter, IdentityChange, Link, Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS, DEAD_LETTERS, IDENTITY_CHANGES, LINKS

CLAIMS_MAX = 64
"""Claims that one identifier remembers; of more, repeats by the same owner are thinned out."""

Owners = tuple[tuple[datetime, str], ...]
"""(from, owner) sorted by time; the first also owns what came before."""


class Claim(msgspec.Struct, array_like=True, frozen=True, gc=False, order=True):
    """`anchor` was shown to own the identifier at a time. `origin`: what showed it."""

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
        addressed: Whether touchpoints were sent to its own customer.
        mixed: Whether different owners ever claimed it.
    """

    claims: list[Claim] = []
    implied: list[Claim] = []
    told: list[Claim] = []
    held: dict[str, datetime] = {}
    refused: list[str] = []
    addressed: bool = False
    mixed: bool = False


def read(touchpoint: Touchpoint, rules: IdentityRules) -> tuple[str, tuple[str, ...]]:
    """The identifier a touchpoint is keyed by, and the stronger ones it shows, strongest first.

    Both as `type:value`, without values that identify nobody. The key is `schemas.identifiers`'
    `primary`: a device before all else, then the session, then whatever there is.
    """
    identifiers, ranks = touchpoint.identifiers, rules.ranks
    found = [
        (ranks[name], f"{name}:{value}")
        for name, value in identifiers.items()
        if name in ranks and blocked(value, rules.blocked) is None
    ]
    if len(found) > 1:
        found.sort()
    if found and found[-1][0] >= rules.device_rank:
        return found[-1][1], tuple([shown for _, shown in found[:-1]])
    if touchpoint.session_hint:
        key = f"session:{touchpoint.source}/{touchpoint.session_hint}"
        return key, tuple([shown for _, shown in found])
    if found:
        return found[-1][1], tuple([shown for _, shown in found[:-1]])
    for name in sorted(identifiers):
        if name != PREVIOUS_ID and blocked(identifiers[name], rules.blocked) is None:
            return f"{name}:{identifiers[name]}", ()
    return f"event:{touchpoint.source}/{touchpoint.id}", ()


def identify(
    state: IdentifierState,
    key: str,
    shown: tuple[str, ...],
    touchpoint: Touchpoint,
    rules: IdentityRules,
) -> Change[IdentifierState]:
    """A touchpoint keyed by this identifier: send it to its customer, and tell what it shows.

    The touchpoint goes to the customer of its strongest identifier; one that shows none besides
    the key's own, to whoever owns that at the time. `key` and `shown` are what `read` says.
    """
    at = touchpoint.occurred_at
    results: list[Message] = []
    if shown:
        anchor = shown[0]
        results = claim(state, key, Claim(at, anchor), touchpoint.id, rules)
        for other in shown[1:]:
            results.append(_link(other, anchor, at, touchpoint, "shown_together"))
        customer, path = customer_of(anchor), (anchor,)
    else:
        owner = owner_at(state, at, rules)
        if owner is None:
            state.addressed = True
            owner = key
        customer, path = customer_of(owner), (key,)
    previous = touchpoint.identifiers.get(PREVIOUS_ID)
    if previous is not None:
        results.extend(_alias(previous, (*shown, key), at, touchpoint, rules))
    results.append(Message(CUSTOMER_TOUCHPOINTS, customer, touchpoint, (key, path)))
    return Change(state, results)


def route_of(
    customer: str, touchpoint: Touchpoint, rules: IdentityRules
) -> tuple[str, tuple[str, ...]]:
    """What a touchpoint is keyed by, and the identifier by which it came to this customer."""
    key, shown = read(touchpoint, rules)
    if shown and customer_of(shown[0]) == customer:
        return key, (shown[0],)
    return key, (key,)


def link(
    state: IdentifierState, key: str, told: Link, rules: IdentityRules
) -> Change[IdentifierState]:
    """Another identifier's record showed something about this one."""
    if told.reason == "holds":
        return Change(state, _hold(state, key, told, rules))
    if told.reason == "cap":
        before = timeline(state, rules)
        if told.anchor not in state.refused:
            state.refused.append(told.anchor)
        return Change(state, _moved(state, key, before, told.touchpoint, rules, told.reason))
    made = Claim(told.at, told.anchor, told.origin)
    if told.reason != "device_met_both":
        return Change(state, claim(state, key, made, told.touchpoint, rules, keep=True))
    before = timeline(state, rules)
    state.implied = [one for one in state.implied if (one.at, one.origin) != (told.at, told.origin)]
    if not told.revoked:
        state.implied = sorted([*state.implied, made])[-CLAIMS_MAX:]
    return Change(state, _moved(state, key, before, told.touchpoint, rules, told.reason, keep=True))


def claim(
    state: IdentifierState,
    key: str,
    made: Claim,
    touchpoint: str,
    rules: IdentityRules,
    *,
    keep: bool = False,
) -> list[Message]:
    """Note that `made.anchor` owns this identifier from then on; what has to be told of it."""
    claims = state.claims
    last = claims[-1] if claims and not state.mixed else None
    if last is not None and made.anchor == last.anchor and made.at >= last.at:
        if made.at != last.at:
            claims.append(made)
            if len(claims) > CLAIMS_MAX:
                _thin(state)
        return []
    if made.anchor in state.refused:
        return []
    before = timeline(state, rules)
    held = any(one.anchor == made.anchor for one in claims)
    at = bisect_right(claims, made)
    if at and claims[at - 1] == made:
        return []
    claims.insert(at, made)
    state.mixed = state.mixed or made.anchor != claims[0].anchor or made.anchor != claims[-1].anchor
    if len(claims) > CLAIMS_MAX:
        _thin(state)
    results = []
    if not held:
        results.append(
            Message(
                LINKS,
                made.anchor,
                Link(
                    identifier=made.anchor,
                    anchor=made.anchor,
                    at=made.at,
                    origin=key,
                    reason="holds",
                    touchpoint=touchpoint,
                ),
            )
        )
    results += _moved(state, key, before, touchpoint, rules, "shown_together", keep=keep)
    return results


def owner_at(state: IdentifierState, at: datetime, rules: IdentityRules) -> str | None:
    """Who owns the identifier at a time; None where it stands for itself."""
    claims = state.claims
    if not claims and not state.implied:
        return None
    if claims and not state.mixed and not state.refused:
        return claims[0].anchor
    owners = timeline(state, rules)
    owner = owners[0][1] if owners else None
    for since, name in owners:
        if since > at:
            break
        owner = name
    return owner or None


def timeline(state: IdentifierState, rules: IdentityRules) -> Owners:
    """Who owned the identifier, each from a time on. An empty owner means itself.

    From the moment that too many people share it, a claim holds for a session's length only.
    """
    claims = [one for one in state.claims or state.implied if one.anchor not in state.refused]
    owners: list[tuple[datetime, str]] = []
    for at, one in enumerate(claims):
        if not owners or owners[-1][1] != one.anchor:
            owners.append((one.at, one.anchor))
        if is_shared(claims[: at + 1], rules):
            until = one.at + rules.shared_claim
            if at + 1 == len(claims) or claims[at + 1].at > until:
                owners.append((until, ""))
    return tuple(owners)


def is_shared(claims: list[Claim], rules: IdentityRules) -> bool:
    """Whether, as of its last claim, too many people used a device: more than 3 in 30 days (P)."""
    since = claims[-1].at - rules.shared_window
    people = {
        one.anchor for one in claims if one.at >= since and class_of(one.anchor, rules) == "unique"
    }
    return len(people) > rules.shared_customers_max


def class_of(identifier: str, rules: IdentityRules) -> IdentifierClass:
    """The class of `type:value`; weak where the type is not known."""
    return rules.classes.get(identifier.partition(":")[0], IdentifierClass.WEAK)


def _moved(
    state: IdentifierState,
    key: str,
    before: Owners,
    touchpoint: str,
    rules: IdentityRules,
    reason: str,
    *,
    keep: bool = False,
) -> list[Message]:
    """What to tell when the owners changed: who has to give up what, and what is known anew."""
    after = timeline(state, rules)
    results = _imply(state, key, after, touchpoint, rules)
    if after == before:
        return results
    own = customer_of(key)
    resolved = tuple((at, customer_of(name) if name else own) for at, name in after)
    if state.addressed or keep:
        told = Reroute(identifier=key, owners=resolved, keep=keep, touchpoint=touchpoint)
        results.append(Message(CUSTOMER_TOUCHPOINTS, own, told))
    for start, until, was, now in differences(before, after):
        if was and was != now:
            to = customer_of(now) if now else own
            recalled = Recall(identifier=key, start=start, until=until, to=to)
            results.append(Message(CUSTOMER_TOUCHPOINTS, customer_of(was), recalled))
    owners = {name for _, name in after if name}
    known = {name for _, name in before if name}
    for name in sorted(owners ^ known):
        at = next(at for at, one in (*after, *before) if one == name)
        record = IdentityChange(
            customer=customer_of(name),
            change="linked" if name in owners else "unlinked",
            at=at,
            reason=reason,
            identifier=key,
            touchpoint=touchpoint,
        )
        results.append(Message(IDENTITY_CHANGES, record.customer, record))
    return results


def differences(
    before: Owners, after: Owners
) -> list[tuple[datetime | None, datetime | None, str, str]]:
    """The intervals [start, until) in which the owner differs, as (start, until, was, now)."""
    edges: list[datetime | None] = [None, *sorted({at for at, _ in (*before, *after)})]
    found = []
    for start, until in zip(edges, [*edges[1:], None], strict=True):
        was, now = _owner(before, start), _owner(after, start)
        if was != now:
            found.append((start, until, was, now))
    return found


def _owner(owners: Owners, at: datetime | None) -> str:
    owner = owners[0][1] if owners else ""
    for since, name in owners:
        if at is None or since > at:
            break
        owner = name
    return owner


def _imply(
    state: IdentifierState, key: str, owners: Owners, touchpoint: str, rules: IdentityRules
) -> list[Message]:
    """What a device met at different times belongs together: its e-mail to its login."""
    claims = state.claims
    people = [one for one in claims if class_of(one.anchor, rules) == "unique"]
    others = [one for one in claims if class_of(one.anchor, rules) != "unique"]
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
            touchpoint=touchpoint,
            revoked=not owner,
        )
        results.append(Message(LINKS, identifier, record))
    state.told = [Claim(at, owner, name) for (name, at), owner in sorted(implied.items())]
    return results


def _hold(state: IdentifierState, key: str, told: Link, rules: IdentityRules) -> list[Message]:
    """Count an identifier that this one now owns; over the limit it is given back."""
    name = told.origin
    if name in state.held:
        state.held[name] = max(state.held[name], told.at)
        return []
    kind = class_of(name, rules)
    since = told.at - rules.shared_window
    alike = [
        at for one, at in state.held.items()
        if class_of(one, rules) == kind and (kind != "device" or at >= since)
    ]  # fmt: skip
    limits = {"device": rules.device_max, "strong": rules.strong_max, "unique": 1}
    limit = limits.get(kind, rules.identifiers_max)
    if len(alike) < limit and len(state.held) < rules.identifiers_max:
        state.held[name] = told.at
        return []
    refusal = Link(
        identifier=name,
        anchor=key,
        at=told.at,
        origin=key,
        reason="cap",
        touchpoint=told.touchpoint,
    )
    letter = DeadLetter(
        id=told.touchpoint,
        source="identify",
        reason="identifier_cap",
        where="identify",
        expected=f"at most {limit} {kind} identifiers of one customer",
        found=f"one more, of touchpoint {told.touchpoint}",
        received_at=told.at,
    )
    return [Message(LINKS, name, refusal), Message(DEAD_LETTERS, "identify", letter)]


def _alias(
    previous: str,
    shown: tuple[str, ...],
    at: datetime,
    touchpoint: Touchpoint,
    rules: IdentityRules,
) -> list[Message]:
    """An alias call: the previous id, taken as an anonymous one, belongs to who is shown.

    It never joins two unique identifiers of one kind; naming oneself changes nothing.
    """
    if blocked(previous, rules.blocked) is not None:
        return []
    older = f"anonymous_id:{previous}"
    anchor = shown[0]
    if older in shown or anchor.partition(":")[2] == previous:
        return []
    if anchor.startswith("anonymous_id:") and older < anchor:
        older, anchor = anchor, older  # two of one kind: the smaller survives
    return [_link(older, anchor, at, touchpoint, "alias")]


def _link(
    identifier: str,
    anchor: str,
    at: datetime,
    touchpoint: Touchpoint,
    reason: Literal["shown_together", "alias"],
) -> Message:
    record = Link(
        identifier=identifier,
        anchor=anchor,
        at=at,
        origin=touchpoint.id,
        reason=reason,
        touchpoint=touchpoint.id,
    )
    return Message(LINKS, identifier, record)


def _thin(state: IdentifierState) -> None:
    """Forget the oldest claim that repeats its neighbours', else the oldest of all."""
    claims = state.claims
    for at in range(1, len(claims) - 1):
        if claims[at - 1].anchor == claims[at].anchor == claims[at + 1].anchor:
            del claims[at]
            return
    del claims[0]
