"""Follows several topics on Kafka from remembered offsets, outside any group."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.runtimes.errors import TopicsUnfit
from pipeline.runtimes.kafka.reaching import reach
from pipeline.runtimes.kafka.reader import ANSWER_MAX, Record
from schemas.brokers import Brokers


class Follower:
    """Values of topics as they come, only of transactions that committed.

    Args:
        brokers: Where Kafka is.
        topics: Their names.
        offsets: By topic and partition, where to go on; the oldest record where it says nothing.

    Raises:
        RuntimeFault: The brokers do not answer, or have no such topic.
    """

    def __init__(
        self,
        brokers: Brokers,
        topics: Sequence[str],
        offsets: Mapping[str, Mapping[int, int]],
    ) -> None:
        reach(brokers)
        self._consumer = Consumer(
            {
                **brokers.librdkafka(),
                "group.id": f"{brokers.application}-console",  # asked for; nothing is committed
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "log_level": 3,
            }
        )
        try:
            self._next = self._assigned(brokers, topics, offsets)
        except BaseException:
            self._consumer.close()
            raise

    def poll(self, limit: int, wait: float) -> Iterator[tuple[str, list[Record], dict[int, int]]]:
        """At most `limit` records, by topic, with the offsets that are next by partition.

        Raises:
            KafkaException: The brokers refuse, for good.
        """
        by_topic: dict[str, list[Record]] = defaultdict(list)
        following: dict[str, dict[int, int]] = defaultdict(dict)
        for record in self._consumer.consume(limit, wait):
            error = record.error()
            if error is not None:
                if not error.retriable() and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                continue
            topic, partition = record.topic() or "", record.partition() or 0
            by_topic[topic].append(
                Record(partition, record.key() or b"", record.value(), record.timestamp()[1])
            )
            following[topic][partition] = (record.offset() or 0) + 1
        for topic, records in by_topic.items():
            yield topic, records, following[topic]
            for partition, offset in following[topic].items():
                self._next[topic, partition] = offset

    def behind(self) -> int:
        """Records, and markers of transactions, that stand there and were not given yet.

        By what the client was last told: no request is made. Where all that is left is markers,
        the client's own position says that they were passed.
        """
        waiting = 0
        places = self._consumer.position([TopicPartition(*one) for one in self._next])
        for place in places:
            _, high = self._consumer.get_watermark_offsets(
                TopicPartition(place.topic, place.partition), cached=True
            )
            at = max(place.offset, self._next[place.topic, place.partition])
            waiting += max(0, high - at) if high > 0 else 0
        return waiting

    def restarted(self) -> bool:
        """Whether a topic ends before what was read of it: it was made anew."""
        for (topic, partition), offset in self._next.items():
            _, high = self._consumer.get_watermark_offsets(
                TopicPartition(topic, partition), ANSWER_MAX
            )
            if high < offset:
                return True
        return False

    def close(self) -> None:
        """Let go of the brokers."""
        self._consumer.close()

    def _assigned(
        self,
        brokers: Brokers,
        topics: Sequence[str],
        offsets: Mapping[str, Mapping[int, int]],
    ) -> dict[tuple[str, int], int]:
        found = self._consumer.list_topics(timeout=ANSWER_MAX).topics
        problems = [
            f"{topic}: expected a topic; found none of that name, or no right to read it"
            for topic in topics
            if topic not in found or found[topic].error is not None
        ]
        if problems:
            raise TopicsUnfit(servers=brokers.bootstrap_servers, problems=problems)
        begin = {
            (topic, partition): offsets.get(topic, {}).get(partition, 0)
            for topic in topics
            for partition in found[topic].partitions
        }
        self._consumer.assign(
            [TopicPartition(*one, at or OFFSET_BEGINNING) for one, at in begin.items()]
        )
        return begin
