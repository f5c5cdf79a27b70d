"""Dead letters, as listeners write them."""

from datetime import datetime
from hashlib import sha256

from listeners.adapters.adapter import Context
from listeners.credentials import fingerprint
from listeners.dialects import DIALECTS
from listeners.errors import ItemRefused, Refused
from listeners.exchange import Delivery
from listeners.numbering import Numbered
from listeners.publishers.publisher import Outgoing
from schemas.codec import encode
from schemas.letters import CONTENT_BYTES_MAX, DeadLetter, Door
from schemas.topics import DEAD_LETTERS


def letter_of(
    fault: ItemRefused, source: str, content: bytes, received_at: datetime, door: Door
) -> DeadLetter:
    """A dead letter. Its id is derived, so that a repeat is the same letter.

    Args:
        fault: Why it was refused.
        source: Whose key it came with.
        content: What was refused; the letter keeps `CONTENT_BYTES_MAX` of it.
        received_at: When it came.
        door: How it came in.
    """
    digest = sha256(f"{source}\0{fault.reason}\0".encode() + content).hexdigest()
    return DeadLetter(
        id=digest[:32],
        source=source,
        reason=fault.reason,
        where=fault.where,
        expected=fault.expected,
        found=fault.found,
        received_at=received_at,
        content=content[:CONTENT_BYTES_MAX],
        truncated=len(content) > CONTENT_BYTES_MAX,
        door=door,
    )


def outgoing(letter: DeadLetter) -> Outgoing:
    """A letter on its way to its topic."""
    return Outgoing(DEAD_LETTERS, letter.source, encode(letter))


def door_of(dialect: str, context: Context) -> Door:
    """How an item came in."""
    shift, ids = context.shift, context.new_id
    origin, item = (ids.origin, ids.item) if isinstance(ids, Numbered) else (None, 0)
    return Door(
        dialect=dialect,
        call=context.call,
        shared=context.shared,
        shift=None if shift is None else shift.total_seconds(),
        hashed_by=fingerprint(context.hash_key),
        origin=origin,
        item=item,
    )


def door_of_body(delivery: Delivery, hash_key: bytes, origin: str | None) -> Door:
    """How a whole body came in.

    Args:
        delivery: What the wire said of it.
        hash_key: Keys the hash of personal identifiers.
        origin: What identifies it, where it was signed.
    """
    dialect, label = DIALECTS[delivery.dialect], delivery.encoding
    return Door(
        dialect=delivery.dialect,
        call=delivery.call,
        body=True,
        encoding=label if label and label.isascii() else None,  # Any bytes may stand in a header.
        shared=dialect.shared(delivery),
        hashed_by=fingerprint(hash_key),
        origin=origin,
        partial=dialect.partial(delivery),
    )


def refusal_of_body(refused: Refused) -> ItemRefused:
    """The refusal of a whole body, as a letter tells it."""
    return ItemRefused(
        reason=refused.reason, where="$", expected="a body of touchpoints", found=refused.message
    )
