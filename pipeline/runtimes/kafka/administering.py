"""Asking the brokers for topics, and making them: kafka-python's part.

Never changes or deletes a topic that is there.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, Final

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from pipeline.runtimes.errors import BrokersRefused, BrokersUnreachable, TopicsUnfit
from pipeline.runtimes.kafka.reaching import REACH_MAX, reach
from pipeline.runtimes.kafka.topics import Difference, Found, Plan, differences, missing, planned
from pipeline.topology import STAGES, Stage
from schemas.brokers import Brokers

REQUEST_MAX_MS: Final = 30_000
"""How long one request to the brokers may take; making many partitions takes seconds."""

MISSING_MAX: Final = 5.0
"""Seconds after which a topic that is missing is not there; brokers that come back name theirs in
about one."""

ASK_AGAIN: Final = 0.5

NOT_PERMITTED: Final = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)


def create(brokers: Brokers, stages: Sequence[Stage] = STAGES) -> list[Plan]:
    """Make the topics that are missing; what is there is left as it is.

    Returns:
        Those that were made, in the catalogue's order.

    Raises:
        BrokersUnreachable: No broker answers.
        BrokersRefused: They do not let us in, or do not make a topic: no permission, or fewer
            brokers than copies.
    """
    plans = planned(brokers, stages)
    with _administering(brokers) as admin:
        there = _existing(admin, brokers, plans)
        wanted = missing(plans, there, brokers.application, stages)
        if not wanted:
            return []
        answer = admin.create_topics(
            {
                plan.name: {
                    "num_partitions": plan.partitions,
                    "replication_factor": -1 if plan.replication is None else plan.replication,
                    "configs": dict(plan.settings),
                }
                for plan in wanted
            },
            raise_errors=False,
        )
        made = []
        for topic in answer["topics"]:
            error = for_code(topic["error_code"])
            if not topic["error_code"]:
                made.append(topic["name"])
            elif error is not TopicAlreadyExistsError:  # somebody else was quicker
                raise _not_made(brokers, topic, error, made)
        if made:
            admin.wait_for_topics(made, timeout_ms=REQUEST_MAX_MS)
        return [plan for plan in wanted if plan.name in made]


def existing(brokers: Brokers, stages: Sequence[Stage] = STAGES) -> dict[str, Found]:
    """The planned topics that are there, by name, as they are.

    Raises:
        BrokersUnreachable, BrokersRefused: As `create`.
    """
    with _administering(brokers) as admin:
        return _existing(admin, brokers, planned(brokers, stages))


def check(brokers: Brokers, stages: Sequence[Stage] = STAGES) -> list[Difference]:
    """What differs between the topics that are there and the catalogue; empty where nothing does.

    Raises:
        BrokersUnreachable, BrokersRefused: As `create`.
    """
    found = existing(brokers, stages)
    return differences(planned(brokers, stages).values(), found, brokers.application, stages)


def verify(brokers: Brokers, stages: Sequence[Stage] = STAGES) -> None:
    """Make sure that workers give right results on these topics; they call it at their start.

    A broker that comes back may not name all of its topics at first: what is missing is asked for
    again.

    Raises:
        TopicsUnfit: A topic is missing, topics that are read together are cut differently, or one
            that has to last forgets by age.
        BrokersUnreachable, BrokersRefused: As `create`.
    """
    until: float | None = None  # the first answer of brokers that come back may take its time
    while problems := [one for one in check(brokers, stages) if one.stops]:
        until = monotonic() + MISSING_MAX if until is None else until
        if monotonic() >= until or not any(one.missing for one in problems):
            raise TopicsUnfit(
                servers=brokers.bootstrap_servers, problems=[str(one) for one in problems]
            )
        sleep(ASK_AGAIN)


@contextmanager
def _administering(brokers: Brokers) -> Iterator[Any]:
    """kafka-python's client; its errors, and what it logs of them, become one sentence."""
    reach(brokers)
    logger = logging.getLogger("kafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        admin = KafkaAdminClient(
            **brokers.kafka_python(),
            request_timeout_ms=REQUEST_MAX_MS,
            bootstrap_timeout_ms=REQUEST_MAX_MS,
        )
        try:
            yield admin
        finally:
            admin.close()
    except NOT_PERMITTED as error:
        raise _not_permitted(brokers, "describe topics and their settings", error) from error
    except KafkaError as error:
        # The first address answered, so it is the brokers' own that does not.
        found = f"{type(error).__name__}, though the address given answers: is the one that the "
        found += "brokers advertise known and open here?"
        raise BrokersUnreachable(
            servers=brokers.bootstrap_servers, within=REACH_MAX, found=found
        ) from error
    finally:
        logger.setLevel(level)


def _existing(admin: Any, brokers: Brokers, plans: dict[str, Plan]) -> dict[str, Found]:
    """The planned topics that are there, as they are."""
    shapes = {}
    for topic in admin.describe_topics(list(plans)):
        error = for_code(topic["error_code"])
        if error in NOT_PERMITTED:
            raise _not_permitted(brokers, f"describe the topic {topic['name']}", error)
        if error is UnknownTopicOrPartitionError:
            continue
        if not topic["partitions"]:
            raise error(topic["name"])
        shapes[topic["name"]] = topic["partitions"]
    if not shapes:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in shapes]
    told = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {
        name: Found(
            partitions=len(partitions),
            replication=min(len(one["replica_nodes"]) for one in partitions),
            settings={
                key: entry["value"]
                for key, entry in told.get(name, {}).items()
                if entry["value"] is not None
            },
        )
        for name, partitions in shapes.items()
    }


def _not_permitted(brokers: Brokers, what: str, error: object) -> BrokersRefused:
    who = brokers.sasl_username or "this client"
    name = getattr(error, "__name__", type(error).__name__)
    return BrokersRefused(
        servers=brokers.bootstrap_servers,
        expected=f"{who} to be permitted to {what}",
        found=name.removesuffix("Error"),
        remedy="Have the ACLs allow Describe, DescribeConfigs and Create on these topics.",
    )


def _not_made(
    brokers: Brokers, topic: dict[str, Any], error: type[KafkaError], made: Sequence[str]
) -> BrokersRefused:
    before = f"Made before that: {', '.join(made)}." if made else "None was made."
    if error in NOT_PERMITTED:
        return _not_permitted(brokers, f"create the topic {topic['name']}", error)
    return BrokersRefused(
        servers=brokers.bootstrap_servers,
        expected=f"to make the topic {topic['name']}",
        found=str(topic["error_message"] or error.__name__).rstrip("."),
        remedy=f"Check --partitions and --replication, or those of [kafka]. {before}",
    )
