"""What is kept of one customer: the interactions that may still be revised, and their picture."""

from datetime import datetime
from sys import intern
from typing import Final

import msgspec

from pipeline.stitching import variants
from pipeline.stitching.fields import Fields, fields_in
from pipeline.stitching.mentions import mention
from pipeline.stitching.order import UNNUMBERED
from pipeline.stitching.picture import Picture
from pipeline.stitching.placement import Forwarding, Path
from pipeline.stitching.rules import Rules
from pipeline.stitching.segments import segment_of
from schemas.controls import Interaction
from schemas.records import Channel, Reason, Touchpoint

SEAL_FROM: Final = 64
"""Interactions from which an active customer's old ones are looked through for sealing."""


_Slim = tuple[
    int, str, datetime, str, str | None, str | None, tuple[str, ...], tuple[str, float] | None,
    int, dict[str, int] | None, str | None, int, int, str | None, tuple[Reason, ...], bool,
]  # fmt: skip
"""An interaction without what it shares: the road's number, then its fields in order; a verdict of
None is `functional`, an empty one none."""


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
        forwarding: Whom things belong to instead; None where nothing was ever told of that.
        sealed: What is earlier can no longer be told apart; set when the tail had to be cut.
        looked: The tail's length at which it is next looked through for sealing.
        erased: When the customer was erased: what was received by then is dropped.
    """

    customer: str
    tail: list[Interaction] = []
    picture: Picture = msgspec.field(default_factory=Picture)
    base: Picture | None = None
    until: datetime | None = None
    catalogue: str = ""
    forwarding: Forwarding | None = None
    sealed: datetime | None = None
    looked: int = SEAL_FROM
    erased: datetime | None = None


class _Stored(msgspec.Struct, array_like=True, gc=False):
    """A state as it is stored: what many interactions share stands once, in `roads`.

    What few of them have stands apart, by their place in the tail: `segments`, `fields`,
    `numbers` with the emitter's own times where its numbers say otherwise, and `dealt`.
    """

    state: CustomerState
    roads: list[tuple[Channel, str, str | None, str, Path, tuple[str, ...]]]
    tail: list[_Slim]
    segments: dict[int, str] = {}
    fields: dict[int, Fields] = {}
    numbers: dict[int, tuple[int, datetime | None]] = {}
    dealt: dict[int, datetime] = {}


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Stored).decode


def pack(state: CustomerState) -> bytes:
    """A state as bytes, about half as many as its interactions one by one would take."""
    roads: dict[tuple[Channel, str, str | None, str, Path, tuple[str, ...]], int] = {}
    tail: list[_Slim] = []
    rest = _Stored(state, [], tail, {}, {}, {}, {})
    for at, one in enumerate(state.tail):
        road = roads.setdefault(
            (one.channel, one.source, one.hint, one.device, one.path, one.variants), len(roads)
        )
        tail.append(
            (
                road, one.id, one.at, one.name, one.location, one.intent, one.signals, one.rating,
                one.revision, one.stamps, None if one.touchpoint == one.name else one.touchpoint,
                one.session, one.journey,
                None if one.verdict == "functional" else one.verdict or "",
                one.reasons, one.progress,
            )
        )  # fmt: skip
        if one.segment is not None:
            rest.segments[at] = one.segment
        if one.fields:
            rest.fields[at] = one.fields
        if one.sequence >= 0:
            rest.numbers[at] = (one.sequence, one.clock)
        if one.dealt is not None:
            rest.dealt[at] = one.dealt
    rest.roads = list(roads)
    kept, state.tail = state.tail, []
    try:
        return _encode(rest)
    finally:
        state.tail = kept


def unpack(packed: bytes) -> CustomerState:
    """The state again. Raises `msgspec.DecodeError` for bytes that `pack` did not write."""
    stored = _decode(packed)
    state, roads = stored.state, stored.roads
    for (
        road, id_, at, name, location, intent, signals, rating, revision, stamps,
        touchpoint, session, journey, verdict, reasons, progress,
    ) in stored.tail:  # fmt: skip
        channel, source, hint, device, path, under = roads[road]
        # By place: by their names, so many fields take ten times as long.
        state.tail.append(
            Interaction(
                id_, at, channel, name, location, intent, hint, source, signals, rating,
                device, path, revision, stamps, name if touchpoint is None else touchpoint,
                session, journey,
                "functional" if verdict is None else verdict or None,  # type: ignore[arg-type]
                reasons, progress, None, under,
            )
        )  # fmt: skip
    for number, segment in stored.segments.items():
        state.tail[number].segment = segment
    for number, fields in stored.fields.items():
        state.tail[number].fields = fields
    for number, (sequence, clock) in stored.numbers.items():
        state.tail[number].sequence, state.tail[number].clock = sequence, clock
    for number, time in stored.dealt.items():
        state.tail[number].dealt = time
    return state


def interaction_of(touchpoint: Touchpoint, device: str, path: Path, rules: Rules) -> Interaction:
    """A touchpoint as it is kept, keyed by `device` and come by `path`.

    Words that many touchpoints share are held once.
    """
    rating, properties = touchpoint.rating, touchpoint.properties
    location, intent, signals = touchpoint.location, touchpoint.intent, touchpoint.signals
    one = Interaction(
        touchpoint.id,
        touchpoint.occurred_at,
        touchpoint.channel,
        intern(touchpoint.name),
        None if location is None else intern(location),
        None if intent is None else intern(intent),
        touchpoint.session_hint,
        intern(touchpoint.source),
        signals,
        None if rating is None else (rating.scale, rating.value),
        device,
        path,
    )
    segmented_by, asked = rules.segment_property, rules.alerts.variants
    if mention(properties, segmented_by, asked):
        if segmented_by is not None:
            one.segment = segment_of(properties, segmented_by)
        one.variants = variants.read(properties, asked)
    if signals:
        one.fields = fields_in(signals, properties)
    if touchpoint.sequence is not None:
        one.sequence = _sequence_of(touchpoint.sequence, one.hint)
    return one


def _sequence_of(number: int, hint: str | None) -> int:
    """Its number, which says something only among those of one session."""
    return UNNUMBERED if hint is None else max(number, UNNUMBERED)


def forwarding_of(state: CustomerState) -> Forwarding:
    """The customer's, begun where there is none."""
    if state.forwarding is None:
        state.forwarding = Forwarding()
    return state.forwarding


def is_kept(state: CustomerState) -> bool:
    """Whether anything has to be kept of the customer."""
    if state.tail or state.base is not None or state.erased is not None:
        return True
    return state.forwarding is not None and not state.forwarding.empty
