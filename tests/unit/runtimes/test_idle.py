"""When touchpoints stop coming the wall clock carries event time; what is redriven does not stop
them: it came long ago, and says nothing of whether others still come."""

from datetime import timedelta

from pipeline.runtimes.kafka.batch import Known
from pipeline.runtimes.kafka.partition import StagePartition
from pipeline.stitching.clock import Watermark
from pipeline.topology import IDENTIFY
from schemas import codec
from schemas.topics import TOUCHPOINTS
from tests.builders import RULES, at, engine, touchpoint
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
