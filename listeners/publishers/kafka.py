"""Publishes to Kafka through librdkafka, and returns once the brokers have confirmed.

`acks=all` and idempotence: a confirmed record is on every replica in sync, once, and in the order
in which it was handed over. Keys go to the partitions of Java's clients, so that whoever reads two
topics by one key finds them side by side.

When something goes wrong - no answer in time, all brokers gone, a record that fails - the link is
given up as a whole: its queue is purged, all who wait learn it at once, in the order in which they
came, and the next publication makes a new link. What may still arrive of the old one is, per
partition, the beginning of what it was handed, without a gap; so whoever sends the same again, in
the same order, puts nothing out of order.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from threading import Thread
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from listeners.errors import KafkaRefused, RecordsRefused, Unavailable
from listeners.publishers.link import Link, Publication, told
from listeners.publishers.publisher import Outgoing
from schemas.brokers import Brokers
from schemas.topics import DEAD_LETTERS, TOUCHPOINTS

PATIENCE: Final = timedelta(seconds=2)
"""How long the brokers may take to confirm. A leader that dies is replaced in about this time."""

RECORD_BYTES_MAX: Final = 1_048_576 + 65_536
"""Bytes of a record: the greatest item, and what the listener adds to it. A topic has to allow it
by its `max.message.bytes`, or refuses the largest items; Kafka's default is 1,048,588."""

LINGER_MS: Final = 2
"""How long librdkafka waits for company. Measured on one broker: 0 costs a third more CPU under 32
lone senders, 5 doubles the time to an answer (p50 3 ms at 2, 6 ms at 5)."""

BATCH_BYTES: Final = 131_072
"""Bytes of a batch: a broker refuses a batch that is too large as a whole. Measured: from 64 KiB to
1 MB makes no difference in throughput."""

QUEUED_RECORDS_MAX: Final = 100_000
"""Records that wait for their confirmation; beyond them a publication is refused."""

