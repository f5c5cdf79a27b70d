"""The changelog of one stage's partition: what its owner knew after the last batch.

One transactional producer writes a batch's results, the states that changed and the offsets read so
far in one transaction. To take a partition over raises the epoch of its transactional id, so that a
former owner that was only paused can write no more; then the changelog is read whole. First fence,
then read: else the former owner's last batch would be missed.

Blocking calls: whoever uses it from an event loop does so in a thread.
"""

from collections.abc import Callable, Iterable, Sequence
from time import monotonic, sleep
from typing import Final, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from pipeline.runtimes.errors import StateUnusable, TakenOver
from pipeline.runtimes.kafka.states import RECORD_BYTES_MAX
from schemas.brokers import Brokers

PROGRESS: Final = b"\x00progress"
"""Key of the record that says how far the partition is; no state's key begins with a zero byte."""

FORMAT: Final = 1
"""Of what stands in a changelog. Another one is refused, never guessed at."""

_NEVER: Final = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
"""Refusals that asking again does not change."""

READ_AT_ONCE: Final = 10_000
ASK_AGAIN: Final = 0.2
"""Seconds between two questions to a broker that does not know a topic."""

QUEUE_MESSAGES_MAX: Final = 500_000
QUEUE_KIB_MAX: Final = 256 * 1024


class Progress(msgspec.Struct, array_like=True):
    """How far a partition is.

    Attributes:
        format: `FORMAT` of whoever wrote it.
        offsets: By input topic, the offset to read next.
        snapshot: What the stage knows beside its states: how far event time is.
    """

    format: int
    offsets: dict[str, int]
    snapshot: bytes = b""


