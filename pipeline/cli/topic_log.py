"""A topic read whole, as several commands do: the embedded log's or Kafka's, up to now."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.runtimes.embedded.reader import LogReader

if TYPE_CHECKING:
    from schemas.brokers import Brokers

READ_AT_ONCE: Final = 2_000
"""Records that are read from the log at once."""


class Entry(NamedTuple):
    """A record of a topic; without a value it says that its key was deleted."""

    key: str
    value: bytes | None
    appended_at: datetime


def everything(data: Path, brokers: "Brokers | None", topic: str) -> Iterator[Entry]:
    """All records that stand on a topic now, each partition's in its order.

    Args:
        data: The folder of the embedded log.
        brokers: Kafka instead of it.
        topic: Its name.

    Raises:
        RuntimeFault: It cannot be read; says why.
    """
    return _of_log(data, topic) if brokers is None else _of_kafka(brokers, topic)


def _of_log(data: Path, topic: str) -> Iterator[Entry]:
    with LogReader(data) as reader:
        last, offset = reader.latest_offset(topic), 0
        while records := reader.read(topic, offset, READ_AT_ONCE):
            offset = records[-1].offset + 1
            for one in records:
                if one.offset > last:
                    return
                yield Entry(one.key, one.value, one.appended_at)


def _of_kafka(brokers: "Brokers", topic: str) -> Iterator[Entry]:
    from pipeline.runtimes.kafka.reaching import reach  # the embedded log needs no client
    from pipeline.runtimes.kafka.reader import TopicReader

    reach(brokers)
    with TopicReader(brokers, topic, from_start=True) as reader:
        for one in reader.everything():
            key = one.key.decode(errors="replace")
            yield Entry(key, one.value, datetime.fromtimestamp(one.at / 1_000, UTC))
