"""Keys that are read at their own pace: what they tell each other may cross on its way."""

from random import Random

import pytest
from hypothesis import strategies as st

from schemas.records import Touchpoint
from tests.builders import NO_MISSIONS, RULES, contents, touchpoint
from tests.oracle.contents import contents_of
from tests.properties.crossing import Crossing
from tests.properties.laws import law
from tests.properties.stories import Story, wandering_stories

SCHEDULES = 2
"""On which a story is tried that only few of them can harm."""

STORIES = {
    "a login after the device's": [
        touchpoint("10:00", id="1", anonymous_id="a"),
        touchpoint("10:01", id="2", anonymous_id="a", device_id="d"),
        touchpoint("10:02", id="3", device_id="d", user_id="ann"),
        touchpoint("10:03", id="4", anonymous_id="a"),
    ],
    "an e-mail between two logins": [
        touchpoint("10:08", id="1", anonymous_id="a", user_id="ann"),
        touchpoint("10:09", id="2", anonymous_id="a", email="e"),
        touchpoint("10:10", id="3", anonymous_id="a", user_id="bob"),
        touchpoint("10:11", id="4", anonymous_id="a", email="e"),
    ],
    "two people by turns at one device": [
        touchpoint("08:18", id="1", anonymous_id="a", user_id="bob"),
        touchpoint("08:19", id="2", anonymous_id="a", device_id="d"),
        touchpoint("08:20", id="3", anonymous_id="a", user_id="ann"),
        touchpoint("08:21", id="4", anonymous_id="a", user_id="bob"),
        touchpoint("08:22", id="5", anonymous_id="a"),
    ],
    "a device between two that are one person's": [
        touchpoint("10:00", id="1", anonymous_id="a", device_id="d"),
        touchpoint("10:01", id="2", device_id="d", email="e"),
        touchpoint("10:03", id="3", anonymous_id="a"),
        touchpoint("10:02", id="4", anonymous_id="a", email="e"),
        touchpoint("10:04", id="5", anonymous_id="a", device_id="d"),
        touchpoint("10:03", id="6", email="e", user_id="ann"),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_messages_that_cross_do_no_harm(story: list[Touchpoint]) -> None:
    for seed in range(100):
        crossing = Crossing(NO_MISSIONS, Random(seed))

        for one in story:
            crossing.take(one)

        assert contents(crossing.results()) == contents_of(story, NO_MISSIONS)


@law(st.integers(0, 2**32))
def test_keys_read_at_their_own_pace_end_as_the_oracle_says(story: Story, seed: int) -> None:
    crossing = Crossing(RULES, Random(seed))

    for one in story.arrivals:
        crossing.take(one)

    assert contents(crossing.results()) == contents_of(story.touchpoints, RULES)


@law(st.integers(0, 2**32), story=wandering_stories())
def test_so_they_do_where_a_device_goes_back_and_forth(story: Story, seed: int) -> None:
    told = contents_of(story.touchpoints, NO_MISSIONS)
    for schedule in range(SCHEDULES):
        crossing = Crossing(NO_MISSIONS, Random(seed + schedule))

        for one in story.arrivals:
            crossing.take(one)

        assert contents(crossing.results()) == told


@law(st.integers(0, 2**32))
def test_so_they_do_where_messages_are_read_twice(story: Story, seed: int) -> None:
    crossing = Crossing(RULES, Random(seed), repeats=True)

    for one in story.repeated:
        crossing.take(one)

    assert contents(crossing.results()) == contents_of(story.touchpoints, RULES)
