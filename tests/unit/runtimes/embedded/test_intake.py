"""The queue between publishers and the engine's thread: its limits and its answers."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from pipeline.runtimes.embedded.intake import (
    QUEUED_BYTES_MAX,
    QUEUED_RECORDS_MAX,
    RETRY_DISK,
    RETRY_QUEUE,
    TAKEN_RECORDS_MAX,
    Intake,
)
from pipeline.telemetry import PipelineTelemetry
from schemas.topics import TOUCHPOINTS
from tests.unit.runtimes.counting import Unavailable

RECORD = (TOUCHPOINTS, "a", b"{}")


@pytest.fixture
def intake():
    intake = Intake(Unavailable, PipelineTelemetry(CollectorRegistry()))
    intake.open()
    return intake


async def test_a_full_queue_refuses_and_says_when_to_come_again(intake):
    intake.offer([RECORD] * QUEUED_RECORDS_MAX)

    with pytest.raises(Unavailable) as refused:
        intake.offer([RECORD])

    assert (refused.value.reason, refused.value.retry_after) == ("queue_full", RETRY_QUEUE)


async def test_a_queue_is_full_by_bytes_too(intake):
    intake.offer([(TOUCHPOINTS, "a", bytes(QUEUED_BYTES_MAX))])

    with pytest.raises(Unavailable, match="queue_full"):
        intake.offer([RECORD])


async def test_an_empty_queue_takes_even_what_is_larger_than_the_limit(intake):
    intake.offer([RECORD] * (QUEUED_RECORDS_MAX + 1))

    assert len(intake.take(0)[0].records) == QUEUED_RECORDS_MAX + 1


async def test_what_is_taken_makes_room(intake):
    half = QUEUED_RECORDS_MAX // 2
    for _ in range(2):
        intake.offer([RECORD] * half)
    while intake.take(0):
        pass

    for _ in range(2):
        intake.offer([RECORD] * half)

    with pytest.raises(Unavailable, match="queue_full"):
        intake.offer([RECORD])


async def test_one_cycle_takes_whole_publications_up_to_its_limit_in_order(intake):
    half = TAKEN_RECORDS_MAX // 2
    for _ in range(3):
        intake.offer([RECORD] * half)

    taken = [len(intake.take(0)), len(intake.take(0)), len(intake.take(0))]

    assert taken == [2, 1, 0]


async def test_closing_the_door_refuses_those_who_wait_and_those_who_come(intake):
    waiting = intake.offer([RECORD])

    intake.close("disk_full", RETRY_DISK)

    with pytest.raises(Unavailable, match="disk_full"):
        await waiting
    with pytest.raises(Unavailable, match="disk_full"):
        intake.offer([RECORD])
    assert intake.take(0) == []


async def test_stopping_refuses_those_who_come_but_not_those_who_wait(intake):
    waiting = intake.offer([RECORD])
    intake.stop()

    with pytest.raises(Unavailable, match="stopping"):
        intake.offer([RECORD])
    intake.acknowledge(intake.take(0))

    await waiting


async def test_a_publisher_that_went_away_disturbs_nobody(intake):
    gone, waiting = intake.offer([RECORD]), intake.offer([RECORD])
    gone.cancel()

    intake.acknowledge(intake.take(0))

    await asyncio.wait_for(waiting, 5)
