"""Publishing to a real broker: what it refuses, and its absence under load."""

import asyncio
import itertools
import json
import os
import threading
import time
from collections import defaultdict

import pytest

from listeners.errors import KafkaRefused, RecordsRefused, Unavailable
from listeners.publishers.kafka import KafkaPublisher
from listeners.publishers.publisher import Outgoing
from schemas.brokers import Brokers
from schemas.topics import DEAD_LETTERS, TOUCHPOINTS
from tests.integration import topics
from tests.integration.serving import Listen, eventually, fetch

pytestmark = pytest.mark.integration

LONG = 120.0
"""Seconds within which a minute's spool has to be empty."""

EMITTERS = 8
BATCH = 20


@pytest.fixture
def kafka_servers(request):
    servers = topics.broker(request).bootstrap_servers
    topics.make(servers)
    return servers


def publisher_to(servers):
    return KafkaPublisher(Brokers(bootstrap_servers=servers))


async def test_a_real_broker_that_knows_our_topics_passes_the_check(kafka_servers):
    publisher = publisher_to(kafka_servers)

    await publisher.check()
    await publisher.ready()
    await publisher.stop()


async def test_a_topic_that_is_not_there_is_named_and_does_not_stop_the_others(kafka_servers):
    publisher = publisher_to(kafka_servers)
    with pytest.raises(Unavailable, match="no such topic"):
        await publisher.publish([Outgoing("no-such-topic", "a", b"1")])

    await publisher.publish([Outgoing(TOUCHPOINTS, "a", b"1")])
    await publisher.stop()


async def test_a_record_too_large_for_the_broker_is_named_and_its_neighbours_are_kept(
    kafka_servers,
):
    publisher, topic = publisher_to(kafka_servers), topics.Topic(kafka_servers)
    largest = os.urandom(1_048_576)  # random: nothing that compresses
    largest_item = Outgoing(TOUCHPOINTS, "a", largest)
    beyond = Outgoing(TOUCHPOINTS, "a", os.urandom(topics.BYTES_MAX))
    with pytest.raises(RecordsRefused) as refused:
        await publisher.publish([Outgoing(TOUCHPOINTS, "a", b"1"), beyond, largest_item])
    await publisher.stop()
    kept = await asyncio.to_thread(topic.records)
    topic.close()

    assert refused.value.positions == (1,)
    assert [one.value for one in kept] == [b"1", largest]


