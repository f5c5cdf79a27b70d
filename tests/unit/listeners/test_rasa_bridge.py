import json

import pytest
from confluent_kafka import KafkaError, KafkaException

from listeners.bridges.asterisk import NotTaken
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
