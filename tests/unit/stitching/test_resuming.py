"""A customer who comes back for what silence had ended, where the mission expects that."""

from schemas.records import Touchpoint
from tests.builders import process, touchpoint

# The mission `get-help` has a patience of 30 minutes and resumes within three hours.


def told(*touchpoints: Touchpoint) -> list[tuple[str, str]]:
    results = process(touchpoints)
    return sorted((one.mission, one.outcome) for one in results.live_journeys.values())


def asking(clock: str, *signals: str) -> Touchpoint:
    return touchpoint(clock, *signals, channel="chatbot", name="ask-bot", anonymous_id="a")


def talking(clock: str) -> Touchpoint:
    return touchpoint(clock, channel="agent", name="talk", anonymous_id="a")


def test_who_comes_back_goes_on_with_the_journey_that_silence_had_ended() -> None:
    assert told(asking("10:00"), talking("12:00")) == [("get-help", "completed")]


def test_the_silence_may_last_exactly_as_long_as_the_mission_says() -> None:
    exactly = told(asking("10:00"), asking("13:00"), talking("13:01"))
    longer = told(asking("10:00"), asking("13:00:01"), talking("13:01"))

    assert exactly == [("get-help", "completed")]
    assert longer == [("get-help", "abandoned"), ("get-help", "completed")]


def test_it_was_published_as_ended_and_is_taken_back_under_the_same_id() -> None:
    other = touchpoint("11:30", name="elsewhere", anonymous_id="other")
    carrying = [
        touchpoint(f"11:{31 + n}", name="elsewhere", anonymous_id="other") for n in range(40)
    ]
    back = [asking("12:20"), talking("12:25")]
    results = process([asking("10:00", "fallback"), other, *carrying, *back])

    said = [(one.journey_id, one.outcome) for one in results.records("journey-outcomes")]

    assert [outcome for _, outcome in said] == ["frustrated", "open", "completed"]
    assert len({journey for journey, _ in said}) == 1


def test_what_marred_it_before_mars_it_still() -> None:
    assert told(asking("10:00", "timeout"), asking("12:00")) == [("get-help", "frustrated")]


def test_who_gave_up_in_so_many_words_begins_anew() -> None:
    complaint = touchpoint("10:05", channel="agent", name="complain", anonymous_id="a")

    anew = told(asking("10:00"), complaint, asking("11:00"))

    assert anew == [("get-help", "abandoned"), ("get-help", "frustrated")]


def test_a_mission_that_says_nothing_of_coming_back_resumes_nothing() -> None:
    looking = touchpoint("10:00", name="view-bill", intent="bill")
    later = touchpoint("12:30", name="pay-online", intent="bill")

    assert told(looking, later) == [("pay-bill", "abandoned")] * 2


def test_who_was_asked_about_it_since_begins_anew() -> None:
    in_call = {"session_hint": "c", "anonymous_id": "a"}
    asked = touchpoint("10:00", channel="ivr", name="main-menu", **in_call)
    answer = touchpoint("11:00", channel="survey", name="x", rating=("ces", 5), **in_call)

    assert ("get-help", "abandoned") in told(asked, answer, talking("12:00"))
    assert told(asked, talking("12:00")) == [("get-help", "completed")]
