"""The detector, minute by minute: the worked example digit by digit, gates, resolving, idleness."""

from math import log

import pytest

from pipeline.stitching.evidence import Detector, Standing, Weights, threshold_of, weights_of
from pipeline.stitching.minutes import Minute, wilson, window
from pipeline.stitching.rules import AlertRules

NUMBERS = AlertRules()
USUAL = weights_of(0.02, 0.25)


def detector(weights: Weights = USUAL) -> Detector:
    return Detector(NUMBERS, lambda _: weights)


def votes(*minutes: tuple[int, int], start: int = 1) -> list[Minute]:
    """Minutes of (votes, broken), each broken vote another customer's; left out where empty."""
    numbered = enumerate(minutes, start)
    return [Minute(at, count, broken, broken) for at, (count, broken) in numbered if count]


def weighed(minutes: list[Minute], to: int, weights: Weights = USUAL) -> Standing:
    standing = Standing(0)
    detector(weights).advance(standing, minutes, to)
    return standing


def changes(minutes: list[Minute], to: int) -> list[tuple[int, bool]]:
    """When it fires and resolves, looked at minute by minute."""
    standing, found, weighs = Standing(0), [], detector()
    for at in range(1, to + 1):
        before = standing.firing
        weighs.advance(standing, minutes, at)
        if standing.firing != before:
            found.append((at, standing.firing))
    return found


EXAMPLE = votes(*[(5, 0)] * 60, *[(5, 2)] * 20, *[(5, 0)] * 60)
"""60 sound minutes, 20 in which two of five votes are broken, then sound again."""


def test_the_null_and_the_alternatives_follow_from_the_usual_share_and_its_drift():
    worse = [USUAL.null + (1 - USUAL.null) * tilt for tilt in (0.05, 0.2, 0.6)]

    assert round(USUAL.null, 6) == 0.037365
    assert [round(share, 3) for share in worse] == [0.085, 0.23, 0.615]
    assert round(log(threshold_of(NUMBERS)), 2) == 14.18


@pytest.mark.parametrize(
    ("minute", "logarithm"),
    [
        (1, -0.9927),
        (2, -0.5009),
        (3, -0.2586),
        (10, 0.1975),
        (60, 0.2670),
        (61, 3.0938),
        (62, 5.8017),
        (63, 8.6558),
        (64, 11.5656),
        (65, 14.4923),
        (66, 17.4250),
    ],
)
def test_the_evidence_of_the_worked_example_is_this_in_each_minute(minute, logarithm):
    assert round(log(weighed(EXAMPLE, minute).mean), 4) == logarithm


def test_it_fires_in_the_fifth_minute_of_the_break_and_resolves_nine_after_its_end():
    assert changes(EXAMPLE, 140) == [(65, True), (89, False)]


def test_since_when_is_the_minute_in_which_the_break_began():
    standing = weighed(EXAMPLE, 70)

    assert (standing.fired, standing.began) == (65, 61)


@pytest.mark.parametrize(
    ("usual", "broken", "needed"),
    [
        (0.005, (0.15, 0.3, 0.5, 0.9), (55, 20, 9, 4)),
        (0.02, (0.15, 0.3, 0.5, 0.9), (184, 39, 16, 6)),
        (0.08, (0.15, 0.3, 0.5, 0.9), (None, 213, 54, 12)),
    ],
)
def test_a_break_takes_as_many_votes_as_the_likelihoods_say(usual, broken, needed):
    weights = weights_of(usual, 0.25)

    found = []
    for share in broken:
        steps = zip(weights.up, weights.down, strict=True)
        growth = max(share * up + (1 - share) * down for up, down in steps)
        enough = (log(threshold_of(NUMBERS)) + log(3)) / growth
        found.append(round(enough) if growth > 0 else None)

    assert found == list(needed)


def test_looking_once_gives_what_looking_every_minute_gives():
    standing, weighs = Standing(0), detector()
    for at in range(1, 141):
        weighs.advance(standing, EXAMPLE, at)

    assert standing == weighed(EXAMPLE, 140)


def test_a_minute_without_votes_adds_one_to_the_evidence_and_nothing_else():
    before = weighed(votes((5, 2)), 1)

    after = weighed(votes((5, 2)), 11)

    assert after.evidence == tuple(one + 10 for one in before.evidence)
    assert (after.climb, after.since) == (before.climb, before.since)


def test_two_customers_are_too_few_however_often_they_break():
    often = [Minute(at, 3, 3, 1 if at < 3 else 0) for at in range(1, 30)]

    assert not weighed(often, 29).firing
    often[5].customers = 1
    assert weighed(often, 29).firing


def test_evidence_alone_does_not_fire_once_the_share_is_normal_again():
    standing, weighs = Standing(0, evidence=(1e20, 1e20, 1e20)), detector(weights_of(0.02, 0.0))

    weighs.advance(standing, votes((1, 1), (1, 1), (100, 1)), 3)

    assert standing.mean >= threshold_of(NUMBERS)
    assert not standing.firing  # 3 of 102 are no more than the null of 3 %
    weighs.advance(standing, votes((1, 1), (1, 1), (100, 1), (1, 1)), 4)
    assert standing.firing


def test_customers_are_looked_for_in_the_last_twenty_votes_where_an_hour_has_fewer():
    rare = [Minute(at * 90, 1, 1, 1) for at in range(1, 8)]

    assert weighed(rare, 7 * 90).firing


