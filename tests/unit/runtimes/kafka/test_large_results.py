"""A result that fits into no record: the brokers would refuse it with all of its batch."""

from typing import Any

import msgspec
import pytest

from pipeline.runtimes.kafka.partition import StagePartition
from pipeline.stitching.change import Change, Message
from schemas.topics import CUSTOMER_TOUCHPOINTS
from tests.builders import NO_MISSIONS
from tests.unit.runtimes.kafka.test_partition import counts, letters, record, taken
from tests.unit.runtimes.stages import STITCH


def wordy(state: Any, key: str, message: Any, *rest: Any) -> Any:
    """What follows from one of them fits into no record."""
    change = STITCH.step(state, key, message, *rest)
    if message.record.name != "wordy":
        return change
    (result,) = change.results
    longer = msgspec.structs.replace(result.record, channel="x" * 3 * 1024**2)
    return Change(change.state, [Message(result.topic, result.key, longer)])


def wordy_at_once(state: Any, key: str, messages: list[Any], *rest: Any) -> Any:
    (message,) = messages
    return wordy(state, key, message, *rest)


@pytest.mark.parametrize("at_once", [None, wordy_at_once], ids=["singly", "at once"])
def test_what_would_give_a_result_that_no_broker_takes_is_buried_alone(at_once: Any) -> None:
    partition = StagePartition(STITCH._replace(step=wordy, at_once=at_once), NO_MISSIONS, 100)

    batches = taken(
        partition, record(0), record(1, customer="b", name="wordy"), record(2, customer="c")
    )

    assert [letter.where for letter in letters(batches)] == ["stitch"]
    assert counts(batches) == [1, 1]
    assert partition.offsets == {CUSTOMER_TOUCHPOINTS: 3}
