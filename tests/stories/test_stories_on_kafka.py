"""All stories at once on Kafka: their results are those of the embedded runtime's engine.

They are told side by side, moved to begin on one day and each with names of its own, on several
partitions. Compared is the last revision of every record, but for ids and revisions: those tell how
a result came about.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from pipeline.catalogue import files
from pipeline.stitching.change import Message
from pipeline.topology import STAGES
from schemas import codec
from schemas.identifiers import primary
from schemas.records import Touchpoint
from schemas.topics import JOURNEY_OUTCOMES, SESSIONS, TOPICS, TOUCHPOINTS, VERDICTS
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh
from tests.builders import MIDNIGHT, Results, process
from tests.unit.runtimes.counting import Clock

SEEDS = Path(__file__).parents[2] / "seeds"
OWN = {"revision", "session_id", "journey_id", "absorbed_by"}
"""Fields that may depend on arrival."""


def told(story: Path) -> list[Touchpoint]:
    """A story's touchpoints under names of its own, from midnight on."""
    lines = [json.loads(line) for line in story.read_text().splitlines()]
    written = [{"source": "replay", **line} for line in lines]
    touchpoints = msgspec.json.decode(json.dumps(written), type=list[Touchpoint])
    moved = MIDNIGHT - min(one.occurred_at for one in touchpoints)
    hints = {one.id: one.session_hint for one in touchpoints}
    return [
        msgspec.structs.replace(
            one,
            id=f"{story.stem} {one.id}",
            occurred_at=one.occurred_at + moved,
            received_at=one.received_at + moved,
            identifiers={name: f"{story.stem} {of}" for name, of in one.identifiers.items()},
            session_hint=None if hints[one.id] is None else f"{story.stem} {hints[one.id]}",
        )
        for one in touchpoints
    ]


def all_told(catalogue: Path) -> list[Touchpoint]:
    """All stories of a catalogue side by side, in order of arrival."""
    stories = sorted(catalogue.glob("journeys/*.jsonl"))
    assert len(stories) > 4
    touchpoints = [one for story in stories for one in told(story)]
    return sorted(touchpoints, key=lambda one: one.received_at)


def records(results: Results) -> dict[str, Any]:
    """The last revision of every result, each under the touchpoints that it is about."""
    found: dict[str, Any] = {f"verdict {name}": one for name, one in results.verdicts.items()}
    for kind, by, live in (
        ("session", "session_id", results.live_sessions),
        ("journey", "journey_id", results.live_journeys),
    ):
        members = results.members(by)
        found |= {f"{kind} {sorted(members[name])}": one for name, one in live.items()}
    return {
        name: {k: v for k, v in msgspec.structs.asdict(one).items() if k not in OWN}
        for name, one in found.items()
    }


@pytest.mark.parametrize("catalogue", [SEEDS, SEEDS / "bank"], ids=["telecom", "bank"])
async def test_every_story_ends_on_kafka_as_it_does_without(catalogue: Path, kafka: Broker) -> None:
    from tests.contracts.kafka_bench import KafkaRuntime

    arrivals = all_told(catalogue)
    rules = files.load(catalogue)
    brokers = fresh(kafka, partitions=3)
    clock = Clock()
    clock.now = MIDNIGHT - timedelta(days=1)

    async with KafkaRuntime(brokers, clock, CollectorRegistry(), rules, STAGES) as runtime:
        for one in arrivals:
            key = primary(one.identifiers, one.source, one.session_hint, one.id)
            await runtime.publish([(TOUCHPOINTS, key, codec.encode(one))])
        await runtime.advance(MIDNIGHT + timedelta(days=400))
        sent = [
            Message(topic, record.key, codec.decode(record.value, TOPICS[topic].record))
            for topic in (SESSIONS, JOURNEY_OUTCOMES, VERDICTS)
            for record in runtime.read(topic, 0, 100_000)
        ]

    assert records(Results(sent)) == records(process(arrivals, rules))
