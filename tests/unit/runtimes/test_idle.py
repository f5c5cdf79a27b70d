"""When touchpoints stop coming the wall clock carries event time; what is redriven does not stop
them: it came long ago, and says nothing of whether others still come."""

from datetime import timedelta
from pathlib import Path

import pytest

from listeners.settings import ListenerSettings
from pipeline import bootstrap
from pipeline.runtimes.kafka.batch import Known
from pipeline.runtimes.kafka.partition import StagePartition
from pipeline.stitching.clock import Watermark
from pipeline.topology import IDENTIFY
from schemas import codec
from schemas.topics import TOUCHPOINTS
from tests.builders import RULES, at, engine, touchpoint
from tests.integration.serving import SEEDS
from tests.unit.runtimes import counting
from tests.unit.runtimes.kafka.test_partition import Record, taken

AHEAD = touchpoint("12:00", received_at=at("12:00", day=1))
"""From a listener whose clock has jumped a day ahead."""


def test_one_that_came_long_ago_does_not_make_the_stream_idle() -> None:
    running = engine()
    running.process(touchpoint("12:00"))
    running.process(touchpoint("09:00", id="redriven"))
    before = running.watermark

    running.tick(at("12:00:30"))

    assert running.watermark == before


def test_silence_does() -> None:
    running = engine()
    running.process(touchpoint("12:00"))

    running.tick(at("12:00") + RULES.idle)

    assert running.watermark == at("12:00") + RULES.idle - RULES.out_of_order


def test_a_partition_on_kafka_knows_the_newest_arrival_too() -> None:
    known = Known(Watermark())
    for clock in ("12:00", "09:00", "11:59"):
        known.observe(touchpoint(clock), timedelta(minutes=2))

    assert known.arrived_at == at("12:00")


def test_a_listener_whose_clock_jumped_ahead_does_not_keep_silence_from_closing() -> None:
    running = engine()
    running.process(AHEAD)

    running.tick(at("12:00"))
    before = running.watermark
    running.tick(at("12:00") + RULES.idle)

    assert before is None  # it came just now, whatever it says
    assert running.watermark == at("12:00") + RULES.idle - RULES.out_of_order


def test_nor_does_it_on_kafka() -> None:
    partition = StagePartition(IDENTIFY, RULES, 100)
    came = Record(0, b"anonymous_id:browser", codec.encode(AHEAD))
    taken(partition, came, topic=TOUCHPOINTS)

    partition.tick(at("12:00"), caught_up=True)
    before = partition.watermark
    partition.tick(at("12:00") + RULES.idle, caught_up=True)

    assert before is None
    assert partition.watermark == at("12:00") + RULES.idle - RULES.out_of_order


def test_what_waits_does_not_come_late_behind_the_wall_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is behind, as after a pause or on a busy machine, is not idle."""
    monkeypatch.setattr("pipeline.runtimes.embedded.processing.PROCESSED_RECORDS_MAX", 1)
    runtime = bootstrap.embedded(tmp_path, SEEDS, ListenerSettings()).runtime
    runtime._open()  # without the thread, which would process what is to wait
    running = runtime._processing
    came = [counting.touchpoint(number) for number in range(2)]
    running.cycle([came], counting.NOON)
    assert running.waiting == 1
    before = running._engine.watermark

    running.tick(counting.NOON + timedelta(hours=1))
    waited = running._engine.watermark
    running.cycle((), counting.NOON + timedelta(hours=1))
    running.tick(counting.NOON + timedelta(hours=1))

    assert waited == before
    assert running.waiting == 0
    assert running._engine.watermark > counting.NOON + timedelta(minutes=50)
    running.close()
