"""The topology: the stages, what each reads and writes, and how its state is kept.

    touchpoints ──▶ identify ──▶ customer-touchpoints ──▶ stitch ──▶ sessions, outcomes, verdicts
                     ▲    │                          ▲      │
                     └────┘ links                    └──────┘ handovers, recalls, reroutes

Any runtime drives the same stages: it keeps a state for each key, calls `step` with each message
of the topics a stage reads, and sends what comes back. Only messages pass between keys.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.stitching import customer, handovers, identity, keys
from pipeline.stitching.change import Change, Message
from pipeline.stitching.claims import IdentifierState
from pipeline.stitching.ids import dead_letter_of
from pipeline.stitching.kept import CustomerState, interaction_of, is_kept, pack, unpack
from pipeline.stitching.rules import Rules
from pipeline.stitching.sealing import is_too_late
from pipeline.stitching.signals import IDENTITY_ONLY
from schemas.codec import encode
from schemas.controls import Control
from schemas.records import CONTENT_BYTES_MAX, DeadLetter, Link, Touchpoint
from schemas.topics import (
    CUSTOMER_TOUCHPOINTS,
    DEAD_LETTERS,
    IDENTITY_CHANGES,
    JOURNEY_OUTCOMES,
    LINKS,
    SESSIONS,
    TOUCHPOINTS,
    VERDICTS,
)

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
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    step: Callable[[Any, str, Message, datetime | None, Rules], Change[Any]]
    expire: Callable[[Any, datetime, Rules], Change[Any]]
    due_at: Callable[[Any, Rules], datetime | None]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def identify(
    state: IdentifierState | None,
    key: str,
    message: Message,
    watermark: datetime | None,
    rules: Rules,
) -> Change[IdentifierState]:
    """Whose touchpoint this is. `pipeline.stitching.identity`."""
    state = state or IdentifierState()
    record = message.record
    if isinstance(record, Link):
        return identity.link(state, key, record, rules.identity)
    assert isinstance(record, Touchpoint)
    shown = (message.route or keys.read(record, rules.identity))[1]
    return identity.identify(state, key, shown, record, rules.identity)


def stitch(
    state: CustomerState | None,
    key: str,
    message: Message,
    watermark: datetime | None,
    rules: Rules,
) -> Change[CustomerState] | Change[CustomerState | None]:
    """What the touchpoint means. `pipeline.stitching.customer`."""
    record = message.record
    if isinstance(record, Control):
        received = handovers.receive(state or CustomerState(key), record, rules)
        return Change(received.state if is_kept(received.state) else None, received.results)
    assert isinstance(record, Touchpoint)
    if IDENTITY_ONLY in record.signals:
        return Change(state, [])  # it has told identify all it has to tell
    if is_too_late(state, record.occurred_at, watermark, rules):
        return Change(state, [_too_late(record, watermark)])
    device, path = message.route or keys.route_of(key, record, rules.identity)
    one = interaction_of(record, device, ((path[0], message.version),))
    return customer.observe(state or CustomerState(key), one, rules)


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

IDENTIFY: Final = Stage(
    name="identify",
    reads=(TOUCHPOINTS, LINKS),
    writes=(CUSTOMER_TOUCHPOINTS, LINKS, IDENTITY_CHANGES, DEAD_LETTERS),
    step=identify,
    expire=identity.expire,
    due_at=identity.due_at,
    encode=_encoder.encode,
    decode=msgspec.msgpack.Decoder(IdentifierState).decode,
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
    ),
    step=stitch,
    expire=customer.expire,
    due_at=customer.due_at,
    encode=pack,
    decode=unpack,
)

STAGES: Final = (IDENTIFY, STITCH)
"""In the order in which a touchpoint meets them."""
