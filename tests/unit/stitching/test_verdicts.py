import msgspec
import pytest

from pipeline.stitching.norms import Norms
from schemas.records import Verdict
from tests.builders import RULES, process, touchpoint


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


@pytest.mark.parametrize(
    "signal", ["menu_repeat", "repeated_intent", "hangup_by_system", "not_helped"]
)
def test_what_the_emitter_counted_or_somebody_said_breaks_anywhere(signal: str) -> None:
    assert verdicts(touchpoint("10:00", signal)) == [("broken", [signal])]


@pytest.mark.parametrize(
    "signal",
    [
        "rage_click", "error_click", "js_error", "form_abandoned", "low_confidence", "quick_back",
        "handoff_failed", "transfer_failed", "queue_abandoned", "fallback", "no_match", "no_input",
    ],
)  # fmt: skip
def test_each_sign_of_trouble_breaks_with_another_and_not_alone(signal: str) -> None:
    assert verdicts(touchpoint("10:00", signal)) == [("functional", [signal])]
    assert verdicts(touchpoint("10:00", signal, "slow"))[0][0] == "broken"


@pytest.mark.parametrize("signal", ["foreground", "callback", "unheard-of"])
def test_what_is_no_sign_of_trouble_adds_nothing_to_one(signal: str) -> None:
    assert verdicts(touchpoint("10:00", signal, "slow")) == [("functional", ["slow"])]


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
    assert verdicts(turns[0], end)[-1] == ("functional", [])


def test_the_third_miss_at_one_node_breaks_and_not_at_another() -> None:
    misses = [touchpoint(f"10:0{n}", "no_match", channel="ivr", location="main") for n in range(2)]
    here = touchpoint("10:05", "no_input", channel="ivr", location="main")
    there = touchpoint("10:05", "no_input", channel="ivr", location="bills")

    assert verdicts(*misses, here)[-1] == ("broken", ["no_match_repeated", "no_input"])
    assert verdicts(*misses, there)[-1] == ("functional", ["no_input"])
    assert verdicts(misses[0], here)[-1] == ("functional", ["no_input"])


def test_the_same_menu_three_times_breaks() -> None:
    visits = [touchpoint(f"10:0{n}", channel="ivr", location="main") for n in range(3)]

    assert [verdict for verdict, _ in verdicts(*visits)] == ["functional", "functional", "broken"]


def test_three_different_menus_are_a_way_and_no_loop() -> None:
    visits = [touchpoint(f"10:0{n}", channel="ivr", location=f"menu/{n}") for n in range(3)]

    assert verdicts(*visits)[-1] == ("functional", [])


def test_asking_for_a_person_before_any_progress_breaks() -> None:
    menu = touchpoint("10:00", channel="ivr", name="main-menu")
    asking = touchpoint("10:01", "zero_out", channel="ivr")

    assert verdicts(asking)[0][0] == "broken"
    assert verdicts(menu, asking)[1][0] == "functional"


@pytest.mark.parametrize(
    ("scale", "value", "verdict"),
    [
        ("ces", 3, "broken"), ("ces", 4, "functional"), ("ces", 6, "functional"),
        ("ces", 7, "excellent"), ("nps", 6, "broken"), ("nps", 7, "functional"),
        ("nps", 8, "functional"), ("nps", 9, "excellent"), ("csat", 2, "broken"),
        ("csat", 3, "functional"), ("csat", 4, "functional"), ("csat", 5, "excellent"),
    ],
)  # fmt: skip
def test_an_answer_is_read_by_the_bands_of_its_scale(scale: str, value: int, verdict: str) -> None:
    answer = touchpoint("10:00", channel="survey", session_hint="s", rating=(scale, value))

    assert verdicts(answer)[0][0] == verdict


def test_an_answer_judges_the_interaction_it_asks_about_and_not_the_survey() -> None:
    call = touchpoint("10:00", channel="ivr", session_hint="call")
    answer = touchpoint("10:05", channel="survey", session_hint="call", rating=("ces", 2))

    assert verdicts(call, answer) == [("broken", ["answered_ces"]), (None, [])]


