"""Replay: touchpoints through the pipeline without a server; same input, same bytes out."""

from collections.abc import Iterable, Iterator

from pipeline.runtimes.engine import Engine
from pipeline.stitching.change import Message
from schemas.codec import encode
from schemas.records import Alert, JourneyOutcome, Record, Session, Touchpoint, Verdict, Votes


def results_of(
    touchpoints: Iterable[Touchpoint],
    engine: Engine,
    topics: frozenset[str],
    *,
    keep_open: bool = False,
    final: bool = False,
) -> Iterator[bytes]:
    """The results as NDJSON lines, each with its `topic`, in the order in which they arise.

    Args:
        touchpoints: In order of arrival.
        engine: Fresh, on stores of its own.
        topics: Which topics to give.
        keep_open: Leave open what is open at the end, instead of letting event time run on.
        final: Only the last revision of each result, where its first one stood.
    """
    lines = records_of(touchpoints, engine, topics, keep_open=keep_open)
    if not final:
        for topic, record in lines:
            yield _line(topic, record)
        return
    latest: dict[tuple[str, str], Record] = {}
    for number, (topic, record) in enumerate(lines):
        latest[topic, _id_of(record) or f"#{number}"] = record
    for (topic, _), record in latest.items():
        yield _line(topic, record)


def records_of(
    touchpoints: Iterable[Touchpoint],
    engine: Engine,
    topics: frozenset[str],
    *,
    keep_open: bool = False,
) -> Iterator[tuple[str, Record]]:
    """The same as records, each with its topic; every revision, as it arises."""
    for touchpoint in touchpoints:
        engine.process(touchpoint)
        if engine.outbox:
            yield from _drained(engine.outbox, topics)
    if not keep_open:
        engine.close()
        yield from _drained(engine.outbox, topics)


def _drained(outbox: list[Message], topics: frozenset[str]) -> Iterator[tuple[str, Record]]:
    for message in outbox:
        if message.topic in topics:
            yield message.topic, message.record
    outbox.clear()


def _line(topic: str, record: Record) -> bytes:
    return b'{"topic":"%b",%b\n' % (topic.encode(), encode(record)[1:])


def _id_of(record: Record) -> str | None:
    """The id by which a consumer upserts; None for a record that stands for itself."""
    if isinstance(record, Verdict):
        return record.ref
    if isinstance(record, Alert):
        return record.id
    if isinstance(record, Votes):
        return f"{record.touchpoint} {record.mission} {record.minute} {record.partition}"
    if isinstance(record, Session):
        return record.session_id
    return record.journey_id if isinstance(record, JourneyOutcome) else None
