"""Two sources that count their touchpoints alike, end to end on every runtime.

One customer meets both, and another customer only one of them. Each touchpoint has a verdict of its
own, on the topic, in the console's store and in an export, and all of it is as the oracle says.
"""

import csv
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from pipeline.cli.main import main
from pipeline.console.lookups import Lookups
from pipeline.runtimes.embedded.driver import EmbeddedRuntime
from pipeline.runtimes.engine import Engine
from pipeline.stitching.change import Message
from pipeline.telemetry import PipelineTelemetry
from pipeline.topology import STAGES
from schemas import codec
from schemas.identifiers import primary
from schemas.records import Touchpoint
from schemas.topics import JOURNEY_OUTCOMES, SESSIONS, TOPICS, TOUCHPOINTS, VERDICTS
from tests.builders import MIDNIGHT, RULES, Results, contents, touchpoint
from tests.contracts.places import Place
from tests.oracle.contents import contents_of
from tests.unit.console.stores import Kept
from tests.unit.runtimes.counting import Clock, Unavailable

ANN, BOB = {"user_id": "ann"}, {"user_id": "bob"}
STORY = [
    touchpoint("10:00", id="1", source="shop", name="bill", **ANN),
    touchpoint("10:01", id="1", source="phone", channel="ivr", name="main-menu", **BOB),
    touchpoint("10:02", "http_5xx", id="2", source="shop", name="pay-online", **ANN),
    touchpoint("10:03", id="2", source="phone", channel="ivr", name="main-menu", **ANN),
    touchpoint("10:05", id="3", source="phone", channel="agent", name="talk", **ANN),
    touchpoint("10:06", id="3", source="shop", name="bill", **BOB),
    touchpoint("10:04", id="4", source="kiosk", location="/paid", arrives="10:07", **ANN),
    touchpoint("10:08", id="4", source="shop", name="pay-online", **BOB),
]
WHOSE = {one.ref: one.identifiers["user_id"] for one in STORY}


def runtime_on(place: Place) -> AbstractAsyncContextManager[Any]:
    """The real stages, with rules small enough to know by heart."""
    clock = Clock()
    clock.now = MIDNIGHT - timedelta(days=1)
    if place.brokers is None:
        return EmbeddedRuntime(
            place.directory,
            lambda stores: Engine(stores, RULES),
            {stage.name: (stage.encode, stage.decode) for stage in STAGES},
            clock=clock,
            unavailable=Unavailable,
            telemetry=PipelineTelemetry(CollectorRegistry()),
        )
    from tests.contracts.kafka_bench import KafkaRuntime

    return KafkaRuntime(place.brokers, clock, CollectorRegistry(), RULES, STAGES)


async def told(place: Place, arrivals: list[Touchpoint]) -> Results:
    """What comes of them once all time has passed."""
    async with runtime_on(place) as runtime:
        for one in arrivals:
            key = primary(one.identifiers, one.source, one.session_hint, one.id)
            await runtime.publish([(TOUCHPOINTS, key, codec.encode(one))])
        await runtime.advance(MIDNIGHT + timedelta(days=2))
        return Results(
            [
                Message(topic, record.key, codec.decode(record.value, TOPICS[topic].record))
                for topic in (SESSIONS, JOURNEY_OUTCOMES, VERDICTS)
                for record in runtime.read(topic, 0, 10_000)
            ]
        )


async def test_each_has_its_own_verdict_as_the_oracle_says_and_in_store_and_export(
    place: Place, tmp_path: Path
) -> None:
    results = await told(place, STORY + STORY[:3])

    assert contents(results) == contents_of(STORY, RULES)
    assert results.judged.keys() == WHOSE.keys()
    assert_stored(results, tmp_path)
    assert_exported(place, results, tmp_path)


def assert_stored(results: Results, folder: Path) -> None:
    kept = Kept(folder / "console").keep(*(message.record for message in results.sent))
    lookups = Lookups(kept.connection)
    stories = {name: lookups.customer_of(ref) for ref, name in WHOSE.items()}

    assert len(kept.rows("verdicts")) == len(STORY)
    for ref, name in WHOSE.items():
        assert lookups.customer_of(ref) == stories[name] == results.judged[ref].customer
    assert lookups.customer_of("1") is None  # ann's at the shop, bob's on the phone
    assert lookups.customer_of("2") == stories["ann"]  # both are hers


def assert_exported(place: Place, results: Results, folder: Path) -> None:
    asked = ["export", "--topic", "verdicts", "--out", str(folder / "out")]
    assert main([*asked, *place.arguments]) == 0
    with (folder / "out" / "verdicts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert {f"{row['source']}/{row['id']}": row["customer"] for row in rows} == {
        ref: one.customer for ref, one in results.judged.items()
    }
    assert len(rows) == len(STORY)
