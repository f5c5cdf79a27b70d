"""Slices of a batch: what can be taken key by key, each state once.

What one key is sent by another keeps its order, and that is all that stages rely on. But what a
stage tells itself has its time: where somebody watches, hours of a backlog must not look like one
moment. So a slice spans little event time there, and the slices are taken in the order of time.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from pipeline.stitching.change import Message
from schemas.controls import Reached
from schemas.records import Record, Touchpoint, Votes

SPAN: Final = timedelta(minutes=5)
"""Event time of a slice where votes are counted (P): so long a minute is believed to be incomplete
anyway, by `AlertRules.open`."""

Slice = dict[str, list[Message]]
"""Messages by the key they are for, in their order."""


class Slices:
    """A batch, cut.

    Args:
        messages: Each with its bytes, in the order of their offsets; None stands for a record that
            is none of this stage's.
        span: Event time of a slice; None makes one of them all.

    Attributes:
        slices: In the order of time.
        arrived: The touchpoints, in the order of their offsets.
        as_they_came: Their bytes, by the ids of the objects.
        told: What partitions of the stage before tell of event time.
    """

    def __init__(
        self, messages: Iterable[tuple[Message | None, bytes | None]], span: timedelta | None
    ) -> None:
        self.arrived: list[Touchpoint] = []
        self.as_they_came: dict[int, bytes] = {}
        self.told: list[Reached] = []
        by_time: dict[int, Slice] = {0: {}}
        seconds = None if span is None else span.total_seconds()
        latest: dict[tuple[str, int], int] = {}
        number = 0
        for message, value in messages:
            if message is None:
                continue
            key, record = message.key, message.record
            if type(record) is Reached:
                self.told.append(record)
                continue
            if type(record) is Touchpoint:
                self.arrived.append(record)
                self.as_they_came[id(record)] = value or b""
            if seconds is not None:
                at, sender = _time_of(record)
                if at is not None:
                    number = int(at.timestamp() // seconds)
                # What one sender sends to a key must not overtake itself.
                number = latest[key, sender] = max(number, latest.get((key, sender), number))
            by_key = by_time.get(number)
            if by_key is None:
                by_key = by_time[number] = {}
            waiting = by_key.get(key)
            if waiting is None:
                by_key[key] = [message]
            else:
                waiting.append(message)
        self.slices = [by_time[number] for number in sorted(by_time)]


def _time_of(record: Record) -> tuple[datetime | None, int]:
    """Its event time, None for what has none of its own; and who sent it, as far as it says."""
    if type(record) is Touchpoint:
        return record.occurred_at, 0
    if type(record) is Votes:
        return record.at or record.minute, record.partition
    return None, 0
