"""The rows of a topic: the last revision of each result, less what was erased."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from pipeline.exporting.keeping import Keeping
from pipeline.exporting.tables import Table
from schemas.codec import decode
from schemas.errors import ContractViolation
from schemas.records import IdentityChange, Record


class Entry(Protocol):
    """A record as it stands on a topic; without a value its key was deleted."""

    @property
    def key(self) -> str:
        """What it is keyed by."""

    @property
    def value(self) -> bytes | None:
        """Its bytes."""

    @property
    def appended_at(self) -> datetime:
        """When it was appended, to the millisecond."""


def erased_in(entries: Iterable[Entry]) -> dict[str, datetime]:
    """The customers that `identity-changes` says were erased, and when, to the millisecond.

    That is when it was said, after the last that was published of them: on Kafka an order waits
    until all that was sent before it has been read.
    """
    erased: dict[str, datetime] = {}
    for entry in entries:
        if entry.value is None or b'"erased"' not in entry.value:
            continue
        change = decode(entry.value, IdentityChange)
        if change.change == "erased":
            at = max(change.at, entry.appended_at)
            at -= timedelta(microseconds=at.microsecond % 1_000)
            erased[change.customer] = max(at, erased.get(change.customer, at))
    return erased


def rows_of(
    table: Table,
    entries: Iterable[Entry],
    erased: Mapping[str, datetime],
    chosen: Callable[[datetime], bool],
    progressed: Callable[[], None] = lambda: None,
) -> Iterator[Record]:
    """The rows of a table.

    Which revision is the last is seen before `chosen` is asked, since a revision may change when
    a result was.

    Args:
        table: Which.
        entries: All that stands on its topic, each key's in order.
        erased: Customers, and when each was erased: what was appended before is left out, and
            with it the earlier revisions that it had put right, whosever they were.
        chosen: Whether a row of this time is wanted.
        progressed: Told of each entry.

    Raises:
        ContractViolation: A record is not one of its topic.
    """
    with Keeping() as keeping:
        for entry in entries:
            progressed()
            if entry.value is None:
                keeping.delete(entry.key)
                continue
            try:
                head = table.head(entry.value)
            except ValueError as error:
                raise ContractViolation(
                    where=table.topic, expected=f"a {table.record.__name__}", found=str(error)
                ) from error
            at = erased.get(head.customer) if head.customer is not None else None
            gone = at is not None and entry.appended_at < at
            # Its revision counts all the same: what became theirs is not another's once more.
            keeping.put(head, entry.key, b"" if gone else entry.value)
        for value in keeping.values():
            record = decode(value, table.record)
            if chosen(table.time_of(record)):
                yield record
