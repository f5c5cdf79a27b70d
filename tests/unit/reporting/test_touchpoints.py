"""What each touchpoint is to its missions."""

from datetime import timedelta

import msgspec
import pytest

from pipeline.reporting.inference import rate
from pipeline.stitching.missions import Missions
from schemas.records import Counts, Touchpoint
from tests.builders import GET_HELP, MIDNIGHT, PAY_BILL, RULES, touchpoint
from tests.unit.reporting.reports import at, at_mission, gathered, pays, reported


def breaks(count: int, *, first: int = 0) -> list[Touchpoint]:
    """Customers who cannot pay and leave."""
    return [
        one
        for n in range(first, first + count)
        for one in pays(f"b{n}", "10:00", "http_5xx", until="pay-online")
    ]


def works(count: int) -> list[Touchpoint]:
    return [one for n in range(count) for one in pays(f"w{n}")]


def test_what_passes_through_a_touchpoint_is_counted_by_journey_not_by_interaction():
    twice = pays("anna", "10:00", until="pay-online")
    twice.append(touchpoint("10:02", name="pay-online", user_id="anna"))

    one = at(reported([*twice, *pays("ben")]), "pay-online")

    assert (one.journeys, one.interactions) == (2, 3)
    assert [(m.amount, m.currency) for m in one.value] == [(77.0, "EUR")]


def test_a_touchpoint_is_told_apart_by_where_it_broke_and_where_it_worked():
    found = at_mission(reported([*works(3), *breaks(2)]), "pay-online")

    assert found.when_sound == rate(3, 3)
    assert found.when_broken == rate(0, 2)
    assert found.broken == rate(2, 5)
    assert found.drop is not None
    assert found.drop.value == 1.0
    assert found.verdicts == Counts(broken=2, functional=3)


def test_what_a_touchpoint_lost_is_what_broke_there_with_its_interval():
    found = at_mission(reported([*works(3), *breaks(2)]), "pay-online")

    assert found.lost == rate(2, 5)
    assert found.value_lost is not None
    low, high = found.lost.low, found.lost.high
    assert found.value_lost.amount == 77.0
    assert found.value_lost.low == pytest.approx(low * 5 * 38.5, abs=0.01)
    assert found.value_lost.high == pytest.approx(high * 5 * 38.5, abs=0.01)


def test_a_touchpoint_that_worked_the_second_time_broke_all_the_same():
    looked, failed, paid = pays("anna", "10:00", "http_5xx")
    again = touchpoint("10:02", name="pay-online", user_id="anna")

    assert at_mission(reported([looked, failed, again, paid]), "pay-online").broken == rate(1, 1)


def test_a_journey_that_broke_and_was_completed_all_the_same_is_not_lost():
    found = at_mission(reported(pays("anna", "10:00", "http_5xx")), "pay-online")

    assert found.broken == rate(1, 1)
    assert found.lost == rate(0, 1)


@pytest.mark.parametrize("broken", [29, 30])
def test_what_mending_would_save_is_told_from_thirty_broken_journeys_on(broken):
    found = at_mission(reported([*works(20), *breaks(broken)]), "pay-online")

    assert (found.cost is not None) == (broken >= 30)
    if found.cost is not None:
        assert found.drop is not None
        assert found.cost.missions == pytest.approx(broken * found.drop.value)
        assert found.cost.low == pytest.approx(broken * found.drop.low, abs=0.01)
        assert found.cost.value is not None
        assert found.cost.value.amount == pytest.approx(broken * 38.5)


def test_what_would_have_failed_anyway_is_not_charged_to_the_break():
    gave_up = [one for n in range(30) for one in pays(f"g{n}", until="pay-online")]

    found = at_mission(reported([*works(30), *gave_up, *breaks(30)]), "pay-online")

    assert found.cost is not None
    assert found.cost.missions == pytest.approx(15.0)
    assert found.lost.part == 30


@pytest.mark.parametrize("broken", [4, 5])
def test_of_a_handful_of_breaks_nothing_is_called_certain(broken):
    found = at_mission(reported([*works(40), *breaks(broken)]), "pay-online")

    assert found.certain == (broken >= 5)


def test_many_touchpoints_are_compared_at_once_and_held_to_one_rate():
    """One loss among five breaks is chance in 7 of 100 cases: enough alone, not among others."""
    paid = [*works(60), *(one for n in range(4) for one in pays(f"s{n}", "10:00", "http_5xx"))]
    slow_bills = []
    for n in range(5):
        looked, *then = pays(f"v{n}")
        slow_bills += [msgspec.structs.replace(looked, signals=("timeout",)), *then]

    alone, among = reported([*paid, *breaks(1)]), reported([*paid, *breaks(1), *slow_bills])

    assert at_mission(alone, "pay-online").certain
    assert not at_mission(among, "pay-online").certain


def test_a_break_that_customers_get_over_is_not_certain_to_cost_anything():
    survived = [one for n in range(8) for one in pays(f"s{n}", "10:00", "http_5xx")]

    found = at_mission(reported([*works(40), *survived]), "pay-online")

    assert found.drop is not None
    assert found.drop.value == 0.0
    assert not found.certain


def test_where_customers_went_after_it_broke_is_the_next_other_touchpoint():
    told = pays("anna", "10:00", "http_5xx", until="pay-online")
    told.append(touchpoint("10:02", "http_5xx", name="pay-online", user_id="anna"))
    told.append(touchpoint("10:04", name="pay-in-app", channel="app", user_id="anna"))

    found = at_mission(reported([*told, *breaks(1)]), "pay-online")

    assert [(one.word, one.count) for one in found.instead] == [("left", 1), ("pay-in-app", 1)]


