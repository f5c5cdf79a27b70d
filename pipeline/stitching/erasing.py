"""Erasing: what of states and records is one customer's, and what they are without it.

Pure: whoever holds states and records asks here, and does the rewriting. An identifier that only
this customer ever had is *theirs* and goes whole. One that others had too - a tablet, an e-mail of
two people - or that an operator parted from an owner is *shared*: it stays, and for the time in
which it was this customer's it belongs to nobody but itself from then on.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from pipeline.stitching import keys
from pipeline.stitching.claims import Claim, IdentifierState, owner_of, timeline
from pipeline.stitching.ids import customer_of, derived
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.presences import Presences
from pipeline.stitching.rules import IdentityRules, Rules
from pipeline.stitching.tallies import Tally
from pipeline.stitching.watched import Watched
from schemas.controls import Control, Handover, Reached, Recall, Reroute
from schemas.identifiers import PREVIOUS_ID, UNLINKED_FROM
from schemas.records import (
    Alert,
    IdentityChange,
    JourneyOutcome,
    Link,
    Record,
    Session,
    Touchpoint,
    Verdict,
    Votes,
)

ERASED = "erased"
"""Stands where a name stood that something kept has to go on naming somehow."""

States = Callable[[str], IdentifierState | None]
Owned = Callable[[Iterable[str]], Iterable[tuple[str, IdentifierState]]]


class Ambiguous(Exception):
    """An identifier was several customers'; which of them is meant has to be said.

    Attributes:
        identifier: The one that was given.
        customers: Their strongest identifiers.
    """

    def __init__(self, identifier: str, customers: Iterable[str]) -> None:
        self.identifier, self.customers = identifier, tuple(sorted(customers))
        super().__init__(identifier, self.customers)


class Circle:
    """One customer's identifiers, and what was found to be theirs.

    Attributes:
        names: Identifiers that only this customer had.
        shared: Identifiers that others had too, or that were parted from an owner.
        customers: Ids of the customers that the names stand for.
        touchpoints: By source, ids of touchpoints found to be theirs; grows while records are
            looked through.
        results: Ids of the sessions and journeys that these opened; likewise.
    """

    def __init__(self, names: Iterable[str], shared: Iterable[str] = ()) -> None:
        self.names = frozenset(names)
        self.shared = frozenset(shared) - self.names
        self.customers = frozenset(map(customer_of, self.names))
        self.touchpoints: dict[str, set[str]] = {}
        self.results: set[str] = set()

    def add(self, touchpoint: Touchpoint, rules: Rules) -> None:
        """Note a touchpoint of theirs, and what it may have opened."""
        device = keys.read(touchpoint, rules.identity)[0]
        opener = f"{touchpoint.source}|{device}|{touchpoint.id}"
        self.touchpoints.setdefault(touchpoint.source, set()).add(touchpoint.id)
        self.results.add(derived(f"session|{touchpoint.channel}|{opener}"))
        self.results.update(derived(f"journey|{name}|{opener}") for name in rules.missions.all)

    def has(self, source: str, id_: str) -> bool:
        """Whether a touchpoint is theirs; where its source is not told, any that has its id."""
        if source:
            return id_ in self.touchpoints.get(source, ())
        return any(id_ in ids for ids in self.touchpoints.values())


def circle_of(identifier: str, states: States, owned: Owned, rules: IdentityRules) -> Circle:
    """Whose an identifier is, and all that this customer's identifiers are.

    Args:
        identifier: As `type:value`.
        states: The state of an identifier.
        owned: Identifiers that any of these ever claimed, with their states.
        rules: The catalogue's.

    Raises:
        Ambiguous: It was several customers' in turn.
    """
    tops = _tops(identifier, states, rules)
    if len(tops) > 1:
        raise Ambiguous(identifier, tops)
    names, shared = set(tops), set[str]()
    candidates: dict[str, set[str]] = {}
    parted: set[str] = set()  # what an operator once said is another's: at most shared
    fresh = set(names)
    while fresh:
        for name, state in owned(fresh):
            if state.parted:
                parted.add(name)
            else:
                candidates[name] = owners_in(state)
        fresh = {
            name for name, owners in candidates.items() if name not in names and owners <= names
        }
        names |= fresh
        shared |= (candidates.keys() | parted) - names
        # What a shared one owns in turn is theirs for a time, and found by following it upwards.
    return Circle(names, shared)


def _tops(identifier: str, states: States, rules: IdentityRules) -> set[str]:
    """The strongest identifiers of those it ever belonged to; ways may part and meet again."""
    tops, seen, waiting = set[str](), {identifier}, [identifier]
    while waiting:
        name = waiting.pop()
        state = states(name)
        owners = {owner for _, owner in timeline(state, rules) if owner} if state else set()
        if not owners:
            tops.add(name)
        waiting += owners - seen
        seen |= owners
    return tops or {identifier}


def owners_in(state: IdentifierState) -> set[str]:
    """Everybody who ever claimed an identifier, even where an operator took that back."""
    return {one.anchor for one in (*state.claims, *state.implied) if one.anchor}


def is_theirs(touchpoint: Touchpoint, circle: Circle, states: States, rules: IdentityRules) -> bool:
    """Whether a touchpoint is the customer's, by whom its identifiers belonged to at the time."""
    key, shown = keys.read(touchpoint, rules)
    name, at = shown[0] if shown else key, touchpoint.occurred_at
    passed: set[str] = set()
    while name not in circle.names:
        state = states(name)
        owner = None if state is None else owner_of(state, at, rules)
        if owner is None or owner in passed:
            return False
        passed.add(name)
        name = owner
    return True


