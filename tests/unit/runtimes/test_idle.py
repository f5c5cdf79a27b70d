"""When touchpoints stop coming the wall clock carries event time; what is redriven does not stop
them: it came long ago, and says nothing of whether others still come."""

from datetime import timedelta

from pipeline.runtimes.kafka.batch import Known
from pipeline.stitching.clock import Watermark
from tests.builders import RULES, at, engine, touchpoint


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
