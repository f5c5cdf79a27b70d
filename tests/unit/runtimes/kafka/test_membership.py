"""Who divides the partitions, by what, and whether the client still works at it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataResponse_v1

from pipeline.runtimes.errors import WorkerFailed
from pipeline.runtimes.kafka import membership
from pipeline.runtimes.kafka.batches import transport_of
from pipeline.runtimes.kafka.membership import TopicsUnknown, WholeAssignor
from schemas.topics import LINKS, TOUCHPOINTS

BROKER = [(0, "localhost", 9092, None)]
UNKNOWN_TOPIC = 3


def answer(**partitions: int) -> Any:
    """What a broker says of topics; nothing is known of those with no partition."""
    topics = [
        (
            0 if count else UNKNOWN_TOPIC,
            topic,
            False,
            [(0, number, 0, [0], [0]) for number in range(count)],
        )
        for topic, count in partitions.items()
    ]
    return MetadataResponse_v1(BROKER, 0, topics)


@pytest.fixture
async def consumer(tmp_path):
    app = faust.App(
        "membership",
        broker="kafka://127.0.0.1:1",
        autodiscover=False,
        datadir=tmp_path,
        broker_session_timeout=1.0,
        PartitionAssignor=WholeAssignor,
    )
    failures: list[BaseException] = []

    async def nothing(*_: Any) -> Any:
        return {}

    made: Any = transport_of(nothing, failures.append, 1.0)(
        app.conf.broker_consumer, app
    ).create_consumer(
        callback=nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing
    )
    made.failures = failures
    app.consumer = made
    yield made
    made._thread._consumer = None
    made._thread.thread_loop.close()  # its thread never started


def divided(assignor: WholeAssignor, cluster: ClusterMetadata) -> list[Any]:
    """What the only member gets."""
    metadata = assignor.metadata({TOUCHPOINTS, LINKS})
    return sorted(assignor.assign(cluster, {"one": metadata})["one"].assignment)


def test_the_partitions_of_known_topics_are_divided_as_ever(consumer):
    cluster = ClusterMetadata()
    cluster.update_metadata(answer(touchpoints=2, links=2))

    assert divided(consumer.app.assignor, cluster) == [(LINKS, [0, 1]), (TOUCHPOINTS, [0, 1])]


@pytest.mark.parametrize(
    ("later", "named"),
    [
        ({"touchpoints": 0, "links": 0}, [LINKS, TOUCHPOINTS]),
        ({"touchpoints": 2, "links": 0}, [LINKS]),
        ({"touchpoints": 1, "links": 2}, [TOUCHPOINTS]),
        ({"links": 2}, [TOUCHPOINTS]),
    ],
)
def test_topics_that_are_not_whole_are_not_divided(consumer, later, named):
    cluster = ClusterMetadata()
    cluster.update_metadata(answer(touchpoints=2, links=2))
    divided(consumer.app.assignor, cluster)
    cluster.update_metadata(answer(**later))

    with pytest.raises(TopicsUnknown) as refused:
        divided(consumer.app.assignor, cluster)
    assert refused.value.topics == named


class Client:
    """Asks brokers that know the topics at the last of so many questions."""

    def __init__(self, unknown: int) -> None:
        self.unknown, self.asked = unknown, 0

    async def force_metadata_update(self) -> None:
        self.asked += 1

    async def divide(self, response: Any) -> Any:
        if self.asked < self.unknown:
            raise TopicsUnknown([LINKS])
        return response


async def test_the_brokers_are_asked_until_they_know_the_topics(consumer, monkeypatch):
    monkeypatch.setattr(membership, "ASK_AGAIN", 0.0)
    client = Client(unknown=2)
    consumer._thread._consumer = SimpleNamespace(_client=client)

    assert await consumer._thread.divided(client.divide, "done") == "done"
    assert client.asked == 2
    assert consumer.failures == []


async def test_topics_that_stay_unknown_end_the_worker_with_their_names(consumer):
    client = Client(unknown=1_000)
    consumer._thread._consumer = SimpleNamespace(_client=client)

    with pytest.raises(TopicsUnknown):
        await consumer._thread.divided(client.divide, "done")

    assert [type(one) for one in consumer.failures] == [WorkerFailed]
    assert f"topics {LINKS}," in str(consumer.failures[0])


async def failing() -> None:
    message = "enough"
    raise KafkaError(message)


async def endless() -> None:
    await asyncio.Event().wait()


async def test_a_client_that_gives_up_is_seen_though_it_tells_nobody(consumer):
    works, broken = asyncio.ensure_future(endless()), asyncio.ensure_future(failing())
    await asyncio.wait([broken])
    coordinator = SimpleNamespace(_coordination_task=works, _pending_exception=None)
    fetcher, client = SimpleNamespace(_fetch_task=works), SimpleNamespace(_sync_task=works)
    consumer._thread._consumer = SimpleNamespace(
        _coordinator=coordinator, _fetcher=fetcher, _client=client, _closed=False
    )

    assert consumer.trouble() is None
    for part, name in (
        (coordinator, "_coordination_task"),
        (fetcher, "_fetch_task"),
        (client, "_sync_task"),
    ):
        setattr(part, name, broken)
        assert "enough" in str(consumer.trouble())
        setattr(part, name, works)
    coordinator._pending_exception = KafkaError("not ours")
    assert "not ours" in str(consumer.trouble())
    works.cancel()


async def test_taking_over_that_takes_too_long_ends_the_worker(consumer, monkeypatch):
    """Wherever it waits: Faust would go on, and nothing would come of what is fetched."""

    async def silent() -> Any:
        await asyncio.Event().wait()

    consumer.patience = 0.0
    monkeypatch.setattr(consumer, "seek_to_committed", silent)
    monkeypatch.setattr(consumer, "assignment", set)

    with pytest.raises(TimeoutError):
        await consumer.perform_seek()

    assert "take_over_timeout" in str(consumer.failures[0])


async def test_a_rebalance_in_a_take_over_ends_nobody(consumer, monkeypatch):
    begun = asyncio.Event()

    async def silent() -> Any:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(consumer, "seek_to_committed", silent)
    seeking = asyncio.ensure_future(consumer.perform_seek())
    await begun.wait()
    seeking.cancel()
    await asyncio.gather(seeking, return_exceptions=True)

    assert seeking.cancelled()
    assert consumer.failures == []
