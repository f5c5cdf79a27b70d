"""Misses and failures that only the journey's course gives their weight."""

import pytest

from schemas.records import JourneyOutcome, Touchpoint
from tests.builders import process, touchpoint


def the_journey(*touchpoints: Touchpoint) -> JourneyOutcome:
    (journey,) = process(touchpoints).live_journeys.values()
    return journey


@pytest.mark.parametrize("miss", ["fallback", "no_match", "no_input"])
def test_not_being_understood_and_then_silence_is_frustration(miss: str) -> None:
    looking = touchpoint("10:00", name="view-bill")
    missed = touchpoint("10:01", miss, name="pay-online")

    journey = the_journey(looking, missed)

    assert (journey.outcome, journey.broke_at) == ("frustrated", "pay-online")


def test_not_being_understood_once_is_nothing_to_whom_goes_on() -> None:
    looking = touchpoint("10:00", "fallback", name="view-bill")
    paying = touchpoint("10:01", name="pay-online")

    assert the_journey(looking, paying).outcome == "abandoned"


@pytest.mark.parametrize("failure", ["http_5xx", "timeout", "crash", "fallback", "no_match"])
def test_a_completing_touchpoint_that_failed_completes_nothing(failure: str) -> None:
    looking = touchpoint("10:00", name="view-bill")
    failed = touchpoint("10:05", failure, location="/paid")

    journey = the_journey(looking, failed)

    assert journey.outcome == "frustrated"


def test_it_completes_when_it_works_the_second_time() -> None:
    looking = touchpoint("10:00", name="view-bill")
    failed = touchpoint("10:05", "http_5xx", location="/paid")
    works = touchpoint("10:06", location="/paid")

    journey = the_journey(looking, failed, works)

    assert (journey.outcome, journey.verdicts.broken) == ("completed", 1)