class Output(msgspec.Struct, gc=False):
    """A record to publish; where no partition is named, the key decides."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]] | None = None
    partition: int | None = None


class Restored(NamedTuple):
    """What a changelog says: states by key, and the progress; None where there is none yet."""

    states: dict[bytes, bytes]
    progress: Progress | None


_decode_progress: Final = msgspec.msgpack.Decoder(Progress).decode


class Changelog:
    """The changelog of one partition, and the right to write to it.

    Args:
        brokers: Where Kafka is.
        topic: The changelog's.
        partition: Its number, the same as that of the stage's input.
        commit_timeout: Seconds that fencing or one transaction may take.
    """

    def __init__(
        self, brokers: Brokers, topic: str, partition: int, *, commit_timeout: float
    ) -> None:
        self.topic, self.partition = topic, partition
        self._brokers = brokers
        self._timeout = commit_timeout
        self._producer = Producer(
            {
                **brokers.librdkafka(),
                "transactional.id": f"{topic}-{partition}",
                "transaction.timeout.ms": int(1_000 * commit_timeout),
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": "murmur2_random",  # as Java's, aiokafka's and kafka-python's
                "compression.type": "lz4",
                "linger.ms": 2,
                "delivery.report.only.error": True,
                "queue.buffering.max.messages": QUEUE_MESSAGES_MAX,
                "queue.buffering.max.kbytes": QUEUE_KIB_MAX,
                "message.max.bytes": RECORD_BYTES_MAX,
                "log_level": 3,
            }
        )

    def take_over(self, tell: Callable[[float], None] = lambda _: None) -> Restored:
        """Fence whoever owned the partition before, and read what it left.

        Args:
            tell: Called with the share that has been read, as it is.

        Raises:
            StateUnusable: It was written by another version of this program.
            KafkaException: The brokers do not answer, or refuse.
        """
        self._producer.init_transactions(self._timeout)
        reader = Consumer(
            {
                **self._brokers.librdkafka(),
                "group.id": f"{self.topic}-reader",  # asked for, never used: nothing is committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 64 * 1024,
                "fetch.wait.max.ms": 100,
                "log_level": 3,
            }
        )
        try:
            states = self._read_whole(reader, tell)
        finally:
            reader.close()
        return Restored(states, self._progress_in(states))

    def _read_whole(self, reader: Consumer, tell: Callable[[float], None]) -> dict[bytes, bytes]:
        """Read up to the end-of-partition event: an end offset may be a transaction's marker.

        A leader that was just elected may tell of an end before what was committed, until it has
        heard from its followers; where it is asked for the end, it says none as long.
        """
        states: dict[bytes, bytes] = {}
        tell(0.0)
        whole = TopicPartition(self.topic, self.partition, 0)
        _, end = self._bounds(reader, whole)
        first: int | None = None
        reader.assign([whole])
        heard_at = monotonic()
        while monotonic() - heard_at < self._timeout:
            for at, record in enumerate(reader.consume(READ_AT_ONCE, 0.05)):
                heard_at = monotonic()
                if not at:
                    offset = record.offset() or 0
                    first = offset if first is None else first
                    # As of the last fetch: asking the broker could fail where reading would wait.
                    _, high = reader.get_watermark_offsets(whole, cached=True)
                    tell(min(1.0, max(0, offset - first) / max(1, high - first)))
                error = record.error()
                if error is None:
                    key, value = record.key() or b"", record.value()
                    if value is None:
                        states.pop(key, None)
                    else:
                        states[key] = value
                elif error.code() == KafkaError._PARTITION_EOF:
                    if (record.offset() or 0) >= end:
                        return states
                else:
                    raise KafkaException(error)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"reading {self.topic}"))

    def _progress_in(self, states: dict[bytes, bytes]) -> Progress | None:
        written = states.pop(PROGRESS, None)
        if written is None:
            return None
        try:
            progress = _decode_progress(written)
        except msgspec.MsgspecError as error:
            raise StateUnusable(
                where=f"{self.topic}, partition {self.partition}",
                expected=f"state of format {FORMAT}",
                found=str(error),
            ) from error
        if progress.format != FORMAT:
            raise StateUnusable(
                where=f"{self.topic}, partition {self.partition}",
                expected=f"state of format {FORMAT}",
                found=f"format {progress.format}",
            )
        return progress

    def commit(
        self,
        outputs: Sequence[Output],
        states: Iterable[tuple[bytes, bytes | None]],
        progress: Progress,
    ) -> None:
        """Make a batch's results, states and progress durable: all of it or nothing.

        Raises:
            TakenOver: Another worker owns the partition by now; nothing was written.
            KafkaException: The outcome is not known. Whoever gets one of the two must not go on:
                a new start reads what holds.
        """
        producer = self._producer
        try:
            producer.begin_transaction()
            self._publish(outputs)
            self._write(states)
            self._write([(PROGRESS, msgspec.msgpack.encode(progress))])
            producer.commit_transaction(self._timeout)
        except KafkaException as error:
            code = error.args[0].code()
            if code in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH):
                raise TakenOver(where=f"{self.topic}, partition {self.partition}") from error
            raise

    def _publish(self, outputs: Sequence[Output]) -> None:
        produce = self._producer.produce
        for one in outputs:
            while True:
                try:
                    if one.partition is not None:
                        produce(one.topic, one.value, one.key, one.partition)
                    elif one.headers is None:
                        produce(one.topic, one.value, one.key)
                    else:
                        produce(one.topic, one.value, one.key, headers=one.headers)
                    break
                except BufferError:  # the queue is full: until some of it has been sent
                    self._producer.poll(0.05)

    def _write(self, states: Iterable[tuple[bytes, bytes | None]]) -> None:
        produce, topic, partition = self._producer.produce, self.topic, self.partition
        for key, state in states:
            while True:
                try:
                    produce(topic, state, key, partition)
                    break
                except BufferError:
                    self._producer.poll(0.05)

    def bounds_of(self, topic: str) -> tuple[int, int]:
        """The oldest offset of this partition of a topic, and the one behind its newest."""
        asking = Consumer({**self._brokers.librdkafka(), "group.id": f"{self.topic}-reader"})
        try:
            return self._bounds(asking, TopicPartition(topic, self.partition))
        finally:
            asking.close()

    def _bounds(self, asking: Consumer, place: TopicPartition) -> tuple[int, int]:
        """Ask until a leader answers: while there is none yet, each client is told so at once."""
        until = monotonic() + self._timeout
        while True:
            try:
                low, high = asking.get_watermark_offsets(place, max(0.1, until - monotonic()))
            except KafkaException as error:
                if error.args[0].code() in _NEVER or monotonic() >= until:
                    raise
                sleep(ASK_AGAIN)
            else:
                return low, high

    def partitions_of(self, topic: str) -> int:
        """How many partitions a topic has.

        A broker that comes back may name none at first: it is asked again.

        Raises:
            KafkaException: The brokers do not say.
        """
        until = monotonic() + self._timeout
        while True:
            left = max(0.1, until - monotonic())
            found = self._producer.list_topics(topic, left).topics[topic]
            if found.partitions and found.error is None:
                return len(found.partitions)
            if monotonic() >= until:
                unknown = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"no topic {topic}")
                raise KafkaException(found.error or unknown)
            sleep(ASK_AGAIN)

    def close(self) -> None:
        """Let go. What was not committed is aborted by the next owner's fencing."""
        self._producer.purge()
        self._producer.poll(0)
