"""A changelog as brokers show it that have just come back, or just become leaders."""

from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.runtimes.kafka.changelog import Changelog
from schemas.brokers import Brokers

BROKERS = Brokers(bootstrap_servers="127.0.0.1:1")
TOPIC = "test-stitch-changelog"


class Record(NamedTuple):
    """What the reader of a changelog gets."""

    at: int
    name: bytes = b""
    state: bytes | None = None
    wrong: Any = None

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes:
        return self.name

    def value(self) -> bytes | None:
        return self.state

    def error(self) -> Any:
        return self.wrong


def end_at(offset: int) -> Record:
    return Record(offset, wrong=KafkaError(KafkaError._PARTITION_EOF))


class Reader:
    """Is given so much at a time, of a partition that ends at an offset."""

    def __init__(self, end: int, *given: Record) -> None:
        self._end, self._given = end, list(given)

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return 0, self._end

    def assign(self, _: Any) -> None:
        return

    def consume(self, *_: Any) -> list[Record]:
        return [self._given.pop(0)] if self._given else []


def changelog(timeout: float = 1.0) -> Changelog:
    return Changelog(BROKERS, TOPIC, 0, commit_timeout=timeout)


def read(*given: Record, end: int) -> dict[bytes, bytes]:
    reader: Any = Reader(end, *given)
    return changelog()._read_whole(reader, lambda _: None)


def test_all_of_it_is_read_though_the_leader_has_not_heard_yet_how_far_it_goes():
    early = [Record(0, b"a", b"1"), end_at(2)]
    late = [Record(3, b"a", b"2"), end_at(5)]

    assert read(*early, *late, end=5) == {b"a": b"2"}


def test_what_stays_out_is_not_taken_for_the_end():
    with pytest.raises(KafkaException, match="reading"):
        read(Record(0, b"a", b"1"), end_at(2), end=5)


class Producer:
    """Asks a broker that knows no topic before it has been asked so often."""

    def __init__(self, unknown: int) -> None:
        self._unknown = unknown

    def list_topics(self, topic: str, _: float) -> Any:
        self._unknown -= 1
        known = self._unknown < 0
        found = SimpleNamespace(error=None, partitions={0: None, 1: None} if known else {})
        return SimpleNamespace(topics={topic: found})


@pytest.mark.parametrize("unknown", [0, 2])
def test_a_broker_that_knows_no_topic_yet_is_asked_again(unknown):
    made: Any = changelog(timeout=20)
    made._producer = Producer(unknown)

    assert made.partitions_of("votes") == 2


def test_a_topic_that_stays_unknown_has_no_number_of_partitions():
    made: Any = changelog()
    made._producer = Producer(unknown=100)

    with pytest.raises(KafkaException, match="votes"):
        made.partitions_of("votes")


@pytest.mark.parametrize(
    ("code", "again"),
    [(KafkaError.LEADER_NOT_AVAILABLE, True), (KafkaError.TOPIC_AUTHORIZATION_FAILED, False)],
)
def test_a_leader_is_waited_for_and_a_right_is_not(monkeypatch, code, again):
    asked: list[int] = []

    class Asking:
        def get_watermark_offsets(self, *_: Any) -> tuple[int, int]:
            asked.append(code)
            if len(asked) < 3:
                raise KafkaException(KafkaError(code))
            return 1, 2

    monkeypatch.setattr("pipeline.runtimes.kafka.changelog.ASK_AGAIN", 0.0)
    bounds, asking = changelog(timeout=60.0)._bounds, Asking()

    if again:
        assert bounds(asking, None) == (1, 2)  # type: ignore[arg-type]
        assert len(asked) == 3
    else:
        with pytest.raises(KafkaException):
            bounds(asking, None)  # type: ignore[arg-type]
        assert len(asked) == 1
