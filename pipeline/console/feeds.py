"""Feeds: where the console's records come from - the embedded log, or Kafka.

Both only read. A feed is used by one thread.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pipeline.console.keeping import READ, Arrived
from pipeline.console.store import milliseconds
from pipeline.runtimes.embedded.reader import LogReader

if TYPE_CHECKING:
    from schemas.brokers import Brokers

RECORDS_AT_ONCE: Final = 2_000
"""Records of one topic that go into one transaction: some 60 ms."""

Offsets = Mapping[str, Mapping[int, int]]
"""Topic → partition → the offset that is next."""


class Part(NamedTuple):
    """Some records of one topic, and how far they go."""

    topic: str
    records: list[Arrived]
    offsets: dict[int, int]


class Feed(Protocol):
    """Result topics, read from where they were left."""

    def poll(self, wait: float) -> Iterator[Part]:
        """What has come, in parts; waits at most so many seconds where there is nothing.

        Each part has to be kept before the next is asked for.
        """

    def behind(self) -> int:
        """How many records stand in the topics that were not given yet."""

    def restarted(self) -> bool:
        """Whether the topics hold less than was read of them: they were begun anew."""

    def close(self) -> None:
        """Let go of it."""


class EmbeddedFeed:
    """The log of `touchpoints up`, from this or any other process.

    Raises:
        StorageUnreadable: The folder has no data, or none that this version can read.
    """

    def __init__(self, directory: Path, offsets: Offsets) -> None:
        self._reader = LogReader(directory)
        self._next = {topic: dict(offsets.get(topic, {})).get(0, 0) for topic in READ}

    def poll(self, wait: float) -> Iterator[Part]:
        """See `Feed`; does not wait, since asking costs next to nothing."""
        if not self._reader.changed() and not self._unread:
            return
        self._unread = False
        for topic in READ:
            records = self._reader.read(topic, self._next[topic], RECORDS_AT_ONCE)
            if not records:
                continue
            following = records[-1].offset + 1
            arrived = [
                Arrived(one.key, one.value, milliseconds(one.appended_at)) for one in records
            ]
            yield Part(topic, arrived, {0: following})
            self._next[topic] = following
            self._unread = self._unread or len(records) == RECORDS_AT_ONCE

    _unread = True

    def behind(self) -> int:
        """See `Feed`."""
        return sum(
            max(0, self._reader.latest_offset(topic) + 1 - self._next[topic]) for topic in READ
        )

    def restarted(self) -> bool:
        """See `Feed`."""
        return any(self._reader.latest_offset(topic) + 1 < self._next[topic] for topic in READ)

    def close(self) -> None:
        """See `Feed`."""
        self._reader.close()


class KafkaFeed:
    """The result topics on Kafka, outside any group: nothing is committed there.

    Raises:
        RuntimeFault: The brokers do not answer, or lack a topic.
    """

    def __init__(self, brokers: "Brokers", offsets: Offsets) -> None:
        from pipeline.runtimes.kafka.following import Follower  # the embedded log needs no client

        self._follower = Follower(brokers, READ, offsets)

    def poll(self, wait: float) -> Iterator[Part]:
        """See `Feed`."""
        for topic, records, following in self._follower.poll(RECORDS_AT_ONCE, wait):
            arrived = [Arrived(one.key.decode(), one.value, one.at) for one in records]
            yield Part(topic, arrived, following)

    def behind(self) -> int:
        """See `Feed`."""
        return self._follower.behind()

    def restarted(self) -> bool:
        """See `Feed`."""
        return self._follower.restarted()

    def close(self) -> None:
        """See `Feed`."""
        self._follower.close()
