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
    heads = {topic: b'{"topic":"%b",' % topic.encode() for topic in topics}
    messages = _messages_of(touchpoints, engine, topics, keep_open=keep_open)
    if final:
        latest: dict[tuple[str, str], Message] = {}
        for number, message in enumerate(messages):
            latest[message.topic, _id_of(message.record) or f"#{number}"] = message
        messages = iter(latest.values())
    for message in messages:
        yield heads[message.topic] + encode(message.record)[1:] + b"\n"


def records_of(
    touchpoints: Iterable[Touchpoint],
    engine: Engine,
    topics: frozenset[str],
    *,
    keep_open: bool = False,
) -> Iterator[tuple[str, Record]]:
    """The same as records, each with its topic; every revision, as it arises."""
    for message in _messages_of(touchpoints, engine, topics, keep_open=keep_open):
        yield message.topic, message.record


def _messages_of(
    touchpoints: Iterable[Touchpoint], engine: Engine, topics: frozenset[str], *, keep_open: bool
) -> Iterator[Message]:
    outbox = engine.outbox
    for touchpoint in touchpoints:
        engine.process(touchpoint)
        yield from [message for message in outbox if message.topic in topics]
        outbox.clear()
    if not keep_open:
        engine.close()
        yield from [message for message in outbox if message.topic in topics]
        outbox.clear()


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
