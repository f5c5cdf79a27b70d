"""`touchpoints export` on both runtimes: each result once, as last said, and nobody erased."""

import csv
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from pipeline.cli.main import main
from schemas.codec import encode
from schemas.records import Counts, IdentityChange, Session
from schemas.topics import IDENTITY_CHANGES, SESSIONS
from tests.contracts.places import AT, Place


def session(name: str, revision: int = 1, minutes: int = 0, customer: str = "c-1") -> Session:
    return Session(
        session_id=name, revision=revision, state="open", customer=customer, channel="web",
        started_at=AT, ended_at=AT + timedelta(minutes=minutes), count=revision,
        microjourney=("home",), verdicts=Counts(functional=revision),
    )  # fmt: skip


def appended(place: Place, *sessions: Session) -> None:
    place.append_values([(SESSIONS, one.session_id, encode(one)) for one in sessions])


def exported(place: Place, folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """The rows of `sessions.csv`."""
    asked = ["export", "--topic", "sessions", "--out", str(folder), *arguments]
    assert main([*asked, *place.arguments]) == 0
    with (folder / "sessions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_result_is_one_row_as_its_last_revision_says_and_in_span_by_that(
    place: Place, tmp_path: Path
) -> None:
    appended(
        place, session("s-1"), session("s-2", minutes=50), session("s-1", 2, 20), session("s-3")
    )

    rows = exported(place, tmp_path / "out")
    since = (AT + timedelta(minutes=10)).isoformat()
    until = (AT + timedelta(minutes=30)).isoformat()
    some = exported(place, tmp_path / "out", "--since", since, "--until", until)

    assert [(row["session_id"], row["revision"]) for row in rows] == [
        ("s-1", "2"), ("s-2", "1"), ("s-3", "1"),
    ]  # fmt: skip
    assert [row["session_id"] for row in some] == ["s-1"]
    assert main(["export", "--topic", "sessions", "--format", "parquet", "--out",
                 str(tmp_path / "out"), *place.arguments]) == 0  # fmt: skip
    table = parquet.read_table(tmp_path / "out" / "sessions.parquet")
    assert table["count"].to_pylist() == [2, 1, 1]


def test_of_an_erased_customer_nothing_is_written_but_what_came_later(
    place: Place, tmp_path: Path
) -> None:
    def erased(customer: str, at: datetime) -> None:
        change = IdentityChange(customer=customer, change="erased", at=at, reason="asked")
        place.append(IDENTITY_CHANGES, change)

    erased("c-2", AT - timedelta(days=1))
    appended(place, session("s-1", customer="c-1"), session("s-2", customer="c-2"))
    erased("c-1", AT + timedelta(days=3_650))

    assert [row["session_id"] for row in exported(place, tmp_path / "out")] == ["s-2"]


def test_what_was_an_erased_customers_last_does_not_come_back_as_an_earlier_revision_of_anothers(
    place: Place, tmp_path: Path
) -> None:
    appended(
        place,
        session("moved", 1, customer="c-1"),
        session("moved", 2, customer="c-2"),
        session("left", 1, customer="c-2"),
        session("left", 2, customer="c-1"),
    )
    change = IdentityChange(
        customer="c-2", change="erased", at=AT + timedelta(days=3_650), reason="asked"
    )
    place.append(IDENTITY_CHANGES, change)

    rows = exported(place, tmp_path / "out")

    assert [(row["session_id"], row["customer"]) for row in rows] == [("left", "c-1")]


@pytest.mark.integration
def test_what_its_topic_deleted_is_not_written(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    from confluent_kafka import Producer

    from tests.brokers.topics import fresh

    brokers = fresh(request.getfixturevalue("kafka"), partitions=1)
    place = Place(tmp_path, brokers)
    appended(place, session("s-1"), session("s-2"), session("s-1", 2))
    producer = Producer(brokers.librdkafka())
    producer.produce(SESSIONS, None, "s-1")
    assert producer.flush(30) == 0

    assert [row["session_id"] for row in exported(place, tmp_path / "out")] == ["s-2"]
