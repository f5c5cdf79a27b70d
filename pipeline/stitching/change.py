"""What every step of the core returns: the state that follows, and the messages to send.

A message is a record bound for a topic under a key. Steps never send; a runtime does. Both are
structs, not named tuples: several are made for every touchpoint, and these cost a third.
"""

from typing import Generic, TypeVar

import msgspec

from schemas.records import Record

S = TypeVar("S")


class Message(msgspec.Struct, frozen=True, gc=False):
    """A record bound for a topic.

    Attributes:
        version: Of a touchpoint that its identifier's owner gets: the version of that identifier's
            timeline. Crosses a topic beside the record, whose bytes stay as they are.
        route: Saves the next stage of the same process what it can read from the record anyway:
            the identifiers a touchpoint is keyed by and came by. It never crosses a topic.
    """

    topic: str
    key: str
    record: Record
    route: tuple[str, tuple[str, ...]] | None = None
    version: int = 0


class Change(msgspec.Struct, Generic[S], gc=False):
    """The state after a step, and what is to be published because of it, in order."""

    state: S
    results: list[Message]
