"""Belonging to the group: who divides the partitions, and whether the client still works at it.

What is overridden is not public: `tests/contracts/test_faust.py` fails when an upgrade changes it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final

from faust.assignor import PartitionAssignor
from faust.transport.drivers import aiokafka as driver

from pipeline.runtimes.errors import WorkerFailed

ASK_AGAIN: Final = 0.2
"""Seconds between two questions to brokers that do not know all topics."""

Divide = Callable[[Any], Awaitable[Any]]
"""aiokafka's: gives each member its partitions, by what it knows of the topics."""


class TopicsUnknown(Exception):
    """Partitions cannot be divided: topics are not known, or not whole."""

    def __init__(self, topics: list[str]) -> None:
        self.topics = topics
        super().__init__(", ".join(topics))


class WholeAssignor(PartitionAssignor):
    """Divides the partitions of topics that are known, and whole.

    A broker that comes back answers before it has read which topics it has. Faust's own takes such
    an answer at its word, and nobody gets the partitions of what it does not name.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._known: dict[str, int] = {}

    def assign(self, cluster: Any, member_metadata: Any) -> Any:
        """See Faust's.

        Raises:
            TopicsUnknown: A topic is missing, or has fewer partitions than it once had.
        """
        topics = {topic for one in member_metadata.values() for topic in one.subscription}
        found = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        unknown = [topic for topic in topics if found[topic] < self._known.get(topic, 1)]
        if unknown:
            raise TopicsUnknown(sorted(unknown))
        self._known |= found
        return super().assign(cluster, member_metadata)


class MemberThread(driver.AIOKafkaConsumerThread):
    """The thread of the client; it gives only what belongs to transactions that committed."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer

    async def on_start(self) -> None:
        """Start the client, whose coordinator waits for topics that it is to divide."""
        await super().on_start()
        coordinator: Any = self._ensure_consumer()._coordinator
        divide = coordinator._perform_assignment

        async def once_known(response: Any) -> Any:
            return await self.divided(divide, response)

        coordinator._perform_assignment = once_known

    async def divided(self, divide: Divide, response: Any) -> Any:
        """Divide the partitions once all topics are known; until then the others wait.

        Half a session is waited: after a whole one the group would give this member up.
        """
        patience = self.app.conf.broker_session_timeout / 2
        until = monotonic() + patience
        while True:
            try:
                return await divide(response)
            except TopicsUnknown as unknown:
                if monotonic() >= until:
                    message = (
                        f"expected the brokers to know the topics {unknown}, whole; they do not, "
                        f"{patience:g} s after they were asked. Are they there? `touchpoints "
                        f"topics check` says. Then start the worker again"
                    )
                    consumer: Any = self.consumer
                    consumer.fail(WorkerFailed(message))
                    raise
            client: Any = self._ensure_consumer()._client
            await client.force_metadata_update()
            await asyncio.sleep(ASK_AGAIN)

    def trouble(self) -> BaseException | None:
        """What the client has given up over, or None.

        It tells nobody while nothing is fetched, as in a rebalance; then it is no member any more,
        and does nothing for ever.
        """
        client: Any = self._consumer
        if client is None or client._coordinator is None or client._closed:
            return None  # not there yet, or at its end
        if client._coordinator._pending_exception is not None:
            return WorkerFailed(f"left its group: {client._coordinator._pending_exception}")
        for task in (
            client._coordinator._coordination_task,
            client._fetcher._fetch_task,
            client._client._sync_task,
        ):
            if task.done() and not task.cancelled() and task.exception() is not None:
                return WorkerFailed(f"gave up reading: {task.exception()}")
        return None
