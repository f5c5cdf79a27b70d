"""The topology: the stages, what each reads and writes, and how its state is kept.

    touchpoints ──▶ identify ──▶ customer-touchpoints ──▶ stitch ──▶ sessions, outcomes, verdicts
                     ▲    │                          ▲      │ │
                     └────┘ links                    └──────┘ └ ballots ─▶ votes ──▶ watch
                                     handovers, recalls, reroutes                      │
                                                                    touchpoint-alerts ◀┘

Any runtime drives the same stages: it keeps a state for each key, calls `step` with each message
of the topics a stage reads, and sends what comes back. Only messages pass between keys. Ballots
go from a stage to itself: they are stepped at once, in the same partition, and never sent.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.stitching import (
    alerts,
    asides,
    customer,
    forgetting,
    handovers,
    identity,
    keys,
    storing,
    tallies,
)
from pipeline.stitching.change import Change, Message
from pipeline.stitching.claims import IdentifierState
from pipeline.stitching.ids import dead_letter_of
from pipeline.stitching.kept import CustomerState, interaction_of, is_kept, pack, unpack
from pipeline.stitching.presences import Presences
from pipeline.stitching.rules import Rules
from pipeline.stitching.sealing import is_too_late
from pipeline.stitching.signals import IDENTITY_ONLY
from pipeline.stitching.tallies import Tally
from pipeline.stitching.votes import BALLOTS, Ballot
from pipeline.stitching.watched import Watched
from schemas.codec import encode
from schemas.controls import Control, Erase, Handover, Interaction
from schemas.letters import CONTENT_BYTES_MAX, DeadLetter
from schemas.records import Link, Touchpoint, Votes
from schemas.topics import (
    CUSTOMER_TOUCHPOINTS,
    DEAD_LETTERS,
    IDENTITY_CHANGES,
    JOURNEY_OUTCOMES,
    LINKS,
    SESSIONS,
    TOUCHPOINT_ALERTS,
    TOUCHPOINTS,
    VERDICTS,
    VOTES,
)

UNKNOWN: Final = datetime.fromtimestamp(0, UTC)
"""The watermark while partitions have yet to say how far they are."""

TOO_LATE: Final = "too_late"
"""Reason of a dead letter: older than the revision window."""


class Stage(NamedTuple):
    """One stage.

    Attributes:
        name: How runtimes and metrics call it.
        reads: The topics whose messages `step` takes.
        writes: The topics of the messages that it may return.
        step: (state or None, the message's key, message, watermark, rules) → the state that
            follows, None to forget it, and messages.
        expire: (state, watermark, rules) → the same, when `due_at` has come.
        due_at: When `expire` is next worth calling; None for never.
        encode, decode: A state as bytes and back.
        at_once: `step` for several messages to one key, in their order: what it says is what stands
            behind the last of them, and need not be said of those before.
        inward: What the stage tells itself: no topic, but stepped at once in the same partition.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    step: Callable[[Any, str, Message, datetime | None, Rules], Change[Any]]
    expire: Callable[[Any, datetime, Rules], Change[Any]]
    due_at: Callable[[Any, Rules], datetime | None]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    at_once: Callable[[Any, str, list[Message], datetime | None, Rules], Change[Any]] | None = None
    inward: tuple[str, ...] = ()


def identify(
    state: IdentifierState | None,
    key: str,
    message: Message,
    watermark: datetime | None,
    rules: Rules,
) -> Change[IdentifierState]:
    """Whose touchpoint this is. `pipeline.stitching.identity`."""
    if state is None:
        state = IdentifierState()
    record = message.record
    if type(record) is Touchpoint:
        if state.erased is not None and forgetting.is_erased(state.erased, record):
            return Change(state, [])
        return identity.identify(state, key, [_shown_by(message, rules)], rules.identity)
    if type(record) is Link:
        if state.erased is not None and record.at <= state.erased:
            return Change(state, [])
        return identity.link(state, key, record, rules.identity)
    assert type(record) is Erase
    return forgetting.in_identifier(state, key, record, rules.identity)


def _shown_by(message: Message, rules: Rules) -> identity.Shown:
    touchpoint = message.record
    assert isinstance(touchpoint, Touchpoint)
    return touchpoint, (message.route or keys.read(touchpoint, rules.identity))[1]


def _identify_at_once(
    state: IdentifierState | None,
    key: str,
    messages: list[Message],
    watermark: datetime | None,
    rules: Rules,
) -> Change[IdentifierState]:
    state = state or IdentifierState()
    results: list[Message] = []
    arrived: list[identity.Shown] = []
    for message in messages:
        record = message.record
        if type(record) is Touchpoint:
            if not forgetting.is_erased(state.erased, record):
                arrived.append(_shown_by(message, rules))
        elif type(record) is Link:
            if state.erased is None or record.at > state.erased:
                results += identity.link(state, key, record, rules.identity).results
        elif type(record) is Erase:
            if arrived:
                results += identity.identify(state, key, arrived, rules.identity).results
                arrived = []
            forgotten = forgetting.in_identifier(state, key, record, rules.identity)
            state, results = forgotten.state, results + forgotten.results
    if arrived:
        results += identity.identify(state, key, arrived, rules.identity).results
    return Change(state, results)


def stitch(
    state: CustomerState | Tally | None,
    key: str,
    message: Message,
    watermark: datetime | None,
    rules: Rules,
) -> Change[Any]:
    """What the touchpoint means. `pipeline.stitching.customer`, and `tallies` for those of votes.

    The states are of two kinds, told apart by their keys: customers, and tallies of votes.
    """
    record = message.record
    if type(record) is Ballot:
        assert state is None or type(state) is Tally
        return tallies.count(state, [record], watermark, rules)
    assert state is None or type(state) is CustomerState
    if type(record) is Touchpoint:
        if state is not None and forgetting.is_erased(state.erased, record):
            return Change(state, [])
        if IDENTITY_ONLY in record.signals:
            return Change(state, [])  # it has told identify all it has to tell
        if is_too_late(state, record.occurred_at, watermark, rules):
            return Change(state, [_too_late(record, watermark)])
        one = _interaction_of(key, message, record, rules)
        return customer.observe(state or CustomerState(key), one, rules)
    if type(record) is Erase:
        forgotten = forgetting.in_customer(state or CustomerState(key), record)
        return Change(forgotten.state if is_kept(forgotten.state) else None, forgotten.results)
    assert isinstance(record, Control)
    if state is not None and state.erased is not None and isinstance(record, Handover):
        record = forgetting.remaining(state.erased, record)
    received = handovers.receive(state or CustomerState(key), record, rules)
    return Change(received.state if is_kept(received.state) else None, received.results)


def _interaction_of(key: str, message: Message, record: Touchpoint, rules: Rules) -> Interaction:
    device, path = message.route or keys.route_of(key, record, rules.identity)
    return interaction_of(record, device, ((path[0], message.version),), rules)


def _stitch_at_once(
    state: CustomerState | Tally | None,
    key: str,
    messages: list[Message],
    watermark: datetime | None,
    rules: Rules,
) -> Change[Any]:
    if type(messages[0].record) is Ballot:
        assert state is None or type(state) is Tally
        cast = [one.record for one in messages if type(one.record) is Ballot]
        return tallies.count(state, cast, watermark, rules)
    if len(messages) == 1:
        return stitch(state, key, messages[0], watermark, rules)
    assert state is None or type(state) is CustomerState
    if (state is not None and state.erased is not None) or any(
        type(one.record) is Erase for one in messages
    ):
        return _stitch_in_turn(state, key, messages, watermark, rules)
    arriving = customer.Arriving(state or CustomerState(key), rules)
    for message in messages:
        record = message.record
        if type(record) is Touchpoint:
            if IDENTITY_ONLY in record.signals:
                pass  # it has told identify all it has to tell
            elif arriving.is_too_late(record.occurred_at, watermark):
                arriving.results.append(_too_late(record, watermark))
            else:
                arriving.touchpoint(_interaction_of(key, message, record, rules))
        elif isinstance(record, Control):
            arriving.told(record)
        else:
            expected = f"expected touchpoints and what customers are told; found {type(record)}"
            raise TypeError(expected)
    change = arriving.settled()
    return Change(change.state if is_kept(change.state) else None, change.results)


def _stitch_in_turn(
    state: CustomerState | None,
    key: str,
    messages: list[Message],
    watermark: datetime | None,
    rules: Rules,
) -> Change[Any]:
    """One after the other: what is of an erased customer depends on what comes before it."""
    change: Change[Any] = Change(state, [])
    results: list[Message] = []
    for message in messages:
        change = stitch(change.state, key, message, watermark, rules)
        results += change.results
    return Change(change.state, results)


def watch(
    state: Watched | Presences | None,
    key: str,
    message: Message,
    watermark: datetime | None,
    rules: Rules,
) -> Change[Any]:
    """Whether the touchpoint is broken now. `pipeline.stitching.alerts`.

    One state is of another kind, under a key of its own: who still hears of customers.
    """
    return _watch_at_once(state, key, [message], watermark, rules)


def _watch_at_once(
    state: Watched | Presences | None,
    key: str,
    messages: list[Message],
    watermark: datetime | None,
    rules: Rules,
) -> Change[Any]:
    results: list[Message] = []
    counted = [one.record for one in messages if isinstance(one.record, Votes)]
    if counted:
        assert not isinstance(state, Presences)
        change = alerts.observe(state or Watched(key), counted, rules, watermark or UNKNOWN)
        state, results = change.state, change.results
    for message in messages:
        if not isinstance(message.record, Votes):
            told = asides.hear(state, key, message.record, rules)
            state = told.state
            results += told.results
    return Change(state, results)


def _expire_watched(state: Watched | Presences, watermark: datetime, rules: Rules) -> Change[Any]:
    if isinstance(state, Presences):
        return Change(state, [])
    return alerts.expire(state, watermark, rules)


def _watched_due_at(state: Watched | Presences, rules: Rules) -> datetime | None:
    return None if isinstance(state, Presences) else alerts.due_at(state, rules)


def _expire_stitched(
    state: CustomerState | Tally, watermark: datetime, rules: Rules
) -> Change[Any]:
    if type(state) is Tally:
        return tallies.expire(state, watermark, rules)
    assert type(state) is CustomerState
    return customer.expire(state, watermark, rules)


def _stitched_due_at(state: CustomerState | Tally, rules: Rules) -> datetime | None:
    if type(state) is Tally:
        return tallies.due_at(state, rules)
    assert type(state) is CustomerState
    return customer.due_at(state, rules)


TALLY: Final = b"\xc1"
"""What the bytes of a tally begin with, and those of presences; no value of msgpack does."""


def _pack_stitched(state: CustomerState | Tally) -> bytes:
    return TALLY + _encoder.encode(state) if isinstance(state, Tally) else pack(state)


def _unpack_stitched(packed: bytes) -> CustomerState | Tally:
    if packed.startswith(TALLY):
        return _decode_tally(memoryview(packed)[1:])
    return unpack(packed)


def _pack_watched(state: Watched | Presences) -> bytes:
    return TALLY + _encoder.encode(state) if isinstance(state, Presences) else storing.pack(state)


def _unpack_watched(packed: bytes) -> Watched | Presences:
    if packed.startswith(TALLY):
        return _decode_presences(memoryview(packed)[1:])
    return storing.unpack(packed)


def _too_late(touchpoint: Touchpoint, watermark: datetime | None) -> Message:
    content = encode(touchpoint)
    letter = DeadLetter(
        id=dead_letter_of(touchpoint.source, TOO_LATE, content),
        source=touchpoint.source,
        reason=TOO_LATE,
        where="$.occurred_at",
        expected=f"a time within the revision window, behind {watermark}",
        found=touchpoint.occurred_at.isoformat(),
        received_at=touchpoint.received_at,
        content=content[:CONTENT_BYTES_MAX],
        truncated=len(content) > CONTENT_BYTES_MAX,
    )
    return Message(DEAD_LETTERS, touchpoint.source, letter)


_encoder: Final = msgspec.msgpack.Encoder()
_decode_tally: Final = msgspec.msgpack.Decoder(Tally).decode
_decode_presences: Final = msgspec.msgpack.Decoder(Presences).decode

IDENTIFY: Final = Stage(
    name="identify",
    reads=(TOUCHPOINTS, LINKS),
    writes=(CUSTOMER_TOUCHPOINTS, LINKS, IDENTITY_CHANGES, DEAD_LETTERS),
    step=identify,
    expire=identity.expire,
    due_at=identity.due_at,
    encode=_encoder.encode,
    decode=msgspec.msgpack.Decoder(IdentifierState).decode,
    at_once=_identify_at_once,
)

STITCH: Final = Stage(
    name="stitch",
    reads=(CUSTOMER_TOUCHPOINTS,),
    writes=(
        SESSIONS,
        JOURNEY_OUTCOMES,
        VERDICTS,
        CUSTOMER_TOUCHPOINTS,
        IDENTITY_CHANGES,
        DEAD_LETTERS,
        VOTES,
    ),
    step=stitch,
    expire=_expire_stitched,
    due_at=_stitched_due_at,
    encode=_pack_stitched,
    decode=_unpack_stitched,
    at_once=_stitch_at_once,
    inward=(BALLOTS,),
)

WATCH: Final = Stage(
    name="watch",
    reads=(VOTES,),
    writes=(TOUCHPOINT_ALERTS, VOTES),
    step=watch,
    expire=_expire_watched,
    due_at=_watched_due_at,
    encode=_pack_watched,
    decode=_unpack_watched,
    at_once=_watch_at_once,
)

STAGES: Final = (IDENTIFY, STITCH, WATCH)
"""In the order in which a touchpoint meets them."""
