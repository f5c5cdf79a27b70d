"""Unmerge: what an operator takes back stands as if it had never been shown."""

from random import Random

import pytest

from pipeline.stitching.ids import customer_of
from schemas.records import Touchpoint
from tests.builders import NO_MISSIONS, arriving, contents, process, touchpoint
from tests.oracle.contents import contents_of
from tests.properties.crossing import Crossing

BROWSING = touchpoint("10:00", id="1", anonymous_id="a")
LOGIN = touchpoint("10:05", id="2", anonymous_id="a", user_id="ann")
AFTER = touchpoint("10:20", id="3", anonymous_id="a")


def unlinked(clock: str, owner: str, **identifier: str) -> Touchpoint:
    return touchpoint(
        clock, "identity_only", channel="agent", name="unlink", **identifier, unlinked_from=owner
    )


def customers(*touchpoints: Touchpoint) -> set[frozenset[str]]:
    return set(process(arriving(touchpoints), NO_MISSIONS).members("customer").values())


def test_an_unlink_hands_back_what_a_device_did_alone() -> None:
    apart = unlinked("10:30", "user_id:ann", anonymous_id="a")

    told = process([BROWSING, LOGIN, AFTER, apart], NO_MISSIONS)

    assert told.verdicts["1"].customer == customer_of("anonymous_id:a")
    assert told.verdicts["3"].customer == customer_of("anonymous_id:a")
    assert told.verdicts["2"].customer == customer_of("user_id:ann")
    assert min(told.verdicts[name].revision for name in ("1", "3")) > 1


def test_merge_then_unmerge_restores_what_there_would_have_been_without_the_merge() -> None:
    apart = unlinked("10:30", "user_id:ann", anonymous_id="a")
    strangers = [BROWSING, touchpoint("10:05", id="2", user_id="ann"), AFTER]

    assert customers(BROWSING, LOGIN, AFTER, apart) == customers(*strangers)


def test_an_unlink_is_told_to_subscribers_with_its_reason() -> None:
    apart = unlinked("10:30", "user_id:ann", anonymous_id="a")

    told = process([BROWSING, LOGIN, apart], NO_MISSIONS)

    (change,) = [one for one in told.records("identity-changes") if one.change == "unlinked"]
    assert (change.identifier, change.reason) == ("anonymous_id:a", "asked_by_operator")
    assert change.customer == customer_of("user_id:ann")


@pytest.mark.parametrize("arrive", [1, -1], ids=["in order", "reversed"])
def test_only_what_is_shown_after_an_unlink_links_again(arrive: int) -> None:
    apart = unlinked("10:30", "user_id:ann", anonymous_id="a")
    between = touchpoint("10:40", id="4", anonymous_id="a")
    again = touchpoint("11:00", id="5", anonymous_id="a", user_id="ann")

    without = [BROWSING, LOGIN, apart, between][::arrive]
    assert customers(*without) == {frozenset({"1", "4"}), frozenset({"2"})}
    assert customers(*[BROWSING, LOGIN, apart, between, again][::arrive]) == {
        frozenset({"1", "2", "4", "5"})
    }


def test_an_email_that_a_device_met_besides_a_login_is_let_go_with_the_login() -> None:
    by_mail = touchpoint("10:10", id="4", anonymous_id="a", email="e")
    elsewhere = touchpoint("10:15", id="5", email="e", channel="agent")
    apart = unlinked("10:30", "user_id:ann", anonymous_id="a")

    joined = customers(BROWSING, LOGIN, by_mail, elsewhere)
    parted = customers(BROWSING, LOGIN, by_mail, elsewhere, apart)

    assert joined == {frozenset({"1", "2", "4", "5"})}
    assert parted == {frozenset({"1", "4", "5"}), frozenset({"2"})}


def test_an_identifier_that_was_let_go_no_longer_counts_towards_its_owners_limit() -> None:
    logins = [
        touchpoint(f"10:{n:02d}", id=f"{n}", anonymous_id=f"device {n}", user_id="ann")
        for n in range(10)
    ]
    apart = unlinked("10:30", "user_id:ann", anonymous_id="device 0")
    eleventh = touchpoint("10:40", id="one more", anonymous_id="device 10", user_id="ann")

    assert process([*logins, eleventh], NO_MISSIONS).dead_letters() == ["identifier_cap"]
    assert process([*logins, apart, eleventh], NO_MISSIONS).dead_letters() == []


def test_an_unlink_that_overtakes_or_is_repeated_does_no_harm() -> None:
    story = [
        BROWSING,
        LOGIN,
        unlinked("10:30", "user_id:ann", anonymous_id="a"),
        touchpoint("10:40", id="4", anonymous_id="a"),
        touchpoint("11:00", id="5", anonymous_id="a", user_id="bob"),
        unlinked("11:05", "user_id:bob", anonymous_id="a"),
        touchpoint("11:10", id="6", anonymous_id="a", user_id="ann"),
    ]
    for seed in range(100):
        crossing = Crossing(NO_MISSIONS, Random(seed), repeats=True)

        for one in story:
            crossing.take(one)

        assert contents(crossing.results()) == contents_of(story, NO_MISSIONS)
