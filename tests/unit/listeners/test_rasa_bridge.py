import asyncio
import json

import pytest
from confluent_kafka import KafkaError, KafkaException

from listeners.bridges.asterisk import NotTaken, poster
from listeners.bridges.rasa import forward
from tests.unit.listeners.doors import Door
from tests.unit.listeners.signing import request

EVENT = {"sender_id": "c-1", "event": "pause", "timestamp": 1767322445.1}


class Message:
    def __init__(self, offset, value, error=None):
        self.at, self.bytes, self.fault = offset, value, error

    def error(self):
        return self.fault

    def topic(self):
        return "rasa_core_events"

    def partition(self):
        return 2

    def offset(self):
        return self.at

    def value(self):
        return self.bytes


class Consumer:
    """Gives its batches, then nothing; `committed` counts what a restart would not read again."""

    def __init__(self, *batches):
        self.batches = list(batches)
        self.read = self.committed = 0
        self.held = sum(map(len, batches))

    def consume(self, num_messages, timeout):
        batch = self.batches.pop(0) if self.batches else []
        self.read += len(batch)
        return batch

    def commit(self, *, asynchronous):
        self.committed = self.read


def messages(*values, start=0):
    return [Message(start + n, json.dumps(v).encode()) for n, v in enumerate(values)]


def run(consumer, post, attempts=10):
    """Forward until there is nothing left, or so many attempts were made."""
    tried, pauses = [], []

    def posting(body):
        tried.append(body)
        post(body)

    forward(
        consumer,
        posting,
        lambda: len(tried) >= attempts or consumer.committed == consumer.held,
        pauses.append,
    )
    return tried, pauses


async def test_each_event_comes_under_its_offset_without_a_key_of_kafkas():
    consumer = Consumer(messages(EVENT, EVENT), messages(EVENT, start=2))
    tried, _ = run(consumer, lambda body: None)
    door = Door()

    for body in tried:
        await door.listener.receive(body, request("rasa", {}))

    assert [one.id for one in door.touchpoints] == [f"rasa_core_events/2/{n}" for n in range(3)]
    assert {one.signals for one in door.touchpoints} == {("handoff",)}
    assert consumer.committed == 3


def test_nothing_is_committed_before_it_was_taken():
    consumer = Consumer(messages(EVENT))
    answers = [NotTaken(503, retry_after=7.0), NotTaken("nothing"), None]
    seen = []

    def post(body):
        seen.append(consumer.committed)
        if (answer := answers.pop(0)) is not None:
            raise answer

    tried, pauses = run(consumer, post)

    assert seen == [0, 0, 0]
    assert len(set(tried)) == 1
    assert pauses[0] == 7.0
    assert consumer.committed == 1


async def test_an_event_that_the_listener_never_takes_is_lost_alone_and_said_once(caplog):
    consumer = Consumer(messages(EVENT, "poison", EVENT, EVENT, EVENT))
    poison = b"unreadable"

    def post(body):
        if poison in body:
            raise NotTaken(400, final=True)

    tried, pauses = run(consumer, post, attempts=20)
    door = Door()
    for body in tried:
        if poison not in body:
            await door.listener.receive(body, request("rasa", {}))

    assert [one.id for one in door.touchpoints] == [f"rasa_core_events/2/{n}" for n in (0, 2, 3, 4)]
    assert (consumer.committed, pauses) == (5, [])
    assert [one.getMessage() for one in caplog.records] == [
        "the event rasa_core_events/2/1 is lost: it answers 400"
    ]


async def test_a_body_beyond_the_listeners_limit_is_sent_in_parts():
    door = Door(body_bytes_max=20_000)
    consumer = Consumer(messages(*[EVENT | {"note": "x" * 900}] * 100))

    async with door.served() as url:
        post = poster(f"{url}/chatbot/rasa", "any")
        tried, pauses = await asyncio.to_thread(run, consumer, post, 40)

    assert (len(door.touchpoints), consumer.committed, pauses) == (100, 100, [])
    assert len(tried) == 15  # 100, then 50, 25 and 12 or 13 a body.


def test_told_to_stop_between_the_parts_of_a_batch_nothing_is_committed():
    consumer = Consumer(messages(*[EVENT] * 4))

    def post(body):
        if body.count(b"event") > 1:
            raise NotTaken(413, final=True)

    run(consumer, post, attempts=3)

    assert consumer.committed == 0


def test_told_to_stop_while_the_listener_is_away_it_leaves_the_rest_for_the_next_one():
    consumer = Consumer(messages(EVENT))

    def post(body):
        raise NotTaken(503)

    tried, _ = run(consumer, post, attempts=2)

    assert (len(tried), consumer.committed) == (2, 0)


async def test_what_is_no_event_is_a_dead_letter_and_its_neighbours_pass():
    values = [Message(0, b"{"), Message(1, None), *messages([1], EVENT, start=2)]
    tried, _ = run(Consumer(values), lambda body: None)
    door = Door()

    receipt = await door.listener.receive(tried[0], request("rasa", {}))

    assert (receipt.accepted, receipt.rejected) == (1, 2)
    assert len(door.letters) == 2
    assert door.touchpoints[0].id == "rasa_core_events/2/3"


def test_brokers_that_refuse_us_are_no_silence():
    consumer = Consumer([Message(0, None, KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))])

    with pytest.raises(KafkaException):
        run(consumer, lambda body: None)