class Emitters:
    """Threads that post batches, each for a customer of its own, and note every answer.

    Attributes:
        acknowledged: By customer, the numbers of touchpoints in answers of 200, as they came.
        statuses: How often each status was answered.
        retry_after: The `Retry-After` of refusals.
    """

    def __init__(self, url):
        self._url = f"{url}/v1/touchpoints"
        self._stopping = threading.Event()
        self.acknowledged = defaultdict(list)
        self.statuses = defaultdict(int)
        self.retry_after = set()
        self._threads = [
            threading.Thread(target=self._run, args=(f"a-{one}",)) for one in range(EMITTERS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def count(self):
        return sum(map(len, self.acknowledged.values()))

    def _run(self, customer):
        for first in itertools.count(0, BATCH):
            if self._stopping.is_set():
                return
            numbers = range(first, first + BATCH)
            answer = fetch(self._url, json.dumps([item(customer, one) for one in numbers]).encode())
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.acknowledged[customer] += numbers
            else:
                self.retry_after.add(answer.headers.get("Retry-After"))


def item(customer, number):
    return {
        "id": f"{customer}/{number}",
        "channel": "web",
        "name": "home",
        "occurred_at": "2026-11-22T10:00:00Z",
        "identifiers": {"anonymous_id": customer},
        "properties": {"text": "lorem ipsum dolor sit amet " * 6},
    }


def assert_nothing_lost_nothing_out_of_order(emitters, records):
    """Ids absorb the repeat, so of each id the first record counts."""
    arrived = defaultdict(list)
    for one in dict.fromkeys(json.loads(record.value)["id"] for record in records):
        customer, number = one.split("/")
        arrived[customer].append(int(number))
    for customer, numbers in emitters.acknowledged.items():
        assert not set(numbers) - set(arrived[customer]), "acknowledged and lost"
        assert arrived[customer] == sorted(arrived[customer]), "out of order"


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [("paused", 0), ("killed", 0), pytest.param("killed", 60, marks=pytest.mark.torture)],
)
def test_a_broker_that_is_away_under_load_costs_no_answer_no_record_and_no_order(
    request, tmp_path, capsys, fault, seconds
):
    broker = topics.broker(request, "own_kafka")
    topics.make(broker.bootstrap_servers)
    topic = topics.Topic(broker.bootstrap_servers)
    with Listen(tmp_path / "data", broker.bootstrap_servers) as listen:
        emitters = Emitters(listen.url)
        eventually(lambda: emitters.count > 1_000)
        away_at = time.monotonic()
        broker.pause() if fault == "paused" else broker.kill()
        eventually(lambda: listen.metric("spooled_total") > 5_000)
        time.sleep(max(0.0, away_at + seconds - time.monotonic()))
        broker.resume() if fault == "paused" else broker.start()
        eventually(lambda: listen.metric("drained_total") > 0)
        back_at, spooled = time.monotonic(), listen.metric("spooled_total")
        eventually(lambda: listen.metric("spool_bytes") == 0, within=LONG)
        drained_in, drained = time.monotonic() - back_at, listen.metric("drained_total")
        direct = emitters.count
        eventually(lambda: emitters.count > direct + 1_000)
        emitters.stop()
        statuses = dict(emitters.statuses)
    records = topic.records()
    topic.close()

    arrival, rate = spooled / (back_at - away_at), drained / max(drained_in, 0.001)
    with capsys.disabled():
        print(  # noqa: T201 - the figures are half of the test's worth
            f"\n{fault} {back_at - away_at:.1f} s: {emitters.count:,} acknowledged, {drained:,.0f} "
            f"through the spool at {arrival:,.0f}/s; drained at {rate:,.0f}/s and more, "
            f"{rate / arrival:.0f} times as fast; {len(records) - emitters.count:,} repeats",
            end="",
        )
    assert statuses.keys() == {200}, statuses
    assert_nothing_lost_nothing_out_of_order(emitters, records)


def test_at_the_spools_limit_emitters_are_turned_away_and_taken_again_once_the_broker_is_back(
    request, tmp_path
):
    broker = topics.broker(request, "own_kafka")
    topics.make(broker.bootstrap_servers)
    topic = topics.Topic(broker.bootstrap_servers)
    settings = tmp_path / "settings.toml"
    settings.write_text("spool_bytes_max = 1000000\n")
    arguments = ["--settings", settings]
    with Listen(tmp_path / "data", broker.bootstrap_servers, arguments=arguments) as listen:
        broker.pause()
        emitters = Emitters(listen.url)
        eventually(lambda: emitters.statuses[503] > 20)
        broker.resume()
        turned_away = emitters.count
        eventually(lambda: emitters.count > turned_away + 1_000)
        emitters.stop()
        eventually(lambda: listen.metric("spool_bytes") == 0)
    records = topic.records()
    topic.close()

    assert emitters.statuses.keys() == {200, 503}
    assert all(int(seconds) > 0 for seconds in emitters.retry_after)
    ids = {json.loads(record.value)["id"] for record in records}
    acknowledged = {f"{key}/{one}" for key, ones in emitters.acknowledged.items() for one in ones}
    assert acknowledged <= ids


async def test_a_broker_without_our_topics_is_told_apart_from_one_that_is_away(request):
    broker = topics.broker(request, "own_kafka")
    topics.make(broker.bootstrap_servers, (TOUCHPOINTS,))
    publisher = publisher_to(broker.bootstrap_servers)

    with pytest.raises(KafkaRefused, match=f"found no {DEAD_LETTERS}"):
        await publisher.check()
    await publisher.stop()
