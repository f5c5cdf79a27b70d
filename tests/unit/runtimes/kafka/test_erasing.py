"""Erasing on Kafka: whose keys are deleted, by the records that stand on a topic."""

import pytest

from pipeline.runtimes.kafka.erasing import _names, last_naming
from pipeline.runtimes.kafka.reader import Record
from pipeline.stitching.erasing import Circle
from pipeline.stitching.ids import customer_of
from schemas.codec import encode
from schemas.records import Counts, Session
from schemas.topics import SESSIONS
from tests.builders import at

HERS, HIS = customer_of("user_id:ann"), customer_of("user_id:bob")
ANN = Circle({"user_id:ann"})


def session(key: str, customer: str | None, partition: int = 0) -> Record:
    """A revision of a session, or the deletion of its key."""
    if customer is None:
        return Record(partition, key.encode(), None, 0)
    told = Session(
        session_id=key,
        revision=1,
        customer=customer,
        channel="web",
        state="open",
        started_at=at("10:00"),
        ended_at=at("10:01"),
        count=1,
        microjourney=("home",),
        verdicts=Counts(),
    )
    return Record(partition, key.encode(), encode(told), 0)


@pytest.mark.parametrize(
    ("revisions", "deleted"),
    [
        ([HERS], True),
        ([HIS], False),
        ([HERS, HIS], False),
        ([HIS, HERS], True),
        ([HERS, HIS, HERS], True),
        ([HERS, None], False),
        ([HERS, None, HIS], False),
        ([HERS, None, HERS], True),
    ],
)
def test_a_key_is_deleted_where_its_last_record_names_the_customer(
    revisions: list[str | None], deleted: bool
) -> None:
    stands = [session("s-1", customer) for customer in revisions]

    found = last_naming(stands, lambda record: _names(SESSIONS, record, ANN))

    assert found == ({(0, b"s-1"): None} if deleted else {})


def test_keys_of_other_partitions_are_others() -> None:
    stands = [session("s-1", HERS, 0), session("s-1", HIS, 1)]

    found = last_naming(stands, lambda record: _names(SESSIONS, record, ANN))

    assert found == {(0, b"s-1"): None}
