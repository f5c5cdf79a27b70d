"""What is usual: learnt by hour, fading by age, drawn towards the parent where little was seen."""

import pytest

from pipeline.stitching.baseline import HALF_LIFE, Baseline, Cell, slot_of

MONDAY_NOON = (4 * 24) + 12  # 1970-01-05, the first Monday
LEAST = 0.002


def learnt(*hours: tuple[int, int, int], usual: float = 0.02) -> Baseline:
    one = Baseline(Cell(hours[0][0] if hours else 0))
    for hour, votes, broken in hours:
        one.add(hour, votes, broken, usual)
    return one


def test_of_what_nothing_is_known_its_parents_share_is_expected():
    assert learnt().usual(MONDAY_NOON, 0.03, LEAST) == 0.03
    assert learnt().sigma() == 0.5


def test_a_hundred_votes_count_as_much_as_the_parent():
    one = learnt((MONDAY_NOON, 100, 10))

    whole = (10 + 100 * 0.02) / 200
    assert one.usual(MONDAY_NOON + 1, 0.02, LEAST) == pytest.approx(whole)
    assert one.usual(MONDAY_NOON, 0.02, LEAST) == pytest.approx(whole)  # no vote speaks twice


def test_an_hour_is_drawn_towards_what_the_others_were_like():
    one = learnt((MONDAY_NOON, 100, 10), (MONDAY_NOON + 1, 100, 0))

    faded = 0.5 ** (1 / (7 * 24))
    others = 2 / 200
    found = one.usual(MONDAY_NOON, 0.02, LEAST)
    assert found == pytest.approx((10 + 100 * others) / 200, rel=0.01)
    assert found < (10 * faded + 2) / 200


def test_no_share_below_the_least_is_believed():
    assert learnt((MONDAY_NOON, 1_000_000, 0)).usual(MONDAY_NOON, 0.02, LEAST) == LEAST


def test_votes_count_half_after_a_week():
    one = learnt((MONDAY_NOON, 100, 10), (MONDAY_NOON + HALF_LIFE, 0, 0))

    assert (one.whole.votes, one.whole.broken) == (50.0, 5.0)


def test_an_hour_that_comes_late_counts_as_of_its_age():
    late = learnt((MONDAY_NOON + HALF_LIFE, 100, 10), (MONDAY_NOON, 100, 10))
    early = learnt((MONDAY_NOON, 100, 10), (MONDAY_NOON + HALF_LIFE, 100, 10))

    assert late.whole == early.whole


@pytest.mark.parametrize(
    ("other", "alike"), [(24, True), (4 * 24, True), (5 * 24, False), (1, False), (7 * 24, True)]
)
def test_hours_are_alike_by_hour_of_the_day_and_working_day_or_not(other, alike):
    assert (slot_of(MONDAY_NOON) == slot_of(MONDAY_NOON + other)) == alike


def test_drift_begins_at_a_quarter_and_is_learnt_beyond_what_chance_does():
    steady = learnt(*((MONDAY_NOON + n, 1000, 20) for n in range(200)))
    restless = learnt(*((MONDAY_NOON + n, 1000, 10 if n % 2 else 40) for n in range(200)))

    assert learnt((MONDAY_NOON, 120, 2)).sigma() == 0.25
    assert steady.sigma() < 0.15
    assert 0.55 < restless.sigma() < 0.7


def test_an_hour_with_hardly_a_broken_vote_to_expect_tells_nothing_of_drift():
    assert learnt(*((MONDAY_NOON + n, 30, 3 * (n % 2)) for n in range(100))).sigma() == 0.25
