"""What counts allow one to say, held against figures that others have published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporting.inference import (
    certain_among,
    chance_of_less,
    difference,
    rank_correlation,
    rate,
)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, two-sided intervals for one proportion, table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_of_a_share_is_wilsons(part, whole, low, high):
    found = rate(part, whole)

    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_of_nothing_the_share_is_unknown():
    assert (rate(0, 0).low, rate(0, 0).high) == (0.0, 1.0)


@pytest.mark.parametrize(("part", "whole"), [(3, 2), (-1, 2)])
def test_what_is_no_part_has_no_share(part, whole):
    with pytest.raises(ValueError, match="expected a part of 2"):
        rate(part, whole)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),  # Newcombe 1998, differences, table II, method 10
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_the_interval_of_a_difference_is_newcombes(one, other, low, high):
    found = difference(rate(*one), rate(*other))

    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_chance_is_told_as_by_the_lady_who_tasted_tea():
    assert chance_of_less(rate(1, 4), rate(3, 4)) == pytest.approx(17 / 70)
    assert chance_of_less(rate(0, 4), rate(4, 4)) == pytest.approx(1 / 70)


def test_alike_shares_are_no_surprise():
    assert chance_of_less(rate(10, 10), rate(20, 20)) == pytest.approx(1.0)


def test_many_comparisons_are_held_to_the_rate_as_in_the_paper_that_proposed_it():
    paper = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
        0.5719, 0.6528, 0.7590, 1.0,
    ]  # fmt: skip

    assert certain_among(paper, 0.05) == [True] * 4 + [False] * 11
    assert certain_among(list(reversed(paper)), 0.05) == [False] * 11 + [True] * 4
    assert certain_among([]) == []


def test_a_worse_chance_is_carried_by_the_better_ones_behind_it():
    assert certain_among([0.09, 0.1], 0.1) == [True, True]
    assert certain_among([0.09, 0.2], 0.1) == [False, False]


def test_ranks_agree_disagree_or_tell_nothing():
    assert rank_correlation([(1, 10), (2, 20), (3, 90)]) == pytest.approx(1.0)
    assert rank_correlation([(1, 3), (2, 2), (3, 1)]) == pytest.approx(-1.0)
    assert rank_correlation([(1, 5), (2, 5), (3, 5)]) is None
    assert rank_correlation([(1, 5)]) is None


def test_values_that_tie_share_their_ranks():
    pairs = [(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (3.0, 3.0)]

    assert rank_correlation(pairs) == pytest.approx(0.833333, abs=1e-6)


@given(st.integers(0, 400), st.integers(0, 400))
def test_an_interval_holds_its_share_and_stays_a_share(part, more):
    found = rate(part, part + more)

    assert 0 <= found.low <= found.share <= found.high <= 1


@given(st.lists(st.tuples(st.floats(1, 7), st.floats(1, 7)), min_size=2, max_size=30))
def test_a_rank_correlation_lies_between_against_and_with(pairs):
    found = rank_correlation(pairs)

    assert found is None or -1.0000001 <= found <= 1.0000001
