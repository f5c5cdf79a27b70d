"""The Faust app of a worker: it hosts, and stays off the hot path.

Faust starts and stops, belongs to the consumer group, fetches, pauses and commits. What a batch
means and where state is kept is `worker`'s and `partition`'s affair.
"""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from time import monotonic
from typing import Any, Final

import faust
from faust.types import TP
from faust.types.auth import CredentialsT

from pipeline.runtimes.errors import WorkerFailed
from pipeline.runtimes.kafka.batches import AsFetched, BatchConsumer, Fail, transport_of
from pipeline.runtimes.kafka.membership import WholeAssignor
from pipeline.runtimes.kafka.worker import Ownership
from pipeline.settings import WorkerSettings
from schemas.brokers import Brokers

TICK: Final = 1.0
"""Seconds between two looks at the wall clock."""

HEARTBEAT: Final = 3.0
FETCH_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of one partition and fetch, so that one fetch fills a batch."""

NEVER: Final = 10 * 365 * 24 * 3600.0
"""Seconds after which aiokafka leaves the group because nothing is fetched. It would not join again
before something is, and nothing is while nothing is assigned: a worker too many, or one whose
brokers were away in a rebalance, would never come back. `Ownership.stuck` ends who is really stuck.
"""

STOP_MAX: Final = 60.0
"""Seconds that a stop may take, or twice what a commit may: the batch in hand, and its commit."""

GRACE: Final = 10.0
"""Seconds by which Faust waits longer for what we give up ourselves."""


def create(
    brokers: Brokers,
    settings: WorkerSettings,
    ownership: Ownership,
    *,
    clock: Callable[[], datetime],
    fail: Fail,
) -> faust.App:
    """An app that works on the stages' partitions, as many as its group gives it.

    Args:
        brokers: Where Kafka is; its `application` is the consumer group.
        settings: The worker's.
        ownership: Owns the partitions.
        clock: The wall clock.
        fail: Called when a batch cannot be made durable, or a partition not be taken over.
    """
    app = faust.App(brokers.application, **_options(brokers, settings))

    async def restore(assigned: set[TP]) -> dict[TP, int]:
        try:
            return await ownership.restore(assigned)
        except Exception as error:
            fail(error)
            raise

    async def let_go(_: Any, /, *given: Any, signal: Any, **__: Any) -> None:
        if not given[0]:  # Faust seeks, and so restores, only where something is assigned
            await restore(set())

    async def settle(_: Any, /, *given: Any, signal: Any, **__: Any) -> None:
        await ownership.settle()  # Faust waits for batches, but not for what the clock began

    app.on_partitions_revoked.connect(settle, weak=False)
    app.on_partitions_assigned.connect(let_go, weak=False)
    patience = settings.take_over_timeout.total_seconds()
    app.transport = transport_of(restore, fail, patience)(app.conf.broker_consumer, app)
    for stage in ownership.stages:
        _add_agent(app, stage.name, stage.reads, ownership, fail)

    async def tick() -> None:
        if app.rebalancing:
            return  # somebody else may be taking over what is still called ours
        consumer: Any = app.consumer
        ownership.tell_lag(consumer.highwater)
        try:
            await ownership.tick(clock(), consumer.exhausted, lambda: not app.rebalancing)
        except Exception as error:
            fail(error)
            raise

    async def watch() -> None:
        consumer: Any = app.consumer
        trouble = consumer.trouble() or ownership.stuck(monotonic())
        if trouble is not None:
            fail(trouble)

    app.timer(TICK)(tick)
    app.timer(TICK)(watch)
    return app


@asynccontextmanager
async def running(app: faust.App, ownership: Ownership) -> AsyncIterator[None]:
    """Start the app; at the end stop it, which leaves the group at once."""
    app.in_worker = True  # else Faust starts no agents
    await app.start()
    try:
        yield
    finally:
        try:
            await _stopped(app, max(STOP_MAX, ownership.commit_max))
        finally:
            await ownership.close()


async def _stopped(app: faust.App, patience: float) -> None:
    """Stop; Faust's own may wait for ever, as for brokers that are away."""
    stopping = asyncio.ensure_future(app.stop())
    await asyncio.wait([stopping], timeout=patience)  # a time limit's cancelling it would swallow
    if not stopping.done():
        consumer: Any = app.consumer
        message = (
            f"expected to stop within {patience:g} s; it took longer. What was begun is undone"
        )
        consumer.fail(WorkerFailed(message))
    await stopping


