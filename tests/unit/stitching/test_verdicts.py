import pytest

from schemas.records import Verdict
from tests.builders import process, touchpoint


def verdicts(*touchpoints: object) -> list[tuple[str | None, list[str]]]:
    told = process(touchpoints)  # type: ignore[arg-type]
    return [said(told.verdicts[one.id]) for one in touchpoints]  # type: ignore[attr-defined]


def said(verdict: Verdict) -> tuple[str | None, list[str]]:
    return verdict.verdict, [reason.rule for reason in verdict.reasons]


@pytest.mark.parametrize("signal", ["http_5xx", "timeout", "crash", "not_responding"])
def test_a_failure_breaks_a_step_of_a_mission(signal: str) -> None:
    start = touchpoint("10:00", name="view-bill")

    assert verdicts(start, touchpoint("10:01", signal, name="pay-online"))[1] == (
        "broken",
        [signal],
    )


@pytest.mark.parametrize("signal", ["http_5xx", "timeout", "crash", "not_responding"])
def test_and_is_a_mere_sign_of_trouble_elsewhere(signal: str) -> None:
    assert verdicts(touchpoint("10:00", signal)) == [("functional", [signal])]


@pytest.mark.parametrize("signal", ["menu_repeat", "repeated_intent", "not_helped"])
def test_what_the_emitter_counted_or_somebody_said_breaks_anywhere(signal: str) -> None:
    assert verdicts(touchpoint("10:00", signal)) == [("broken", [signal])]


def test_two_different_signs_of_trouble_break_and_one_twice_does_not() -> None:
    assert verdicts(touchpoint("10:00", "slow", "js_error"))[0][0] == "broken"
    assert verdicts(touchpoint("10:00", "slow", "slow")) == [("functional", ["slow"])]


def test_rage_on_a_dead_element_breaks() -> None:
    assert verdicts(touchpoint("10:00", "rage_click", "dead_click"))[0][0] == "broken"


def test_the_third_fallback_in_a_row_breaks_the_hand_off() -> None:
    turns = [touchpoint(f"10:0{n}", "fallback", channel="chatbot") for n in range(3)]
    handoff = touchpoint("10:05", "handoff", channel="chatbot")

    assert verdicts(*turns, handoff)[-1] == ("broken", ["handoff_after_fallbacks"])
    assert verdicts(*turns[1:], handoff)[-1] == ("functional", [])


def test_a_turn_that_was_understood_begins_the_row_anew() -> None:
    failed = [touchpoint(f"10:0{n}", "fallback", channel="chatbot") for n in (0, 1, 3)]
    understood = touchpoint("10:02", channel="chatbot", intent="help")
    handoff = touchpoint("10:05", "handoff", channel="chatbot")

    told = verdicts(*failed[:2], understood, failed[2], handoff)

    assert told[-1] == ("functional", [])


def test_two_fallbacks_are_enough_where_the_bot_then_ends() -> None:
    turns = [touchpoint(f"10:0{n}", "fallback", channel="chatbot") for n in range(2)]
    end = touchpoint("10:05", "bot_end", channel="chatbot")

    assert verdicts(*turns, end)[-1] == ("broken", ["bot_end_after_fallbacks"])


def test_the_third_miss_at_one_node_breaks_and_not_at_another() -> None:
    misses = [touchpoint(f"10:0{n}", "no_match", channel="ivr", location="main") for n in range(2)]
    here = touchpoint("10:05", "no_input", channel="ivr", location="main")
    there = touchpoint("10:05", "no_input", channel="ivr", location="bills")

    assert verdicts(*misses, here)[-1] == ("broken", ["no_match_repeated", "no_input"])
    assert verdicts(*misses, there)[-1] == ("functional", ["no_input"])


def test_the_same_menu_three_times_breaks() -> None:
    visits = [touchpoint(f"10:0{n}", channel="ivr", location="main") for n in range(3)]

    assert [verdict for verdict, _ in verdicts(*visits)] == ["functional", "functional", "broken"]


def test_asking_for_a_person_before_any_progress_breaks() -> None:
    menu = touchpoint("10:00", channel="ivr", name="main-menu")
    asking = touchpoint("10:01", "zero_out", channel="ivr")

    assert verdicts(asking)[0][0] == "broken"
    assert verdicts(menu, asking)[1][0] == "functional"


@pytest.mark.parametrize(
    ("scale", "value", "verdict"),
    [
        ("ces", 3, "broken"), ("ces", 4, "functional"), ("ces", 7, "excellent"),
        ("nps", 6, "broken"), ("nps", 7, "functional"), ("nps", 9, "excellent"),
        ("csat", 2, "broken"), ("csat", 4, "functional"), ("csat", 5, "excellent"),
    ],
)  # fmt: skip
def test_an_answer_is_read_by_the_bands_of_its_scale(scale: str, value: int, verdict: str) -> None:
    answer = touchpoint("10:00", channel="survey", session_hint="s", rating=(scale, value))

    assert verdicts(answer)[0][0] == verdict


def test_praise_does_not_lift_what_was_broken_before_in_the_session() -> None:
    failed = touchpoint("10:00", "not_helped", channel="ivr", session_hint="call")
    praise = touchpoint("10:05", channel="survey", session_hint="call", rating=("csat", 5))

    assert verdicts(failed, praise)[1] == ("functional", [])


@pytest.mark.parametrize("rating", [("nps", 3), ("nps", 7), ("nps", 10), None])
def test_a_question_about_the_relationship_judges_no_interaction(
    rating: tuple[str, int] | None,
) -> None:
    assert verdicts(touchpoint("10:00", channel="survey", name="x", rating=rating)) == [(None, [])]


def test_a_test_source_is_kept_and_not_judged() -> None:
    assert verdicts(touchpoint("10:00", "not_helped", source="test-robot")) == [(None, [])]


def test_a_verdict_says_whether_the_inventory_marks_its_touchpoint() -> None:
    paying = touchpoint("10:00", name="pay-online")
    talking = touchpoint("10:01", channel="agent", name="talk")
    looking = touchpoint("10:02", name="view-bill")

    told = process([paying, talking, looking])

    marked = [
        (told.verdicts[one.id].moment_of_truth, told.verdicts[one.id].brand_moment)
        for one in (paying, talking, looking)
    ]
    assert marked == [(True, False), (False, True), (False, False)]