def without_names(touchpoint: Touchpoint, circle: Circle) -> Touchpoint | None:
    """Somebody else's touchpoint without this customer's identifiers; None where none is left."""
    kept = {
        kind: value
        for kind, value in touchpoint.identifiers.items()
        if _named(kind, value) not in circle.names
    }
    if UNLINKED_FROM in touchpoint.identifiers and len(kept) < len(touchpoint.identifiers):
        return None
    if len(kept) == len(touchpoint.identifiers):
        return touchpoint
    return msgspec.structs.replace(touchpoint, identifiers=kept) if kept else None


def _named(kind: str, value: str) -> str:
    if kind == PREVIOUS_ID:
        return f"anonymous_id:{value}"
    return value if kind == UNLINKED_FROM else f"{kind}:{value}"


def names_in(record: Record) -> Iterator[str]:
    """Identifiers, as `type:value`, and customers' ids that a record holds."""
    match record:
        case Touchpoint():
            for kind, value in record.identifiers.items():
                yield _named(kind, value)
        case Link():
            yield from (record.identifier, record.anchor, record.origin.rpartition(" ")[0])
            yield record.origin
        case IdentityChange():
            yield from (record.customer, record.into or "", record.identifier or "")
        case Session() | JourneyOutcome() | Verdict():
            yield record.customer
        case Handover():
            yield record.giver
            for one in record.interactions:
                yield one.device
                yield from (name for name, _ in one.path)
        case Recall() | Reroute():
            yield record.identifier
            yield from (customer for _, customer in record.owners)
        case _:
            pass


def _is_about(record: Record, circle: Circle) -> bool:
    """Whether it is about a touchpoint of theirs."""
    match record:
        case Verdict():
            return circle.has(record.source, record.id)
        case Link() | IdentityChange():
            return circle.has(record.source, record.touchpoint or "")
        case Handover():
            return any(circle.has(one.source, one.id) for one in record.interactions)
        case _:
            return False


def _results_in(record: Record) -> Iterator[str]:
    """Ids of sessions and journeys that a record is about."""
    match record:
        case Session():
            yield from (record.session_id, record.absorbed_by or "")
        case JourneyOutcome():
            yield from (record.journey_id, record.absorbed_by or "")
        case _:
            pass


