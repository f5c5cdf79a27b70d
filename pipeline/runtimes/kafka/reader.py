"""Reads one topic on Kafka from outside any group: what `touchpoints tail` and exports follow.

Only what belongs to transactions that committed, as every reader of results should.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Final, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from pipeline.runtimes.errors import TopicsUnfit
from schemas.brokers import Brokers

ANSWER_MAX: Final = 10.0
"""Seconds that the brokers may take to say which partitions a topic has."""


RECORDS_AT_ONCE: Final = 10_000


class Record(NamedTuple):
    """A record as it stands in a partition; a value of None says that its key was deleted."""

    partition: int
    key: bytes
    value: bytes | None
    at: int
    """When it was appended, in milliseconds since 1970."""


class TopicReader:
    """A topic's values, all partitions, each in its order.

    Args:
        brokers: Where Kafka is.
        topic: Its name.
        from_start: From the oldest record; else from the next one to come.

    Raises:
        TopicsUnfit: There is no such topic.
        KafkaException: The brokers do not answer, or refuse.
    """

    def __init__(self, brokers: Brokers, topic: str, *, from_start: bool) -> None:
        self._consumer = Consumer(
            {
                **brokers.librdkafka(),
                "group.id": f"{brokers.application}-reader",  # asked for; nothing is committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "log_level": 3,
            }
        )
        found = self._consumer.list_topics(topic, timeout=ANSWER_MAX).topics[topic]
        if found.error is not None or not found.partitions:
            self._consumer.close()
            denied = (
                found.error is not None
                and found.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
            )
            what = "no right to read it (the ACL Read)" if denied else "none of that name"
            problem = f"{topic}: expected a topic; found {what}"
            raise TopicsUnfit(servers=brokers.bootstrap_servers, problems=[problem])
        start = OFFSET_BEGINNING if from_start else OFFSET_END
        # Behind the last record may stand markers of transactions: then the end is told by itself.
        self._unread = {
            n: self._consumer.get_watermark_offsets(TopicPartition(topic, n), ANSWER_MAX)[1]
            for n in found.partitions
        }
        self._consumer.assign([TopicPartition(topic, n, start) for n in found.partitions])

    @property
    def all_read(self) -> bool:
        """Whether all that stood there at the beginning has been given."""
        return not self._unread

    def read(self, limit: int, wait: float) -> list[bytes]:
        """At most `limit` values, as many as come within `wait` seconds.

        Raises:
            KafkaException: The brokers refuse, for good.
        """
        return [one.value or b"null" for one in self.records(limit, wait)]  # a deleted key, as JSON

    def everything(self) -> Iterator["Record"]:
        """All that stood there at the beginning; what comes meanwhile may be among it.

        Raises:
            KafkaException: The brokers refuse, for good.
        """
        while not self.all_read:
            yield from self.records(RECORDS_AT_ONCE, 0.2)

    def records(self, limit: int, wait: float) -> list["Record"]:
        """As `read`, with what stands beside the values. Raises as it does."""
        records: list[Record] = []
        for record in self._consumer.consume(limit, wait):
            error = record.error()
            if error is None:
                partition, offset = record.partition() or 0, record.offset() or 0
                at = record.timestamp()[1]
                records.append(Record(partition, record.key() or b"", record.value(), at))
                if offset + 1 >= self._unread.get(partition, 0):
                    self._unread.pop(partition, None)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._unread.pop(record.partition() or 0, None)
            elif not error.retriable():
                raise KafkaException(error)
        return records

    def __enter__(self) -> "TopicReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()
