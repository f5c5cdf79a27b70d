"""Topics for one test: what others left is removed first."""

import time
from collections.abc import Iterable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.runtimes.kafka.changelog import changelog_of
from pipeline.topology import STAGES
from schemas.topics import TOPICS
from tests.brokers.broker import Broker

WAIT_MAX = 30.0
"""Seconds within which a broker has to have made a topic."""


def fresh_topics(broker: Broker, application: str, partitions: int) -> None:
    """Every topic of the catalogue and the application's changelogs, empty.

    A broker deletes in the background, and refuses a name until it has; so it is asked again.
    """
    client = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    changelogs = [changelog_of(application, stage.name) for stage in STAGES]
    present = {*TOPICS, *changelogs} & set(client.list_topics(timeout=WAIT_MAX).topics)
    if present:
        _settle(client.delete_topics(sorted(present)).values())
    compacted = {"cleanup.policy": "compact"}
    wanted = [
        *(NewTopic(name, partitions, 1) for name in TOPICS),
        *(NewTopic(name, partitions, 1, config=compacted) for name in changelogs),
    ]
    deadline = time.monotonic() + WAIT_MAX
    while wanted and time.monotonic() < deadline:
        made = client.create_topics(wanted)
        wanted = [one for one in wanted if made[one.topic].exception() is not None]
        time.sleep(0.1)
    assert not wanted, f"expected fresh topics; these could not be made: {wanted}"


def _settle(futures: Iterable[object]) -> None:
    for future in futures:
        try:
            future.result(WAIT_MAX)  # type: ignore[attr-defined]
        except KafkaException:
            continue  # it was not there
