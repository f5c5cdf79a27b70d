from datetime import timedelta

from pipeline.stitching.clock import BLOCK, Watermark
from tests.builders import at

DISORDER = timedelta(minutes=2)


def test_the_watermark_moves_once_a_block_and_stays_behind_by_the_disorder_allowed() -> None:
    watermark = Watermark()

    moved = [watermark.observe(at("10:00"), at("10:00"), DISORDER) for _ in range(BLOCK)]

    assert moved == [False] * (BLOCK - 1) + [True]
    assert watermark.at == at("09:58")


def test_an_incomplete_block_is_read_after_a_minute() -> None:
    watermark = Watermark()
    watermark.observe(at("10:00"), at("10:00"), DISORDER)

    assert watermark.observe(at("10:01"), at("10:01"), DISORDER)


def test_one_bad_clock_does_not_move_time() -> None:
    watermark = Watermark()
    for _ in range(BLOCK - 1):
        watermark.observe(at("10:00"), at("10:00"), DISORDER)

    watermark.observe(at("10:00", day=2), at("10:00", day=2), DISORDER)

    assert watermark.at == at("09:58")


def test_a_touchpoint_from_the_future_counts_as_of_its_arrival() -> None:
    watermark = Watermark()

    for _ in range(BLOCK):
        watermark.observe(at("10:00", day=2), at("10:00"), DISORDER)

    assert watermark.at == at("09:58")


def test_it_never_goes_back() -> None:
    watermark = Watermark()
    watermark.advance(at("10:00"))

    assert not watermark.advance(at("09:00"))
    assert watermark.at == at("10:00")
