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


@pytest.mark.parametrize(
    "failure",
    [
        "http_5xx", "timeout", "crash", "not_responding", "fallback", "no_match", "no_input",
        "hangup_by_system", "not_helped",
    ],
)  # fmt: skip
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


def test_a_payment_that_was_refused_is_no_payment() -> None:
    looking = touchpoint("10:00", name="view-bill")
    refused = touchpoint("10:05", "http_4xx", location="/paid")

    journey = the_journey(looking, refused)

    assert (journey.outcome, journey.broke_at) == ("frustrated", "paid")


def test_where_no_success_is_expected_a_refusal_keeps_nobody_from_completing() -> None:
    looking = touchpoint("10:00", name="view-bill")
    paid = touchpoint("10:05", "http_4xx", channel="app", name="paid-in-app")

    assert the_journey(looking, paid).outcome == "completed"


@pytest.mark.parametrize("trouble", ["slow", "js_error", "rage_click", "menu_repeat"])
def test_what_went_badly_and_yet_was_done_is_completed(trouble: str) -> None:
    looking = touchpoint("10:00", name="view-bill")
    paid = touchpoint("10:05", trouble, location="/paid")

    assert the_journey(looking, paid).outcome == "completed"


def test_a_look_after_a_payment_that_was_refused_goes_on_with_it() -> None:
    asking = touchpoint("10:00", channel="chatbot", name="ask-bot", session_hint="c")
    unhelped = touchpoint("10:01", "not_helped", channel="agent", name="talk", session_hint="c")
    again = touchpoint("10:02", channel="chatbot", name="ask-bot", session_hint="c")

    assert the_journey(asking, unhelped, again).outcome == "frustrated"
