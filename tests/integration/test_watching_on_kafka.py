"""The third stage on Kafka: what touchpoints tell each other travels between partitions.

Two days are known of three touchpoints of two sources. On the third the payment breaks, with it
what needs it, and one page goes quiet. The alerts are those of one process without a broker.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
from confluent_kafka import TopicPartition
from prometheus_client import CollectorRegistry

from pipeline.stitching.change import Message
from pipeline.stitching.inventory import Inventory
from pipeline.stitching.rules import AlertRules
from pipeline.stitching.silence import ALL
from pipeline.topology import STAGES
from schemas import codec
from schemas.controls import Fault, Presence, Usual
from schemas.identifiers import primary
from schemas.records import Alert, Touchpoint, Votes
from schemas.topics import DEAD_LETTERS, TOUCHPOINT_ALERTS, TOUCHPOINTS, VOTES
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.builders import RULES, at, engine, touchpoint
from tests.contracts.kafka_bench import KafkaRuntime
from tests.unit.runtimes.counting import Clock

PLACES = {  # touchpoint: its source and channel
    "view-bill": ("shop", "web"),
    "pay-online": ("shop", "web"),
    "pay-in-app": ("app", "app"),
}
WATCHED = msgspec.structs.replace(
    RULES,
    alerts=AlertRules(series=4),
    inventory=Inventory(
        tuple(
            msgspec.structs.replace(entry, needs=("pay-online",))
            if entry.id == "pay-in-app"
            else entry
            for entry in RULES.inventory.entries.values()
        )
    ),
    idle=timedelta(0),
    out_of_order=timedelta(0),
)
LEARNT = 2
"""Working days that are known already, as votes; the invented day is a Sunday."""


def known() -> list[Votes]:
    """Every six minutes one vote for each."""
    sources = {touchpoint: (source,) for touchpoint, (source, _) in PLACES.items()}
    sends = Counter(f"source {source}" for source, _ in PLACES.values())
    return [
        Votes(
            touchpoint=name,
            mission=None,
            minute=begins,
            partition=0,
            votes=sends.get(name, 1),
            broken=0,
            customers=0,
            at=begins,
            sources=sources.get(name, ()),
        )
        for number in range(LEARNT * 24 * 10)
        for begins in (at("00:00", 1) + timedelta(minutes=6 * number),)
        for name in (*PLACES, *sends)
    ]


def came() -> Iterator[Touchpoint]:
    """The day after: every six minutes somebody new comes by each."""
    for minute in range(0, 18 * 60, 6):
        for number, (name, (source, channel)) in enumerate(PLACES.items()):
            if name == "view-bill" and minute > 9 * 60:
                continue
            clock = f"{minute // 60}:{minute % 60:02d}:{number:02d}"
            bad = 12 * 60 <= minute < 13 * 60 and name != "view-bill"
            yield touchpoint(
                clock,
                *(("http_5xx",) if bad else ()),
                day=LEARNT + 1,
                name=name,
                channel=channel,
                source=source,
                anonymous_id=f"{clock} {name}",
                id=f"{clock} {name}",
            )


def parted(touchpoints: Sequence[Touchpoint]) -> list[list[Touchpoint]]:
    """What is read at once: three hours, and the break as it begins."""
    ends = [at(clock, LEARNT + 1) for clock in ("3:00", "6:00", "9:00", "12:20", "15:00")]
    starts = [bisect_left(touchpoints, end, key=lambda one: one.occurred_at) for end in ends]
    return [list(touchpoints[a:b]) for a, b in pairwise([0, *starts, len(touchpoints)])]


def said(alerts: Sequence[Alert]) -> dict[tuple[str, str | None, str], tuple[str, str | None]]:
    """What is said in the end of each series: how it stands, and within which one's incident."""
    last: dict[str, Alert] = {}
    for one in alerts:
        if one.id not in last or one.version > last[one.id].version:
            last[one.id] = one
    return {
        (one.touchpoint, one.mission, one.kind): (
            one.state,
            None if one.within is None else last[one.within].touchpoint,
        )
        for one in last.values()
    }


def without_a_broker(touchpoints: Sequence[Touchpoint], until: datetime) -> list[Alert]:
    running = engine(WATCHED)
    running._send([Message(VOTES, one.touchpoint, one) for one in known()])
    for one in touchpoints:
        running.process(one)
    running.tick(until)
    return [one.record for one in running.outbox if isinstance(one.record, Alert)]


def places(runtime: KafkaRuntime, partitions: int) -> dict[str, int]:
    """In which partition of `votes` each key lies."""
    reader = runtime._reader()
    try:
        reader.assign([TopicPartition(VOTES, number, 0) for number in range(partitions)])
        found: dict[str, int] = {}
        ended = 0
        while ended < partitions:
            for record in reader.consume(500, 0.5):
                if record.error() is None:
                    found[record.key().decode()] = record.partition()
                else:
                    ended += 1
        return found
    finally:
        reader.close()


async def test_presences_faults_and_norms_travel_and_nothing_of_them_is_a_dead_letter(
    kafka: Broker,
) -> None:
    partitions = 4
    brokers = fresh(kafka, partitions=partitions)
    touchpoints = list(came())
    until = touchpoints[-1].occurred_at + timedelta(minutes=1)
    clock = Clock()
    clock.now = touchpoints[0].occurred_at

    async with KafkaRuntime(brokers, clock, CollectorRegistry(), WATCHED, STAGES) as runtime:
        await runtime.publish([(VOTES, one.touchpoint, codec.encode(one)) for one in known()])
        for part in parted(touchpoints):
            keys = [primary(one.identifiers, one.source, one.session_hint, one.id) for one in part]
            values = [codec.encode(one) for one in part]
            await runtime.publish(list(zip([TOUCHPOINTS] * len(part), keys, values, strict=True)))
            await runtime.advance(part[-1].occurred_at)
        await runtime.advance(until)
        dead = runtime.read(DEAD_LETTERS, 0, 100)
        told = [codec.decode(one.value, Alert) for one in runtime.read(TOUCHPOINT_ALERTS, 0, 1000)]
        records = runtime.read(VOTES, 0, 1_000_000)
        lie_in = places(runtime, partitions)

    heard = [(one.key, codec.decode_either(one.value, Votes)) for one in records]
    assert [letter.value for letter in dead] == []
    assert {key for key, one in heard if isinstance(one, Presence)} == {ALL}
    assert {one.touchpoint for _, one in heard if isinstance(one, Presence)} == {
        *PLACES,
        "source shop",
        "source app",
    }
    assert {key for key, one in heard if isinstance(one, Fault)} == {"pay-in-app"}
    assert {key for key, one in heard if isinstance(one, Usual)} == {"view-bill", "pay-online"}
    assert len({lie_in[key] for key in (*PLACES, ALL)}) > 1  # else nothing travelled
    stands = said(told)
    assert stands["view-bill", None, "silent"] == ("firing", None)
    assert stands["pay-in-app", "pay-bill", "broken"] == ("resolved", "pay-online")
    assert stands == said(without_a_broker(touchpoints, until))
