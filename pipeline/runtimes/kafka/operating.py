"""What operators' commands do on Kafka: read what workers know, append what they are to read."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from listeners.publishers.kafka import KafkaPublisher
from listeners.publishers.publisher import Outgoing
from pipeline.runtimes.kafka.changelog import PROGRESS
from pipeline.runtimes.kafka.reaching import reach
from pipeline.runtimes.kafka.reader import TopicReader
from pipeline.runtimes.kafka.states import unpacked
from pipeline.runtimes.kafka.topics import changelogs
from pipeline.stitching.claims import IdentifierState
from pipeline.stitching.erasing import owners_in
from pipeline.topology import IDENTIFY
from schemas.brokers import Brokers

ASKED_MAX: Final = 5.0
"""Seconds that the brokers may take to say who is in a group."""


class KnownIdentifiers:
    """The states of all identifiers, packed, as the stage's changelog had them when it was read."""

    def __init__(self, packed: dict[str, bytes]) -> None:
        self._packed = packed

    def get(self, identifier: str) -> IdentifierState | None:
        """The state of one."""
        packed = self._packed.get(identifier)
        return None if packed is None else IDENTIFY.decode(unpacked(packed))

    def owned(self, names: Iterable[str]) -> Iterator[tuple[str, IdentifierState]]:
        """Those that any of these ever claimed."""
        wanted = set(names)
        for name, state in self.naming(wanted):
            if not wanted.isdisjoint(owners_in(state)):
                yield name, state

    def naming(self, names: Iterable[str]) -> Iterator[tuple[str, IdentifierState]]:
        """Those whose states may name any of these."""
        marks = [name.encode() for name in names]
        for name, packed in self._packed.items():
            if any(mark in packed for mark in marks):
                yield name, IDENTIFY.decode(unpacked(packed))


def known_identifiers(brokers: Brokers) -> KnownIdentifiers:
    """Read the identify stage's changelog, whole.

    Raises:
        RuntimeFault: The brokers do not answer, or have no such topic.
    """
    reach(brokers)
    packed: dict[str, bytes] = {}
    with TopicReader(brokers, changelogs(brokers.application)[IDENTIFY.name], from_start=True) as r:
        for record in r.everything():
            if record.key == PROGRESS:
                continue
            if record.value is None:
                packed.pop(record.key.decode(), None)
            else:
                packed[record.key.decode()] = record.value
    return KnownIdentifiers(packed)


def workers_of(brokers: Brokers) -> int | None:
    """How many workers are members of the group; None where the account may not ask.

    One that died is a member until `session_timeout` is over.
    """
    group = brokers.application
    client = AdminClient(brokers.librdkafka() | {"log_level": 0})  # held: its answer dies with it
    asked = client.describe_consumer_groups([group], request_timeout=ASKED_MAX)
    try:
        return len(asked[group].result().members)
    except KafkaException:
        return None


async def publish(brokers: Brokers, records: Sequence[Outgoing]) -> None:
    """Append records; return once the brokers have confirmed them.

    Raises:
        Unavailable: They did not.
    """
    publisher = KafkaPublisher(brokers)
    try:
        await publisher.publish(records)
    finally:
        await publisher.stop()
