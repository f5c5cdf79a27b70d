"""The topics on Kafka: what the catalogue wants, what there is, and what differs.

Comparing is done on values and asks nobody; `administering.py` talks to the brokers. Besides the
catalogue's topics there is a changelog for each stage, which keeps its states.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from pipeline.catalogue.durations import written
from pipeline.runtimes.kafka.states import RECORD_BYTES_MAX
from pipeline.topology import STAGES, Stage
from schemas.brokers import Brokers
from schemas.topics import TOPICS, Cleanup, Topic

TOMBSTONES_KEPT: Final = timedelta(days=7)
"""How long a compacted topic still tells that a key was deleted. Whoever reads it again must come
by within this time, or keeps what was deleted; Kafka's own default is a day."""

UNREAD_KEPT: Final = timedelta(days=7)
"""How long a compacted topic that a stage reads keeps every record: several links to one identifier
say different things, and a worker that lags must not miss any. As long as `touchpoints` lasts."""

CHANGELOG_BYTES_MAX: Final = RECORD_BYTES_MAX
"""Of a changelog's record, which is one state."""

REPLICAS_IN_SYNC: Final = 2
"""Copies that must have a record before it is acknowledged, where there are three or more: losing
any one machine then loses nothing, and stops nothing."""

_READ_BY_STAGES: Final = frozenset(topic for stage in STAGES for topic in stage.reads)

_AT_LEAST: Final = (
    "max.message.bytes",
    "delete.retention.ms",
    "min.compaction.lag.ms",
    "min.insync.replicas",
)
"""Settings of which more does no harm; the others have to be as planned."""