def _add_agent(
    app: faust.App, name: str, topics: tuple[str, ...], ownership: Ownership, fail: Fail
) -> None:
    async def lane(events: "asyncio.Queue[Any]") -> None:
        """One partition's batches, one after the other: acknowledged in order, once durable."""
        while True:
            event = await events.get()
            try:
                await ownership.take(event.message.tp, event.value)
            except Exception as error:
                consumer: Any = app.consumer
                assert isinstance(consumer, BatchConsumer)
                consumer.broken = True
                fail(error)
                raise
            event.ack()

    async def work(batches: Any) -> None:
        lanes: dict[TP, asyncio.Queue[Any]] = {}
        async with asyncio.TaskGroup() as group:
            async for event in batches.noack().events():
                tp = event.message.tp
                if tp not in lanes:
                    lanes[tp] = asyncio.Queue(maxsize=1)
                    group.create_task(lane(lanes[tp]))
                await lanes[tp].put(event)

    # Faust may commit past what is acknowledged out of order, but looks at each partition alone: so
    # while one waits for its commit, another computes.
    app.agent(app.topic(*topics, schema=AsFetched()), name=name, concurrency=1)(work)


def _options(brokers: Brokers, settings: WorkerSettings) -> dict[str, Any]:
    """Faust's settings; the reasons stand beside those that are not its own defaults."""
    options: dict[str, Any] = {
        "broker": [f"kafka://{server}" for server in brokers.bootstrap_servers.split(",")],
        "broker_credentials": _credentials(brokers),
        "processing_guarantee": "at_least_once",  # ours is stronger: see `changelog`
        "broker_commit_interval": 0.5,  # offsets in Kafka are for lag displays only
        "broker_max_poll_records": settings.batch_records_max,
        "consumer_max_fetch_size": FETCH_BYTES_MAX,
        "stream_buffer_maxsize": 4,  # counted in batches
        "consumer_auto_offset_reset": "earliest",  # a new partition is read whole
        "key_serializer": "raw",
        "value_serializer": "raw",
        "table_standby_replicas": 1,  # keeps the co-partitioning assignor, though no table exists
        "broker_session_timeout": settings.session_timeout.total_seconds(),
        "broker_heartbeat_interval": min(HEARTBEAT, settings.session_timeout.total_seconds() / 3),
        # Faust waits so long for `perform_seek`, in which partitions are taken over.
        "broker_request_timeout": max(
            settings.take_over_timeout.total_seconds() + GRACE,
            settings.session_timeout.total_seconds(),
        ),
        "broker_rebalance_timeout": 60.0,
        "broker_max_poll_interval": NEVER,
        "stream_wait_empty": True,  # the batch in hand is finished before partitions go
        "topic_disable_leader": True,
        "PartitionAssignor": WholeAssignor,
        "topic_allow_declare": False,  # topics come from `touchpoints topics create`
        "web_enabled": False,
        "producer_request_timeout": 60.0,
        "autodiscover": False,
        "store": "memory://",
        "datadir": tempfile.gettempdir(),
    }
    return options


def _credentials(brokers: Brokers) -> CredentialsT | None:
    protocol = brokers.security_protocol
    if protocol == "PLAINTEXT":
        return None
    context = _ssl_context(brokers) if protocol.endswith("SSL") else None
    if protocol.startswith("SASL"):
        password = brokers.sasl_password
        return faust.SASLCredentials(
            username=brokers.sasl_username,
            password=None if password is None else password.get_secret_value(),
            mechanism=brokers.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context)


def _ssl_context(brokers: Brokers) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=brokers.ssl_ca_file)
    if brokers.ssl_certificate_file is not None:
        password = brokers.ssl_key_password
        context.load_cert_chain(
            brokers.ssl_certificate_file,
            brokers.ssl_key_file,
            None if password is None else password.get_secret_value(),
        )
    return context
