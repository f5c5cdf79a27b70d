"""What each topic is as a table: what a row is named by, which revision holds, when it was."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from schemas.records import Record
from schemas.topics import (
    DEAD_LETTERS,
    IDENTITY_CHANGES,
    JOURNEY_OUTCOMES,
    SESSIONS,
    TOPICS,
    TOUCHPOINT_ALERTS,
    TOUCHPOINTS,
    VERDICTS,
)


class Head(msgspec.Struct, frozen=True, gc=False):
    """Of a record, what has to be known before it is kept.

    Attributes:
        id: What it is named by; None where each record is a row of its own.
        revision: The highest is the truth; of equal ones the last.
        customer: Whose it is, where it says so.
        source: Whose id it is, where sources name what they send themselves; a verdict has its
            touchpoint's.
    """

    id: str | None = None
    revision: int = 0
    customer: str | None = None
    source: str | None = None


class Table(NamedTuple):
    """One topic as a table.

    Attributes:
        topic: Its name.
        record: What a row was.
        at: The field that `--since` and `--until` go by.
        head: Reads from a record's bytes what has to be known of it.
    """

    topic: str
    record: type[Record]
    at: str
    head: Callable[[bytes], Head]

    def time_of(self, record: Record) -> datetime:
        """When it was."""
        at: datetime = getattr(record, self.at)
        return at


def _table(
    topic: str,
    at: str,
    id_field: str | None,
    revision_field: str | None = None,
    source_field: str | None = None,
) -> Table:
    places = {"id": id_field, "revision": revision_field, "source": source_field}
    # Without a field of that meaning, one that only has the name is not to be read for it.
    read = {name: place or f"no {name}" for name, place in places.items()}

    # Each field once more: of fields that are inherited the names stay.
    fields = [
        ("id", str | None, None), ("revision", int, 0),
        ("customer", str | None, None), ("source", str | None, None),
    ]  # fmt: skip
    here = msgspec.defstruct("HeadHere", fields, bases=(Head,), frozen=True, gc=False, rename=read)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(here).decode
    return Table(topic, TOPICS[topic].record, at, decode)


TABLES: Final[dict[str, Table]] = {
    one.topic: one
    for one in (
        _table(SESSIONS, "ended_at", "session_id", "revision"),
        _table(JOURNEY_OUTCOMES, "ended_at", "journey_id", "revision"),
        _table(VERDICTS, "occurred_at", "id", "revision", "source"),
        _table(TOUCHPOINT_ALERTS, "at", "id", "version"),
        _table(IDENTITY_CHANGES, "at", None),
        _table(TOUCHPOINTS, "occurred_at", "id", source_field="source"),
        _table(DEAD_LETTERS, "received_at", None),  # one that was sent again has a note by its id
    )
}
"""Topics that can be exported; on the others stages tell each other what they need to know."""
