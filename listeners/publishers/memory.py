"""A publisher that keeps records in memory: for tests and examples. Nothing survives it."""

from collections.abc import Sequence
from datetime import timedelta

from listeners.errors import Unavailable
from listeners.publishers.publisher import Outgoing


class MemoryPublisher:
    """Keeps what is published, in order, and refuses on demand.

    Attributes:
        records: All that was published.
        down: While true, nothing is taken.
    """

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.down = False

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Keep the records; all of them or, while down, none.

        Raises:
            Unavailable: While down.
        """
        await self.ready()
        self.records.extend(records)

    async def ready(self) -> None:
        """Return while records are taken.

        Raises:
            Unavailable: While down.
        """
        if self.down:
            raise Unavailable(retry_after=timedelta(seconds=2), reason="the publisher is down")

    def of(self, topic: str) -> list[Outgoing]:
        """The records of one topic, in order."""
        return [record for record in self.records if record.topic == topic]