def test_trying_the_same_touchpoint_once_more_is_no_way_out():
    told = pays("anna", "10:00", "http_5xx", until="pay-online")
    told.append(touchpoint("10:02", name="pay-online", user_id="anna"))
    told.append(touchpoint("10:04", name="pay-in-app", channel="app", user_id="anna"))

    found = at_mission(reported(told), "pay-online")

    assert [one.word for one in found.instead] == ["pay-in-app"]


def test_being_asked_afterwards_is_neither_a_way_out_nor_the_last_step():
    told = pays("anna", until="pay-online")
    told.append(
        touchpoint("10:02", name="asked", channel="survey", rating=("ces", 4), user_id="anna")
    )
    broken = pays("ben", "10:00", "http_5xx", until="pay-online")
    broken.append(
        touchpoint("10:02", name="asked", channel="survey", rating=("ces", 4), user_id="ben")
    )

    found = at_mission(reported([*told, *broken]), "pay-online")

    assert found.fine_but_left == rate(1, 1)
    assert [one.word for one in found.instead] == ["left"]


def test_the_reasons_are_counted_by_interaction_the_most_frequent_first():
    told = [*breaks(2), *pays("anna", "11:00", "timeout", until="pay-online")]

    found = at_mission(reported(told), "pay-online")

    assert [(one.word, one.count) for one in found.reasons] == [("http_5xx", 2), ("timeout", 1)]


def test_a_customer_who_left_where_no_system_reported_an_error_is_a_figure_of_its_own():
    left = pays("anna", until="pay-online")
    angry = pays("ben", "10:00", "rage_click", "dead_click", until="pay-online")

    found = at_mission(reported([*left, *angry, *breaks(1), *works(1)]), "pay-online")

    assert found.fine_but_left == rate(2, 3)  # the server error was logged, so is not among them


def test_a_customer_who_went_on_and_failed_elsewhere_did_not_leave_here():
    found = at_mission(reported(pays("anna", until="pay-online")), "view-bill")

    assert found.fine_but_left == rate(0, 1)


def test_whoever_had_to_ring_left_even_if_they_got_what_they_wanted():
    told = [
        touchpoint("10:00", name="view-bill", user_id="anna"),
        touchpoint("10:05", name="talk", channel="agent", user_id="anna"),
        touchpoint("10:20", name="seen", location="/paid", user_id="anna"),
    ]

    report = reported(told)

    assert at_mission(report, "view-bill").fine_but_left == rate(1, 1)
    assert report.fine_but_left == rate(1, 1)


def test_the_dearest_touchpoint_is_the_first_to_improve():
    help_lost = [
        one
        for n in range(3)
        for one in (
            touchpoint("10:00", name="ask", intent="help", channel="chatbot", user_id=f"h{n}"),
            touchpoint("10:01", "not_helped", name="main-menu", channel="ivr", user_id=f"h{n}"),
        )
    ]

    report = reported([*help_lost, *breaks(1)])

    assert report.ordered_by == "missions"  # get-help has no value
    assert report.improve == ("main-menu", "pay-online")
    only_paid = reported([*help_lost, *breaks(1)], mission="pay-bill")
    assert only_paid.ordered_by == "value"
    assert only_paid.improve == ("pay-online",)


def test_what_costs_most_money_goes_before_what_costs_most_missions():
    cheap = msgspec.structs.replace(GET_HELP, value=1.0, currency="EUR")
    rules = msgspec.structs.replace(RULES, missions=Missions((PAY_BILL, cheap)))
    rung = [
        touchpoint("10:00", "not_helped", name="main-menu", channel="ivr", user_id=f"h{n}")
        for n in range(3)
    ]

    report = reported([*rung, *breaks(1)], rules)

    assert report.ordered_by == "value"
    assert report.improve == ("pay-online", "main-menu")
    assert report.headline.startswith("Mend “Paying” first")


def test_of_two_that_cost_as_much_the_moment_of_truth_is_the_first():
    looking = touchpoint("10:00", name="view-bill", user_id="anna")
    paying = touchpoint("10:01", "http_5xx", name="pay-online", user_id="anna")
    menu = touchpoint("10:02", "not_helped", name="main-menu", channel="ivr", user_id="ben")

    assert reported([looking, paying, menu]).improve == ("pay-online", "main-menu")


def test_nothing_broken_leaves_nothing_to_improve():
    assert reported(works(2)).improve == ()


def test_interactions_of_no_mission_count_for_the_touchpoint_alone():
    one = at(reported([touchpoint("10:00", name="unheard-of")]), "other")

    assert (one.interactions, one.journeys, one.missions) == (1, 0, ())
    assert one.without_mission == Counts(functional=1)


def test_only_what_ended_within_the_time_asked_for_is_reported_with_all_that_led_to_it():
    noon = MIDNIGHT + timedelta(hours=12)
    told = [*pays("anna", "11:00"), *pays("ben", "12:00"), touchpoint("11:59", name="unheard-of")]

    before, after = reported(told, until=noon), reported(told, since=noon)

    assert (before.journeys, before.interactions, before.customers) == (1, 4, 2)
    assert (after.journeys, after.interactions, after.customers) == (1, 3, 1)


def test_open_journeys_are_told_and_counted_nowhere_else():
    results = gathered(pays("anna", until="pay-online"), keep_open=True).results()

    assert (results.open_journeys, results.journeys) == (1, ())