def test_an_answer_without_a_session_is_about_the_last_step_of_the_journey() -> None:
    looking = touchpoint("10:00", name="view-bill")
    paying = touchpoint("10:01", name="pay-online")
    answer = touchpoint("10:05", channel="survey", rating=("ces", 2))

    told = process([looking, paying, answer])

    assert [said(told.verdicts[one.id])[0] for one in (looking, paying, answer)] == [
        "functional", "broken", None,
    ]  # fmt: skip
    (journey,) = told.live_journeys.values()
    assert (journey.outcome, journey.broke_at) == ("frustrated", "pay-online")


def test_praise_lifts_what_only_signs_of_trouble_had_broken_and_the_journey_with_it() -> None:
    looking = touchpoint("10:00", "slow", "js_error", name="view-bill")
    answer = touchpoint("10:05", channel="survey", rating=("csat", 5))

    told = process([looking, answer])

    (journey,) = told.live_journeys.values()
    assert (journey.outcome, journey.verdicts.excellent) == ("abandoned", 1)


def test_praise_of_what_is_no_step_of_the_mission_is_as_expected() -> None:
    looking = touchpoint("10:00", name="view-bill")
    aside = touchpoint("10:01", name="home", rating=("ces", 7))
    asked_about = touchpoint("10:01", name="home", session_hint="s")
    answer = touchpoint("10:02", channel="survey", session_hint="s", rating=("nps", 9))
    again = touchpoint("10:03", channel="survey", session_hint="s", rating=("csat", 5))

    assert verdicts(looking, aside)[1] == ("functional", ["answered_ces", "no_step_of_the_mission"])
    told = verdicts(touchpoint("10:00", name="view-bill", session_hint="s"), asked_about, answer)
    assert told[1] == ("functional", ["answered_nps", "no_step_of_the_mission"])
    both = verdicts(looking, asked_about, answer, again)[1]
    assert both[1].count("no_step_of_the_mission") == 1


def test_praise_of_a_step_or_where_nobody_had_a_mission_is_excellent() -> None:
    step = touchpoint("10:00", name="view-bill", rating=("ces", 7))
    alone = touchpoint("10:00", name="home", rating=("ces", 7))

    assert verdicts(step) == verdicts(alone) == [("excellent", ["answered_ces"])]


def test_praise_does_not_lift_what_was_broken_before_in_the_session() -> None:
    failed = touchpoint("10:00", "not_helped", channel="ivr", session_hint="call")
    praise = touchpoint("10:05", channel="survey", session_hint="call", rating=("csat", 5))
    later = touchpoint("10:06", rating=("csat", 5), channel="ivr", session_hint="call")

    assert verdicts(failed, praise)[0] == ("broken", ["not_helped"])
    assert verdicts(failed, later)[1] == ("functional", ["answered_csat", "step_failed"])


@pytest.mark.parametrize("failure", ["http_5xx", "http_4xx"])
def test_nor_what_failed_on_a_step_while_elsewhere_it_was_a_mere_sign(failure: str) -> None:
    looking = touchpoint("10:00", name="view-bill")
    on_step = touchpoint("10:01", failure, name="pay-online")
    elsewhere = touchpoint("10:01", failure, name="home")
    praised = touchpoint("10:02", name="view-bill", rating=("csat", 5))

    assert verdicts(looking, on_step, praised)[2][1] == ["answered_csat", "step_failed"]
    assert verdicts(looking, elsewhere, praised)[2] == ("excellent", ["answered_csat"])


def test_an_answer_weighs_more_than_signs_of_trouble_and_less_than_a_failure() -> None:
    trouble = ("slow", "js_error")
    assert verdicts(touchpoint("10:00", *trouble, rating=("csat", 5)))[0][0] == "excellent"
    assert verdicts(touchpoint("10:00", *trouble, rating=("csat", 4)))[0][0] == "functional"
    assert verdicts(touchpoint("10:00", *trouble))[0][0] == "broken"
    assert verdicts(touchpoint("10:00", "not_helped", rating=("csat", 5)))[0][0] == "broken"