_DURATIONS: Final = ("retention.ms", "delete.retention.ms", "min.compaction.lag.ms")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One topic as it should be.

    Attributes:
        name: What it is called.
        partitions: How many.
        replication: Copies of each; None leaves that to the brokers.
        settings: Kafka's own words for its settings, and their values.
    """

    name: str
    partitions: int
    replication: int | None
    settings: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One topic as it is.

    Attributes:
        partitions: How many.
        replication: Copies of each partition, the fewest.
        settings: As the brokers tell them; empty where they do not.
    """

    partitions: int
    replication: int
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing in which a topic is not as planned.

    Attributes:
        topic: Its name.
        what: What differs: a setting in Kafka's words, `partitions`, `replication`; empty where
            the whole topic is missing.
        expected, found: In words.
        stops: Whether a worker would give wrong results, and must not start.
    """

    topic: str
    what: str
    expected: str
    found: str
    stops: bool = False

    @property
    def missing(self) -> bool:
        """Whether there is no such topic."""
        return not self.what

    def __str__(self) -> str:
        """`links: partitions: expected 8; found 4`, or `links: expected …` of all of it."""
        what = f"{self.what}: " if self.what else ""
        return f"{self.topic}: {what}expected {self.expected}; found {self.found}"


def changelogs(application: str, stages: Sequence[Stage] = STAGES) -> dict[str, str]:
    """The topic that keeps the states of each stage.

    Args:
        application: Begins the names, so that installations can share a cluster.
        stages: Those that keep states.

    Returns:
        The topic's name by the stage's, as in `{"stitch": "touchpoints-stitch-changelog"}`.
    """
    return {stage.name: f"{application}-{stage.name}-changelog" for stage in stages}


def planned(brokers: Brokers, stages: Sequence[Stage] = STAGES) -> dict[str, Plan]:
    """Every topic as an installation wants it, by name: the catalogue's, then the changelogs.

    Args:
        brokers: Says how many partitions and copies, and how the application is called.
        stages: Those that have a changelog.
    """
    plans = [_plan(topic, brokers) for topic in TOPICS.values()]
    for stage in stages:
        topic = Topic(
            name=changelogs(brokers.application, stages)[stage.name],
            key="as the stage's input",
            record=TOPICS[stage.reads[0]].record,
            cleanup=Cleanup.COMPACT,  # with delete, states would be forgotten
            retention=None,
            partitions=TOPICS[stage.reads[0]].partitions,
            message_bytes_max=CHANGELOG_BYTES_MAX,
        )
        plans.append(_plan(topic, brokers))
    return {plan.name: plan for plan in plans}


def _plan(topic: Topic, brokers: Brokers) -> Plan:
    settings = {
        "cleanup.policy": str(topic.cleanup),
        "max.message.bytes": str(topic.message_bytes_max),
    }
    if topic.retention is not None:
        settings["retention.ms"] = _milliseconds(topic.retention)
    if topic.cleanup is not Cleanup.DELETE:
        settings["delete.retention.ms"] = _milliseconds(TOMBSTONES_KEPT)
    if topic.cleanup is Cleanup.COMPACT and topic.name in _READ_BY_STAGES:
        settings["min.compaction.lag.ms"] = _milliseconds(UNREAD_KEPT)
    if brokers.replication is not None and brokers.replication > REPLICAS_IN_SYNC:
        settings["min.insync.replicas"] = str(REPLICAS_IN_SYNC)
    return Plan(
        name=topic.name,
        partitions=brokers.partitions or topic.partitions,
        replication=brokers.replication,
        settings=settings,
    )


def missing(
    plans: Mapping[str, Plan],
    found: Mapping[str, Found],
    application: str,
    stages: Sequence[Stage] = STAGES,
) -> list[Plan]:
    """What is still to be made, in the plans' order.

    A topic that a stage uses together with one that is there is cut as that one is, whatever the
    plan says: so a stage that a new version adds fits an installation that chose its own number.
    """
    cut = {}
    for names in _used_together(application, stages):
        for there in [name for name in names if name in found][:1]:
            cut.update(dict.fromkeys(names, found[there].partitions))
    return [
        replace(plan, partitions=cut.get(plan.name, plan.partitions))
        for plan in plans.values()
        if plan.name not in found
    ]


def _used_together(application: str, stages: Sequence[Stage]) -> list[tuple[str, ...]]:
    """The topics of each stage that have to be cut alike; the first sets the number."""
    logs = changelogs(application, stages)
    return [(*stage.reads, logs[stage.name]) for stage in stages]


def differences(
    plans: Iterable[Plan],
    found: Mapping[str, Found],
    application: str,
    stages: Sequence[Stage] = STAGES,
) -> list[Difference]:
    """What is not as planned, topic by topic in the plans' order.

    Args:
        plans: How the topics should be.
        found: How they are, by name; a topic that is not there has no entry.
        application: Whose changelogs are compared.
        stages: What is read together has to be cut alike, and each by as many as its changelog.
    """
    alike = dict(_cut_alike(found, application, stages))
    told = []
    for plan in plans:
        there = found.get(plan.name)
        if there is None:
            told.append(
                Difference(
                    topic=plan.name,
                    what="",
                    expected=f"a topic of {plan.partitions} partitions",
                    found="none",
                    stops=True,
                )
            )
            continue
        if plan.name in alike:
            told.append(alike[plan.name])
        elif there.partitions != plan.partitions:
            told.append(_other(plan, "partitions", plan.partitions, there.partitions))
        if plan.replication is not None and there.replication < plan.replication:
            told.append(_other(plan, "replication", plan.replication, there.replication))
        told += _settings(plan, there)
    return told


def _cut_alike(
    found: Mapping[str, Found], application: str, stages: Sequence[Stage]
) -> Iterator[tuple[str, Difference]]:
    """Topics that one stage uses together and that have not the same number of partitions.

    A key's records, links and state would be on different partitions, and so with other workers.
    """
    for stage, (first, *others) in zip(stages, _used_together(application, stages), strict=True):
        for name in others:
            if first in found and name in found:
                wanted, there = found[first].partitions, found[name].partitions
                if wanted != there:
                    expected = f"{wanted}, as {first} has, since {stage.name} uses both together"
                    yield (
                        name,
                        Difference(
                            topic=name,
                            what="partitions",
                            expected=expected,
                            found=str(there),
                            stops=True,
                        ),
                    )


def _settings(plan: Plan, there: Found) -> Iterator[Difference]:
    if not there.settings:
        yield _other(plan, "settings", "the brokers to tell them", "none: may we DescribeConfigs?")
        return
    for name, wanted in plan.settings.items():
        value = there.settings.get(name)
        if value is None or value == wanted:
            continue
        if name == "cleanup.policy":
            one, other = set(wanted.split(",")), set(value.replace(" ", "").split(","))
            # Where keys must last for ever, deleting by age loses them.
            lost = one == {"compact"} and "delete" in other
            if one != other:
                yield _other(plan, name, wanted, value, stops=lost)
        elif name not in _AT_LEAST:
            yield _other(plan, name, _shown(name, wanted), _shown(name, value))
        elif int(value) < int(wanted) and value != "-1":
            yield _other(plan, name, f"at least {_shown(name, wanted)}", _shown(name, value))


def _other(
    plan: Plan, what: str, expected: object, found: object, *, stops: bool = False
) -> Difference:
    return Difference(
        topic=plan.name, what=what, expected=str(expected), found=str(found), stops=stops
    )


def _milliseconds(duration: timedelta) -> str:
    return str(duration // timedelta(milliseconds=1))


def _shown(name: str, value: str) -> str:
    """A value as people say it: `604800000 (7d)`."""
    if name not in _DURATIONS:
        return value
    if value == "-1":
        return "-1 (for ever)"
    return f"{value} ({written(timedelta(milliseconds=int(value)))})"
