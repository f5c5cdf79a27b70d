"""Where commands find topics, with nothing running on them: a folder's log, or Kafka's."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from listeners.publishers.publisher import Outgoing
from pipeline.cli.topic_log import everything
from pipeline.runtimes.embedded.database import open_writer
from pipeline.runtimes.embedded.log import Log
from pipeline.topology import STAGES
from schemas import codec
from schemas.brokers import Brokers
from schemas.records import Record
from schemas.topics import TOPICS

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Place:
    """The topics of one runtime.

    Args:
        directory: The folder of the embedded log; unused where there are brokers.
        brokers: Kafka instead.
    """

    def __init__(self, directory: Path, brokers: Brokers | None = None) -> None:
        self.directory, self.brokers = directory, brokers

    @property
    def arguments(self) -> list[str]:
        """What names it on the command line."""
        if self.brokers is None:
            return ["--data", str(self.directory)]
        return ["--bootstrap-servers", self.brokers.bootstrap_servers]

    def append(self, topic: str, *records: Record, key: str = "k") -> None:
        """Append records under one key."""
        self.append_values([(topic, key, codec.encode(record)) for record in records])

    def append_values(self, records: Sequence[tuple[str, str, bytes]]) -> None:
        """Append bytes: topic, key and value of each."""
        if self.brokers is not None:
            from pipeline.runtimes.kafka.operating import publish

            asyncio.run(publish(self.brokers, [Outgoing(*record) for record in records]))
            return
        connection = open_writer(self.directory, [stage.name for stage in STAGES])
        log = Log(connection)
        connection.execute("BEGIN IMMEDIATE")
        for topic, key, value in records:
            log.append(topic, key, value)
        log.write(AT)
        connection.execute("COMMIT")
        connection.close()

    def values(self, topic: str) -> list[bytes]:
        """What stands on a topic, in order."""
        entries = everything(self.directory, self.brokers, topic)
        return [entry.value for entry in entries if entry.value is not None]

    def records(self, topic: str) -> list[Any]:
        """The same, decoded."""
        kind = TOPICS[topic].record
        return [codec.decode(value, kind) for value in self.values(topic)]


def changed(record: Any, **changes: Any) -> Any:
    """A record with other fields."""
    return msgspec.structs.replace(record, **changes)