def test_a_refusal_breaks_only_where_success_is_expected() -> None:
    start = touchpoint("10:00", name="view-bill")

    told = [
        verdicts(start, touchpoint("10:01", "http_4xx", name=name))[1]
        for name in ("pay-online", "view-bill")
    ]

    assert told == [("broken", ["http_4xx"]), ("functional", [])]
    assert verdicts(touchpoint("10:00", "http_4xx", channel="app")) == [("functional", [])]


def test_every_rule_that_fires_says_with_which_value() -> None:
    told = process(
        [
            touchpoint("10:00", "slow", "slow", "rage_click", "dead_click", id="1"),
            touchpoint("10:01", "zero_out", channel="ivr", location="main", id="2"),
            touchpoint("10:02", "timeout", name="view-bill", rating=("ces", 1), id="3"),
            touchpoint("10:03", "slow", name="pay-online", id="4"),
        ]
    )

    fired = {id_: {r.rule: r.value for r in one.reasons} for id_, one in told.verdicts.items()}
    assert fired == {
        "1": {"slow": 2, "rage_click": 1, "rage_on_dead_element": 1},
        "2": {"zero_out_before_progress": 1},
        "3": {"timeout": 1, "answered_ces": 1.0},
        "4": {"slow": 1, "step_not_reached": "pay-in-app"},
    }


def test_a_step_in_the_best_quarter_of_time_and_effort_is_excellent() -> None:
    looking = touchpoint("10:00", id="1", name="view-bill")
    fast = touchpoint("10:00:05", id="2", name="pay-online")
    slower = touchpoint("10:00:06", id="2", name="pay-online")
    troubled = touchpoint("10:00:05", "slow", id="2", name="pay-online")
    paid = touchpoint("10:01", id="3", location="/paid")

    told = process([looking, fast, paid]).verdicts["2"]

    assert said(told) == ("excellent", ["time_in_best_quarter", "effort_in_best_quarter"])
    assert [reason.value for reason in told.reasons] == [5.0, 7.0]
    assert process([looking, slower, paid]).verdicts["2"].verdict == "functional"
    assert process([looking, troubled, paid]).verdicts["2"].verdict == "functional"


def test_speed_is_nothing_where_the_way_was_hard() -> None:
    looking = touchpoint("10:00", "rage_click", "rage_click", id="1", name="view-bill")
    fast = touchpoint("10:00:05", id="2", name="pay-online")

    assert process([looking, fast]).verdicts["2"].verdict == "functional"


def test_without_a_norm_nothing_is_excellent_by_behaviour() -> None:
    asking = touchpoint("10:00", id="1", channel="chatbot", name="ask-bot")
    talking = touchpoint("10:00:01", id="2", channel="agent", name="talk")

    assert process([asking, talking]).verdicts["2"].verdict == "functional"


def test_too_long_in_the_menus_is_a_sign_of_trouble() -> None:
    def reached(clock: str) -> tuple[str | None, list[str]]:
        start = touchpoint("10:00", channel="ivr", location="start", session_hint="c")
        menu = touchpoint(clock, channel="ivr", location="main", session_hint="c")
        return verdicts(start, menu)[1]

    assert reached("10:20") == ("functional", [])  # twice the 95th percentile of 10 min
    assert reached("10:20:01") == ("functional", ["too_long_in_ivr"])


def test_less_than_two_minutes_in_the_menus_is_never_too_long() -> None:
    quick = msgspec.structs.replace(RULES, norms=Norms(nodes={"main": 10.0}))

    def reached(clock: str) -> list[str]:
        start = touchpoint("10:00", channel="ivr", location="start", session_hint="c")
        menu = touchpoint(clock, id="menu", channel="ivr", location="main", session_hint="c")
        return [reason.rule for reason in process([start, menu], quick).verdicts["menu"].reasons]

    assert reached("10:01:59") == []
    assert reached("10:02") == ["too_long_in_ivr"]


def test_a_mission_may_have_thresholds_of_its_own() -> None:
    reading = touchpoint("10:00", name="pay-online", rating=("csat", 4))
    paying = touchpoint("10:00", name="view-bill", rating=("csat", 4))

    assert verdicts(reading)[0][0] == "excellent"
    assert verdicts(paying)[0][0] == "functional"


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
