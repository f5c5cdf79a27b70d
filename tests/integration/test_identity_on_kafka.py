"""`who`, `unlink` and `erase` on Kafka, as a person types them, with a listener and a worker."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.runtimes.kafka.reader import TopicReader
from pipeline.runtimes.kafka.topics import changelogs
from pipeline.stitching.ids import customer_of
from schemas.brokers import Brokers
from schemas.topics import TOPICS, Cleanup
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.integration.serving import SEEDS, Listen, touchpoints
from tests.integration.test_kafka import LONG, Work, item


@pytest.fixture
def brokers(kafka: Broker) -> Brokers:
    return fresh(kafka, partitions=2)


@pytest.fixture
def listen(brokers: Brokers, tmp_path: Path) -> Iterator[Listen]:
    with (
        Work(brokers, tmp_path),
        Listen(tmp_path / "spool", brokers.bootstrap_servers) as listen,
    ):
        yield listen


def asked(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return touchpoints(
        *arguments, "--settings", str(folder / "work.toml"), "--catalogue", str(SEEDS)
    )


def eventually(brokers: Brokers, verdict: str, customer: str) -> None:
    """The last verdict of a touchpoint comes to name this customer."""
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        with TopicReader(brokers, "verdicts", from_start=True) as reader:
            told = [json.loads(one.value or b"{}") for one in reader.everything()]
        mine = [(one["revision"], one["customer"]) for one in told if one["id"] == verdict]
        if mine and max(mine)[1] == customer:
            return
        time.sleep(0.2)
    raise AssertionError(told)


def test_an_unlink_goes_through_the_topics_and_hands_back(
    listen: Listen, brokers: Brokers, tmp_path: Path
) -> None:
    listen.post(item(1, identifiers={"anonymous_id": "a-1"}))
    listen.post(item(2, identifiers={"anonymous_id": "a-1", "user_id": "u-1"}))
    eventually(brokers, "t-1", customer_of("user_id:u-1"))

    who = asked(tmp_path, "who", "anonymous_id:a-1", "--json")
    assert json.loads(who.stdout)["chain"] == ["anonymous_id:a-1", "user_id:u-1"], who.stderr
    unlinked = asked(tmp_path, "unlink", "anonymous_id:a-1")

    assert unlinked.returncode == 0, unlinked.stderr
    eventually(brokers, "t-1", customer_of("anonymous_id:a-1"))


def test_an_erasure_goes_through_the_topics_and_is_verified(
    listen: Listen, brokers: Brokers, tmp_path: Path
) -> None:
    hers = {"anonymous_id": "cookie-of-ann", "user_id": "user-ann"}
    listen.post(item(1, identifiers={"anonymous_id": "cookie-of-ann"}))
    listen.post(item(2, identifiers=hers))
    listen.post(item(3, identifiers={"anonymous_id": "cookie-of-bob", "user_id": "user-bob"}))
    eventually(brokers, "t-1", customer_of("user_id:user-ann"))
    eventually(brokers, "t-3", customer_of("user_id:user-bob"))

    erased = asked(tmp_path, "erase", "anonymous_id:cookie-of-ann", "--timeout", str(LONG))

    assert erased.returncode == 0, erased.stderr
    (tmp_path / "receipt.json").write_text(erased.stdout)
    receipt = json.loads(erased.stdout)
    assert len(receipt["identifiers"]) == 2
    assert "user-ann" not in erased.stdout
    standing = _standing(brokers)
    assert not re.search(rb"user-ann|cookie-of-ann", standing)
    assert b"user-bob" in standing
    verified = asked(tmp_path, "erase", "--verify", str(tmp_path / "receipt.json"))
    assert verified.returncode == 0, verified.stderr + verified.stdout
    assert "Nothing is left. Not yet ended by retention: touchpoints: 2 records" in verified.stdout
    listen.post(item(4, identifiers={"anonymous_id": "cookie-of-ann"}))
    eventually(brokers, "t-4", customer_of("anonymous_id:cookie-of-ann"))


def test_an_erasure_that_no_worker_hears_says_so_long_before_its_time_is_up(
    brokers: Brokers, tmp_path: Path
) -> None:
    work = Work(brokers, tmp_path)
    with work, Listen(tmp_path / "spool", brokers.bootstrap_servers) as listen:
        listen.post(item(1, identifiers={"user_id": "user-ann"}))
        eventually(brokers, "t-1", customer_of("user_id:user-ann"))

    erased = asked(tmp_path, "erase", "user_id:user-ann", "--timeout", "600")

    assert erased.returncode == 1
    assert f"found no worker in the group {brokers.application}" in erased.stderr
    assert "give it again then" in erased.stderr


def _standing(brokers: Brokers) -> bytes:
    """Values of what compaction keeps, and of states; keys of erased states stay."""
    names = [one.name for one in TOPICS.values() if one.cleanup is not Cleanup.DELETE]
    kept = b""
    for name in [*names, *changelogs(brokers.application).values()]:
        last: dict[tuple[int, bytes], bytes] = {}
        with TopicReader(brokers, name, from_start=True) as reader:
            for one in reader.everything():
                last[one.partition, one.key] = one.value or b""
        kept += b"".join(last.values())
    return kept
