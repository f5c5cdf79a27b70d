"""Dead letters: what listeners and stages could not use, as `records.py` has all the rest."""

from datetime import datetime
from typing import Final, Literal

from schemas.records import Record

CONTENT_BYTES_MAX: Final = 8192
"""Offending bytes that a dead letter keeps."""


class Door(Record, frozen=True):
    """How something came in, so that the same door can judge it again.

    Attributes:
        dialect, call: What it was written in, and what the path said of the items' type.
        body, encoding: Whether the content is a whole body and no item, and how it was compressed.
        shared: What the body and its headers said of all items, for the dialect's adapter.
        shift: Seconds to add to the emitter's times, its clock being wrong.
        hashed_by: A fingerprint of the key that hashed personal identifiers: it tells two keys
            apart and reveals neither.
        origin, item: What identifies what it came in, a signed delivery's id or a letter's, and its
            place there: an id that is missing is derived from both.
        partial: Whether headers or a query that are not kept said how to read the body.
    """

    dialect: str
    call: str | None = None
    body: bool = False
    encoding: str | None = None
    shared: str | None = None
    shift: float | None = None
    hashed_by: str | None = None
    origin: str | None = None
    item: int = 0
    partial: bool = False


class DeadLetter(Record, frozen=True):
    """What could not be used, kept with its reason so that it can be sent again.

    Attributes:
        id: Derived from the source, the reason and the content.
        source: The source that sent it, `unknown` where no key named one.
        reason: A code from a closed list: the listeners' own (`listeners/errors.py`), `too_late`,
            `identifier_cap`, `processing_failed`.
        where: The place of the fault, as a JSON path, or the stage that refused.
        expected: What the contract asks for.
        found: What stood there, cut short.
        received_at: When it came.
        content: The offending bytes, base64, at most `CONTENT_BYTES_MAX` of them.
        truncated: Whether `content` was cut.
        door: How it came in; None where a stage refused it, whose content is a touchpoint's record.
        redriven_at, redriven: Of the record that says that it was sent again, when, and what came
            of it: `accepted`, so that it is on `touchpoints`, or `refused` again.
    """

    id: str
    source: str
    reason: str
    where: str
    expected: str
    found: str
    received_at: datetime
    content: bytes = b""
    truncated: bool = False
    door: Door | None = None
    redriven_at: datetime | None = None
    redriven: Literal["accepted", "refused"] | None = None