QUEUED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of values that wait for their confirmation."""

RETRY_QUEUE: Final = timedelta(seconds=1)
"""When to come again after a full queue."""

RETRY_KAFKA: Final = timedelta(seconds=5)
"""When to come again after Kafka did not confirm."""

START_PATIENCE: Final = timedelta(seconds=5)
"""How long `check` waits for the first answer."""

_QUESTION: Final = 1.0
"""Seconds after which a question is asked again, unless no broker will answer it."""

_LOOKS: Final = 8
"""How often, within the patience, it is looked for publications whose time is up."""


class KafkaPublisher:
    """Makes records durable on Kafka.

    Used from one event loop. A link begins with the first publication, or with `check`.

    Args:
        brokers: Where they are, and how to log in.
        patience: How long they may take to confirm.
        connect: Makes librdkafka's producer; a test gives its own.
    """

    def __init__(
        self,
        brokers: Brokers,
        *,
        patience: timedelta = PATIENCE,
        connect: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        self._patience = patience
        self._connect = connect
        self._servers = brokers.bootstrap_servers
        self._settings = _settings(brokers)
        self._link: Link | None = None
        self._queued = self._queued_bytes = 0
        self._watch: asyncio.TimerHandle | None = None
        self._confirmed_at = float("-inf")
        self._ending: list[Thread] = []
        self._stopped = False

    async def publish(
        self, records: Sequence[Outgoing], *, patience: timedelta | None = None
    ) -> None:
        """Return once the brokers have confirmed all records.

        Args:
            records: In this order per key.
            patience: How long they may take; that of the publisher where None.

        Raises:
            RecordsRefused: Some will never be taken; all others are confirmed.
            Unavailable: Not confirmed. Some may be on the log all the same, or get there yet.
        """
        if not records:
            return
        if self._stopped:
            raise Unavailable(retry_after=RETRY_KAFKA, reason="stopping")
        fitting, large = _by_size(records)
        why = f"larger than {RECORD_BYTES_MAX} bytes"
        if fitting:
            try:
                await self._send(fitting, patience or self._patience)
            except RecordsRefused as refused:
                named = {id(fitting[position]) for position in refused.positions}
                large += [i for i, record in enumerate(records) if id(record) in named]
                why = refused.reason
        if large:
            raise _refused(large, why)

    def _send(self, records: Sequence[Outgoing], patience: timedelta) -> "asyncio.Future[None]":
        size = sum(len(record.value) for record in records)
        # An empty queue takes anything, or a large publication could never get in.
        if self._queued and (
            self._queued + len(records) > QUEUED_RECORDS_MAX
            or self._queued_bytes + size > QUEUED_BYTES_MAX
        ):
            raise Unavailable(retry_after=RETRY_QUEUE, reason="the queue to Kafka is full")
        link = self._link or self._new_link()
        deadline = link.loop.time() + patience.total_seconds()
        publication = Publication(link, records, size, deadline)
        link.owed[publication] = None
        self._queued += len(records)
        self._queued_bytes += size
        produce, report = link.producer.produce, publication.report
        try:
            for topic, key, value in records:
                produce(topic, value, key, on_delivery=report)
        except (BufferError, KafkaException) as error:
            self._give_up(link, told(link.trouble) if link.trouble else str(error))
        if self._watch is None:
            self._look_later()
        return publication.future

    async def ready(self) -> None:
        """Return when the brokers have confirmed something just now, or answer a question.

        Raises:
            Unavailable: They do not.
        """
        loop = asyncio.get_running_loop()
        if loop.time() - self._confirmed_at > 1:
            link = self._link or self._new_link()
            found = await self._ask(link, self._patience, TOUCHPOINTS)
            if (error := found.topics[TOUCHPOINTS].error) is not None:
                raise Unavailable(retry_after=RETRY_KAFKA, reason=told(error))

    async def check(self) -> None:
        """Ask once, at the start, whether the brokers know us and our topics.

        Raises:
            KafkaRefused: They do not; names what to mend.
            Unavailable: No broker answers; that may pass.
        """
        topics = await self._topics()
        missing = [name for name in (TOUCHPOINTS, DEAD_LETTERS) if name not in topics]
        if missing:
            message = (
                f"{self._servers}: expected the topics {TOUCHPOINTS} and {DEAD_LETTERS}; found no "
                f"{' and no '.join(missing)}. Create them, or let the account write to them "
                f"(the rights Write and Describe)"
            )
            raise KafkaRefused(message)

    async def first_answer(self) -> None:
        """Return once the brokers have answered at all, after `check` heard nothing.

        Who was slow then, or away, may still turn out to be nobody who will have us.

        Raises:
            KafkaRefused: They answer, and do not know us.
        """
        while True:
            try:
                await self._topics()
            except Unavailable:
                await asyncio.sleep(RETRY_KAFKA.total_seconds())
            else:
                return

    async def stop(self) -> None:
        """Take no more, wait a while for what is on its way, then let go. May be called twice."""
        self._stopped = True
        if (link := self._link) is not None:
            if link.owed:
                waiting = [publication.future for publication in link.owed]
                await asyncio.wait(waiting, timeout=self._patience.total_seconds())
            self._give_up(link, "stopping")
        for thread in self._ending:
            await asyncio.to_thread(thread.join)

    def concluded(self, link: Link, finished: list[Publication]) -> None:
        """See `link.Owner`."""
        failed: KafkaError | None = None
        for publication in finished:
            if publication not in link.owed:
                continue  # given up before
            if publication.error is not None:
                failed = failed or publication.error
                continue
            del link.owed[publication]
            self._confirmed_at = link.loop.time()
            never = publication.never
            refused = _refused(never, "; ".join(set(never.values()))) if never else None
            self._settle(publication, refused)
        if failed is not None:  # what came after a failed record must not overtake it
            self._give_up(link, told(failed))

    def lost(self, link: Link, reason: str, *, fatal: bool) -> None:
        """See `link.Owner`."""
        # Nothing owed: an idle connection was closed. librdkafka opens another when it needs one.
        if link.owed or fatal:
            self._give_up(link, reason)

    async def _topics(self) -> Any:
        """All topics: asking for one by name makes it, where brokers are so configured."""
        link = self._link or self._new_link()
        try:
            return (await self._ask(link, START_PATIENCE)).topics
        except Unavailable as error:
            if link.foreign:
                message = f"{self._servers}: {error.reason}"
                raise KafkaRefused(message) from error
            raise

    async def _ask(self, link: Link, patience: timedelta, topic: str | None = None) -> Any:
        """What the brokers say of a topic, or of all."""
        deadline = link.loop.time() + patience.total_seconds()

        def ask() -> Any:
            return link.producer.list_topics(topic, min(_QUESTION, patience.total_seconds()))

        while True:
            try:
                return await link.loop.run_in_executor(None, ask)
            except (KafkaException, RuntimeError) as error:  # RuntimeError: closed by now
                hopeless = link.down or link.foreign or link is not self._link
                if hopeless or link.loop.time() > deadline:
                    reason = told(link.trouble) if link.trouble else "nothing came back"
                    raise Unavailable(retry_after=RETRY_KAFKA, reason=reason) from error

    def _new_link(self) -> Link:
        self._link = Link(self._settings, self._connect, self)
        return self._link

    def _give_up(self, link: Link, reason: str) -> None:
        """Drop a link; whoever waits for it, in the order in which they came, is told why."""
        if link is not self._link:
            return
        self._link = None
        link.close()
        self._ending = [thread for thread in self._ending if thread.is_alive()] + [link.thread]
        owed, link.owed = link.owed, {}
        for publication in owed:
            self._settle(publication, Unavailable(retry_after=RETRY_KAFKA, reason=reason))

    def _settle(self, publication: Publication, error: Exception | None) -> None:
        self._queued -= len(publication.records)
        self._queued_bytes -= publication.size
        if publication.future.done():
            return  # the caller has gone
        if error is None:
            publication.future.set_result(None)
        else:
            publication.future.set_exception(error)

    def _look_later(self) -> None:
        pause = self._patience.total_seconds() / _LOOKS
        self._watch = asyncio.get_running_loop().call_later(pause, self._look)

    def _look(self) -> None:
        """One timer for all: a timer a publication would cost more than the publication."""
        self._watch = None
        link = self._link
        if link is None or not link.owed:
            return
        if min(publication.deadline for publication in link.owed) < link.loop.time():
            trouble = f"; {told(link.trouble)}" if link.trouble else ""
            self._give_up(link, f"{self._servers} did not confirm in time{trouble}")
        else:
            self._look_later()


def _settings(brokers: Brokers) -> dict[str, Any]:
    return brokers.librdkafka() | {
        "client.id": brokers.application,
        "acks": "all",
        "enable.idempotence": True,
        # That of Java's clients, aiokafka and kafka-python; librdkafka's own is another.
        "partitioner": "murmur2_random",
        "linger.ms": LINGER_MS,
        "batch.size": BATCH_BYTES,
        "compression.type": "lz4",
        "message.max.bytes": RECORD_BYTES_MAX,
        # Time is ours to keep: a record that librdkafka dropped by itself would leave a gap.
        "message.timeout.ms": 0,
        "queue.buffering.max.messages": 0,  # ours are the limits above
        "queue.buffering.max.kbytes": 2_097_151,
        "reconnect.backoff.max.ms": 1_000,
        "topic.metadata.propagation.max.ms": 1_000,  # topics are made beforehand
        "socket.keepalive.enable": True,
    }


def _by_size(records: Sequence[Outgoing]) -> tuple[Sequence[Outgoing], list[int]]:
    """The records that librdkafka takes, and the positions of those that are too large for it."""
    room = RECORD_BYTES_MAX - 1_024  # what the protocol puts around a record
    large = [i for i, (_, key, value) in enumerate(records) if len(key) * 4 + len(value) > room]
    if not large:
        return records, large
    return [record for i, record in enumerate(records) if i not in large], large


def _refused(positions: Iterable[int], reason: str) -> RecordsRefused:
    return RecordsRefused(retry_after=RETRY_KAFKA, reason=reason, positions=sorted(positions))
