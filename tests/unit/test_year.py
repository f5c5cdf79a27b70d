"""The simulated year in small: what an ideal observer could tell, the pipeline tells."""

import pytest

from tests.benchmarks.load.measuring import ROOT
from tests.benchmarks.year.running import simulate
from tests.benchmarks.year.scoring import ENDED, Ratio, Score

RIGHT_MIN = 0.97
ABANDONED_PRECISION_MIN = 0.96
"""Short of it: a look at the bill days before a charge is questioned is a bill left unpaid."""


@pytest.fixture(scope="module")
def score() -> Score:
    return simulate(customers=1_500, days=60, seed=1, catalogue=ROOT / "seeds").score


def test_missions_are_told(score: Score) -> None:
    assert_told(score.mission(score.seen("mission")))


@pytest.mark.parametrize("outcome", ENDED)
def test_outcomes_are_told(score: Score, outcome: str) -> None:
    least = ABANDONED_PRECISION_MIN if outcome == "abandoned" else RIGHT_MIN

    assert_told(score.outcome(score.seen("outcome"), outcome), precision_min=least)


def test_the_touchpoint_that_cost_the_mission_is_named(score: Score) -> None:
    assert_told(score.broke_at(score.seen("broke_at")))


def test_no_two_people_share_a_journey(score: Score) -> None:
    _, unexcused = score.people_mixed()

    assert unexcused == 0


def assert_told(ratio: Ratio, precision_min: float = RIGHT_MIN) -> None:
    assert ratio.true > 20
    assert ratio.recall >= RIGHT_MIN
    assert ratio.precision >= precision_min
