"""The catalogue's topics, made afresh: its names are fixed, so tests cannot have their own."""

import os
import time
from secrets import token_hex

import pytest
from kafka.admin import KafkaAdminClient

from pipeline.runtimes.kafka import administering
from schemas.brokers import Brokers
from schemas.topics import TOPICS
from tests.brokers.broker import Broker
from tests.brokers.cluster import DISPOSABLE, Cluster

PREFIX = "test-"
"""Begins the names of the tests' applications, and so of their changelogs."""

GONE_MAX = 30.0
"""Seconds within which topics have to be deleted."""


def fresh(broker: Broker, partitions: int = 2, application: str | None = None) -> Brokers:
    """Delete the catalogue's topics and the tests' changelogs, and make them again, empty.

    Args:
        broker: Where. On somebody's cluster the test is skipped, unless its topics are disposable.
        partitions: Of each topic.
        application: Begins the names of groups, transactional ids and changelogs; None takes one
            that no test had before.

    Returns:
        The settings that reach the broker, for this application.
    """
    empty(broker)
    brokers = broker.brokers.model_copy(
        update={"partitions": partitions, "application": application or PREFIX + token_hex(4)}
    )
    administering.create(brokers)
    return brokers


def empty(broker: Broker) -> None:
    """Delete the catalogue's topics and the tests' changelogs."""
    if broker.kind == Cluster.kind and os.environ.get(DISPOSABLE) != "1":
        pytest.skip(f"cluster: its topics are kept; {DISPOSABLE}=1 lets tests delete them")
    admin = KafkaAdminClient(**broker.brokers.kafka_python())
    try:
        deadline = time.monotonic() + GONE_MAX
        while names := [name for name in admin.list_topics() if name in TOPICS or _ours(name)]:
            assert time.monotonic() < deadline, f"expected topics to be deleted; found {names}"
            admin.delete_topics(names, raise_errors=False)
            time.sleep(0.05)
    finally:
        admin.close()


def _ours(name: str) -> bool:
    return name.startswith(PREFIX) and name.endswith("-changelog")
