"""Erasing on Kafka: a word to the workers, tombstones on what is compacted, and time for the rest.

A log of Kafka's cannot be rewritten. So the identifiers concerned are told (`Erase` on `links`),
the stages forget and drop what was received before; then the keys of every compacted topic that
name the customer are deleted. What stands on topics that only end by retention ends with it: the
receipt says which, and when.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from confluent_kafka import KafkaException, Producer

from listeners.publishers.publisher import Outgoing
from pipeline.errors import PipelineError
from pipeline.receipts import Receipt, Removed, Seal
from pipeline.runtimes.kafka.operating import (
    KnownIdentifiers,
    known_identifiers,
    publish,
    workers_of,
)
from pipeline.runtimes.kafka.reader import Record, TopicReader
from pipeline.runtimes.kafka.topics import TOMBSTONES_KEPT, changelogs
from pipeline.stitching import erasing
from pipeline.stitching.erasing import Circle
from pipeline.stitching.rules import Rules
from pipeline.topology import IDENTIFY, STITCH
from schemas import codec, records
from schemas.brokers import Brokers
from schemas.controls import Erase
from schemas.topics import DEAD_LETTERS, IDENTITY_CHANGES, LINKS, TOPICS, Cleanup

ROUNDS: Final = 3
"""How often it is looked whether something on its way has shown the customer anew."""

POLL: Final = 0.2
LOOK_AFTER: Final = 3.0
"""Seconds without an answer after which it is asked whether anybody works at all."""

CONFIRMED_MAX: Final = 30.0
"""Seconds that the brokers may take to confirm deletions."""

COMPACTED: Final = tuple(
    topic.name for topic in TOPICS.values() if topic.cleanup is not Cleanup.DELETE
)


class WorkersSilent(PipelineError):
    """No worker said in time that it has forgotten. The message says what to do."""


def erase(
    brokers: Brokers,
    rules: Rules,
    seal: Seal,
    asked: tuple[str, str],
    now: datetime,
    patience: float,
) -> Receipt:
    """Forget a customer, and say so once every stage has.

    Args:
        brokers: Where Kafka is.
        rules: The catalogue's.
        seal: Signs the receipt.
        asked: The receipt's id, and one of the customer's identifiers as `type:value`.
        now: The wall clock.
        patience: Seconds that the workers may take.

    Raises:
        Ambiguous: The identifier was several customers'; nothing was done.
        WorkersSilent: They did not answer; what was ordered stands, and again does no harm.
        RuntimeFault, Unavailable, KafkaException: The brokers do not do what is asked.
    """
    known = known_identifiers(brokers)
    circle = erasing.circle_of(asked[1], known.get, known.owned, rules.identity)
    told: set[str] = set()
    forgotten = sum(known.get(name) is not None for name in circle.names)
    for _ in range(ROUNDS):
        _order(brokers, circle, known, now, patience)
        told |= set(circle.names)
        known = known_identifiers(brokers)
        wider = erasing.circle_of(asked[1], known.get, known.owned, rules.identity)
        more = wider.names - circle.names
        if not more and not any(known.owned(circle.names)):
            break
        circle = Circle(circle.names | more, circle.shared | wider.shared)
    topics = {topic: _bury(brokers, topic, circle) for topic in COMPACTED}
    return seal.sealed(
        Receipt(
            id=asked[0],
            erased_at=now,
            runtime="kafka",
            identifiers=seal.digests(circle.names),
            shared=len(circle.shared),
            customers=seal.digests(circle.customers),
            topics=topics,
            states={
                IDENTIFY.name: Removed(removed=forgotten),
                STITCH.name: Removed(removed=len(circle.customers)),
            },
            remains=remains(now),
        )
    )


def remains(now: datetime) -> tuple[str, ...]:
    """What stays on the brokers for how long, for the receipt."""
    ending = [
        f"{topic.name}: until {now + topic.retention:%Y-%m-%d}, by retention"
        for topic in TOPICS.values()
        if topic.cleanup is Cleanup.DELETE and topic.retention is not None
    ]
    compacted = now + TOMBSTONES_KEPT
    return (
        *ending,
        f"{', '.join(COMPACTED)} and the changelogs: what was deleted or revised there, until the "
        f"brokers compact; links not before {compacted:%Y-%m-%d}",
        "identify's and stitch's changelogs: that these identifiers and customers were erased, for "
        "31 and 8 days, so that what was received before is known when it comes",
        "touchpoint-alerts: ids of touchpoints that broke, as samples, for 90 days",
        "spools of listeners that cannot reach Kafka: until they can; then it is dropped",
        "copies that others made before: subscribers, backups, files written by `tail` or `export`",
    )


def _order(
    brokers: Brokers, circle: Circle, known: KnownIdentifiers, now: datetime, patience: float
) -> None:
    """Tell every identifier that knows of the customer; return once their customers have forgotten.

    A customer answers behind everything that its identifier had sent it before.
    """
    names = tuple(sorted(circle.names))
    addressed = {*circle.names, *circle.shared, *(name for name, _ in known.naming(names))}
    order = [
        Outgoing(LINKS, name, codec.encode(Erase(identifier=name, names=names, at=now)))
        for name in sorted(addressed)
    ]
    with TopicReader(brokers, IDENTITY_CHANGES, from_start=False) as answers:
        answers.records(1, POLL)  # so that it is there before it is asked
        asyncio.run(publish(brokers, order))
        missing, until = set(circle.customers), monotonic() + patience
        look_at = monotonic() + LOOK_AFTER
        while missing:
            for record in answers.records(1_000, POLL):
                if record.value is not None:
                    change = codec.decode(record.value, records.IdentityChange)
                    if change.change == "erased" and change.at >= now:
                        missing.discard(change.customer)
            if missing and monotonic() >= min(look_at, until):
                found = f"no answer of {len(missing)} within {patience:g} s"
                if nobody := workers_of(brokers) == 0:
                    found = f"no worker in the group {brokers.application}"
                look_at = monotonic() + LOOK_AFTER
                if nobody or monotonic() >= until:
                    message = (
                        f"expected the workers to forget the customer; found "
                        f"{found}. Does `touchpoints work` run? The order stands and will be "
                        f"obeyed; give it again then for the receipt."
                    )
                    raise WorkersSilent(message)


def _bury(brokers: Brokers, topic: str, circle: Circle) -> dict[str, Removed]:
    """Delete the keys of one topic whose last records name the customer."""
    with TopicReader(brokers, topic, from_start=True) as reader:
        naming = last_naming(reader.everything(), lambda record: _names(topic, record, circle))
    _delete(brokers, topic, naming)
    counts: dict[str, int] = {}
    for partition, _ in naming:
        counts[str(partition)] = counts.get(str(partition), 0) + 1
    return {partition: Removed(removed=count) for partition, count in sorted(counts.items())}


def last_naming(
    records_: Iterable[Record], names: Callable[[Record], bool]
) -> dict[tuple[int, bytes], None]:
    """Keys, with their partitions, whose last record names the customer.

    A session, a journey or a link may have become another's since: its last record is theirs, and
    has the brokers remove the older ones by itself when they compact.
    """
    naming: dict[tuple[int, bytes], None] = {}
    for record in records_:
        at = (record.partition, record.key)
        if record.value is not None and names(record):
            naming[at] = None
        else:
            naming.pop(at, None)
    return naming


def _delete(brokers: Brokers, topic: str, keys: dict[tuple[int, bytes], None]) -> None:
    """Tombstones, each in the partition of what it deletes."""
    producer = Producer(
        {**brokers.librdkafka(), "enable.idempotence": True, "acks": "all", "log_level": 3}
    )
    failed: list[object] = []

    def confirmed(error: object, _: object) -> None:
        if error is not None:
            failed.append(error)

    for partition, key in keys:
        producer.produce(topic, None, key, partition=partition, on_delivery=confirmed)
        producer.poll(0)
    if producer.flush(CONFIRMED_MAX) or failed:
        raise KafkaException(failed[0] if failed else f"{topic}: deletions not confirmed")


def _names(topic: str, record: Record, circle: Circle) -> bool:
    found = _record_of(topic, record)
    if isinstance(found, Erase):
        return found.identifier in circle.names or not circle.names.isdisjoint(found.names)
    if isinstance(found, records.IdentityChange) and found.change == "erased":
        return False
    return erasing.without(found, circle) is None


def _record_of(topic: str, record: Record) -> records.Record:
    return codec.decode_either(record.value or b"", TOPICS[topic].record)


def traces(brokers: Brokers, receipt: Receipt, seal: Seal) -> tuple[list[str], list[str]]:
    """What is left of whom a receipt is about, in words.

    Returns:
        What should not be there; and what is, but will end by retention.
    """
    wanted = {*receipt.identifiers, *receipt.customers}
    left: list[str] = []
    ending: list[str] = []
    before = int(receipt.erased_at.timestamp() * 1_000)
    for topic in TOPICS.values():
        count = 0
        for record in _standing(brokers, topic.name, compacted=topic.name in COMPACTED):
            if record.at <= before and not wanted.isdisjoint(_digests(topic.name, record, seal)):
                count += 1
        if count and topic.name in COMPACTED:
            left.append(f"{topic.name}: {count} keys")
        elif count and topic.retention is not None:
            until = receipt.erased_at + topic.retention
            ending.append(f"{topic.name}: {count} records, until {until:%Y-%m-%d} by retention")
    logs = changelogs(brokers.application)
    for stage, remembered in ((IDENTIFY, timedelta(days=31)), (STITCH, timedelta(days=8))):
        new_from = int((receipt.erased_at + remembered).timestamp() * 1_000)
        for record in _standing(brokers, logs[stage.name], compacted=True):
            if record.at >= new_from or seal.digest(record.key.decode()) not in wanted:
                continue
            state = stage.decode((record.value or b"")[8:])
            if state.erased is None or state.erased < receipt.erased_at:
                left.append(f"{logs[stage.name]}: one state")
    return left, ending


def _standing(brokers: Brokers, topic: str, *, compacted: bool) -> Iterator[Record]:
    """The records that hold: of a compacted topic the last of each key."""
    last: dict[tuple[int, bytes], Record] = {}
    with TopicReader(brokers, topic, from_start=True) as reader:
        for record in reader.everything():
            if not compacted:
                yield record
            elif record.value is None:
                last.pop((record.partition, record.key), None)
            else:
                last[record.partition, record.key] = record
    yield from last.values()


def _digests(topic: str, record: Record, seal: Seal) -> set[str]:
    if record.value is None or topic == DEAD_LETTERS:
        return set()
    found = _record_of(topic, record)
    if isinstance(found, Erase):
        return {seal.digest(name) for name in found.names}
    if isinstance(found, records.IdentityChange) and found.change == "erased":
        return set()
    return {seal.digest(name) for name in erasing.names_in(found) if name}
