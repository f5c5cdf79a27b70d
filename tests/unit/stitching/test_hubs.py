"""Values that everybody seems to have: what is kept stays within its caps, however many show them.

The times are the affair of `tests/benchmarks/identity.py` and `tests/benchmarks/hot.py`.
"""

from datetime import timedelta

import msgspec
import pytest

from pipeline.stitching.caps import REFUSED_MAX
from pipeline.stitching.claims import CLAIMS_MAX
from pipeline.stitching.identity import SPANS_MAX
from tests.benchmarks.hot import tenths
from tests.benchmarks.identity import Largest, largest_of, measured
from tests.builders import NO_MISSIONS, Results, engine, touchpoint

PEOPLE = 4_000
SLOWLY = timedelta(minutes=1)  # twelve days: what is kept for a day is let go of again
LIMITS = msgspec.structs.replace(NO_MISSIONS, touchpoints_max=50)


@pytest.fixture(scope="module")
def grown() -> tuple[Largest, Largest, dict[str, int]]:
    _, half, _ = measured(PEOPLE // 2, LIMITS, SLOWLY)
    _, whole, letters = measured(PEOPLE, LIMITS, SLOWLY)
    return half, whole, letters


def test_the_largest_of_everything_stays_within_its_cap(
    grown: tuple[Largest, Largest, dict[str, int]],
) -> None:
    _, largest, _ = grown

    assert largest.claims <= CLAIMS_MAX
    assert largest.held <= LIMITS.identity.identifiers_max
    assert largest.spans <= SPANS_MAX
    assert largest.tail <= LIMITS.touchpoints_max


def test_twice_as_many_people_make_no_state_larger(
    grown: tuple[Largest, Largest, dict[str, int]],
) -> None:
    half, whole, _ = grown

    assert whole.identifier_bytes <= 1.1 * half.identifier_bytes
    assert whole.customer_bytes <= 1.1 * half.customer_bytes


def test_what_is_refused_is_told(grown: tuple[Largest, Largest, dict[str, int]]) -> None:
    _, _, letters = grown

    assert set(letters) == {"identifier_cap"}
    assert letters["identifier_cap"] >= PEOPLE // 25 - LIMITS.identity.device_max


def test_a_value_that_very_many_may_not_own_remembers_some_of_them() -> None:
    story = []
    for person in range(REFUSED_MAX + 20):
        story += [
            touchpoint("10:00", id=f"{person} {n}", user_id=f"u-{person}", email=f"{person} {n}")
            for n in range(5)
        ]
        story.append(
            touchpoint("10:01", id=f"{person}", user_id=f"u-{person}", email="everybody's")
        )
    running = engine(NO_MISSIONS)

    for one in story:
        running.process(one)

    assert len(Results(running.outbox).dead_letters()) == REFUSED_MAX + 20
    assert largest_of(running).refused == REFUSED_MAX


@pytest.mark.parametrize("numbered", [False, True])
def test_the_ten_thousandth_touchpoint_of_a_customer_costs_no_more_than_the_thousandth(
    numbered: bool,
) -> None:
    spent = tenths(NO_MISSIONS, 10_000, per_second=30, numbered=numbered)

    assert min(spent[-3:]) < 3 * min(spent[:3])