def without(record: Record, circle: Circle) -> Record | None:
    """What is left of a derived record: itself, itself without samples of theirs, or nothing."""
    if isinstance(record, Votes | Alert):
        kept = tuple(one for one in record.touchpoints if not circle.has("", one))
        if len(kept) == len(record.touchpoints):
            return record
        return msgspec.structs.replace(record, touchpoints=kept)
    if isinstance(record, Control) and isinstance(record, Reached):
        return record
    for name in names_in(record):
        if name in circle.names or name in circle.customers:
            return None
    if _is_about(record, circle) or not circle.results.isdisjoint(_results_in(record)):
        return None
    return record


def forget_in_identifier(state: IdentifierState, circle: Circle) -> bool:
    """Take a customer out of what is known of somebody else's identifier; whether it was there.

    Where it was theirs, it is nobody's but its own from now on.
    """
    names = circle.names
    before = msgspec.msgpack.encode(state)
    state.claims = sorted(_unnamed(one, names) for one in state.claims)
    state.implied = sorted(_unnamed(one, names) for one in state.implied)
    state.told = [one for one in state.told if names.isdisjoint((one.anchor, one.origin))]
    state.held = {name: at for name, at in state.held.items() if name not in names}
    state.refused = [name for name in state.refused if name not in names]
    if state.parted:
        state.parted = {name: at for name, at in state.parted.items() if name not in names}
    state.spans = {known: at for known, at in state.spans.items() if not _mentions(known, names)}
    if msgspec.msgpack.encode(state) == before:
        return False
    state.mixed = state.addressed = True
    state.version += 1
    return True


def _unnamed(one: Claim, names: frozenset[str]) -> Claim:
    anchor = "" if one.anchor in names else one.anchor
    theirs = one.origin in names or one.origin.rpartition(" ")[0] in names
    return Claim(one.at, anchor, ERASED if theirs else one.origin)


def _mentions(known: str, names: frozenset[str]) -> bool:
    return any(known.startswith(f"{name} ") or f" {name} " in known for name in names)


def forget_in_customer(state: CustomerState, circle: Circle) -> bool:
    """Take a customer out of what is kept of another; whether it was there."""
    forwarding, found = state.forwarding, False
    for one in state.tail:
        if one.device in circle.names:
            one.device, found = ERASED, True
        if any(name in circle.names for name, _ in one.path):
            one.path = tuple((ERASED if n in circle.names else n, v) for n, v in one.path)
            found = True
    if forwarding is None:
        return found
    before = msgspec.msgpack.encode(forwarding)
    forwarding.owners = _disowned(forwarding.owners, circle, state.customer)
    forwarding.passed = [one for one in forwarding.passed if one not in circle.customers]
    forwarding.told = {
        name: msgspec.structs.replace(
            told, owners=_disowned(told.owners, circle, customer_of(name))
        )
        for name, told in forwarding.told.items()
        if name not in circle.names
    }
    return found or msgspec.msgpack.encode(forwarding) != before


def _disowned(owners: tuple, circle: Circle, own: str) -> tuple:  # type: ignore[type-arg]
    return tuple((at, own if who in circle.customers else who) for at, who in owners)


def forget_in_tally(state: Tally, circle: Circle) -> bool:
    """Take the touchpoints that totals name as samples out of them; the totals are nobody's."""
    found = False
    for minutes in state.counts.values():
        for count in minutes.values():
            kept = tuple(one for one in count.samples if not circle.has("", one))
            found = found or len(kept) != len(count.samples)
            count.samples = kept
    return found


def forget_in_watched(state: Watched | Presences, circle: Circle) -> bool:
    """The same of what is watched; how often customers come names none of them."""
    found = False
    if isinstance(state, Presences):
        return False
    for series in state.series.values():
        for minute in series.minutes:
            for part in minute.parts.values() if isinstance(minute.parts, dict) else ():
                kept = tuple(one for one in part.samples if not circle.has("", one))
                found = found or len(kept) != len(part.samples)
                part.samples = kept
    return found