def test_without_votes_a_firing_series_stays_as_it_is():
    broken_only = votes(*[(5, 4)] * 10)

    assert weighed(broken_only, 10).firing
    assert weighed(broken_only, 10 + 30 * 24 * 60).firing


def test_what_looked_mended_and_has_no_more_votes_is_resolved_all_the_same():
    mended = votes(*[(5, 4)] * 10, (60, 0))

    assert weighed(mended, 11).firing
    standing = weighed(mended, 20)
    assert not standing.firing
    assert (standing.evidence[0], standing.climb) == (20 - standing.resolved, (0.0, 0.0, 0.0))


def test_a_further_minute_may_decide_something_only_while_it_fires_or_could():
    weighs, quiet, loud = detector(), votes((5, 0)), votes(*[(5, 4)] * 10)

    assert not weighs.stirs(weighed(quiet, 1), quiet)
    assert weighs.stirs(weighed(loud, 10), loud)
    assert not weighs.stirs(weighed(loud, 40), loud)


def test_evidence_has_a_ceiling_and_a_minute_may_have_any_number_of_votes():
    crowd = votes((100_000, 100_000), (100_000, 100_000))

    assert weighed(crowd, 2).mean == pytest.approx(1e30)


def test_a_window_is_so_many_minutes_or_further_back_to_see_so_many_votes():
    minutes = votes((4, 1), (4, 1), (0, 0), (4, 1))

    assert window(minutes, 3, 4, 2).votes == 4
    assert window(minutes, 3, 4, 2, votes=5).votes == 8
    assert window(minutes, 3, 4, 2, votes=100).votes == 12
    assert window(minutes, 3, 9, 5).votes == 0


def test_the_lower_end_of_wilsons_interval_is_that_of_the_textbooks():
    assert round(wilson(10, 9, 1.96), 3) == 0.596
    assert wilson(0, 0, 1.96) == 0.0
    assert round(wilson(20, 0, 1.96), 9) == 0.0


LOUD = (1e20, 1e20, 1e20)
"""Evidence enough for anything: whether it fires is the gates' to say."""


def fires(before: Standing, *minutes: Minute, weights: Weights = USUAL) -> bool:
    detector(weights).advance(before, minutes, minutes[-1].at)
    return before.firing


@pytest.mark.parametrize(("sound", "open_"), [(4, True), (5, False)])
def test_fewer_than_five_votes_right_now_close_no_gate(sound, open_):
    met, now = Minute(1, 3, 3, 3), Minute(10, sound, 0, 0)

    assert fires(Standing(9, evidence=LOUD), met, now) is open_


@pytest.mark.parametrize(("broken", "open_"), [(3, False), (4, True)])
def test_a_share_right_now_of_exactly_the_null_is_normal(broken, open_):
    six_in_ten = weights_of(0.4, 0.0)
    assert six_in_ten.null == 3 / 5

    now = Minute(1, 5, broken, broken)
    assert fires(Standing(0, evidence=LOUD), now, weights=six_in_ten) is open_


@pytest.mark.parametrize(("at", "open_"), [(60, True), (61, False)])
def test_customers_are_looked_for_in_an_hour_where_that_has_twenty_votes(at, open_):
    met, many, now = Minute(1, 3, 3, 3), Minute(at - 10, 20, 0, 0), Minute(at, 1, 0, 0)

    assert fires(Standing(at - 1, evidence=LOUD), met, many, now) is open_


@pytest.mark.parametrize(("votes_since", "open_"), [(19, True), (20, False)])
def test_beyond_an_hour_in_so_many_that_twenty_votes_are_seen(votes_since, open_):
    met, many, now = Minute(1, 3, 3, 3), Minute(100, votes_since - 1, 0, 0), Minute(200, 1, 0, 0)

    assert fires(Standing(199, evidence=LOUD), met, many, now) is open_


def test_the_share_of_a_break_counts_one_vote_at_the_null_besides_those_since_it_began():
    assert weighed(EXAMPLE, 65).rate == pytest.approx((10 + USUAL.null) / (25 + 1))


def test_it_has_to_look_mended_for_five_minutes_running():
    standing = Standing(0, firing=True, fired=0, began=0, recovery=1_000.0)

    detector().advance(standing, votes(*[(5, 0)] * 4, (5, 5), *[(5, 0)] * 20), 25)

    assert not standing.firing
    assert standing.resolved == 14  # five after the broken ones have left "right now"


def test_what_comes_at_once_is_not_hopeless_though_there_was_no_evidence_before():
    crowd = votes((20, 20))

    assert not detector().hopeless(Standing(0), crowd, 1)
    assert detector().hopeless(Standing(0), votes((20, 1)), 1)


@pytest.mark.parametrize(("at", "enough"), [(10, True), (11, False)])
def test_a_run_of_one_hard_reason_lies_within_ten_minutes(at, enough):
    often = weights_of(0.2, 0.25, 1_000.0)  # one in five breaks, so that evidence is slow
    first, last = (Minute(minute, 9, 9, 9, None, "crash", 9) for minute in (1, at))

    standing = weighed([first, last], at, often)

    assert standing.mean < threshold_of(NUMBERS)
    assert standing.firing is enough
