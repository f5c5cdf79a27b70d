from typing import Any

import pytest

from schemas.records import Touchpoint
from tests.builders import NO_MISSIONS, arriving, process, touchpoint

Groups = set[frozenset[str]]


def customers(*touchpoints: Touchpoint) -> Groups:
    return set(process(arriving(touchpoints), NO_MISSIONS).members("customer").values())


def one(*ids: str) -> frozenset[str]:
    return frozenset(ids)


def test_a_login_names_whoever_came_before_on_the_device() -> None:
    browsing = touchpoint("10:00", id="1", anonymous_id="a")
    login = touchpoint("10:05", id="2", anonymous_id="a", user_id="ann")

    assert customers(browsing, login) == {one("1", "2")}
    assert customers(login, browsing) == {one("1", "2")}


def test_two_people_at_one_device_are_told_apart_by_time() -> None:
    ann = touchpoint("10:00", id="1", anonymous_id="a", user_id="ann")
    after_ann = touchpoint("10:10", id="2", anonymous_id="a")
    bob = touchpoint("11:00", id="3", anonymous_id="a", user_id="bob")
    after_bob = touchpoint("11:10", id="4", anonymous_id="a")

    assert customers(ann, after_ann, bob, after_bob) == {one("1", "2"), one("3", "4")}
    assert customers(after_bob, bob, after_ann, ann) == {one("1", "2"), one("3", "4")}


def test_what_a_device_met_at_different_times_belongs_together() -> None:
    by_mail = touchpoint("10:00", id="1", anonymous_id="a", email="ann@x")
    login = touchpoint("10:20", id="2", anonymous_id="a", user_id="ann")
    elsewhere = touchpoint("11:00", id="3", anonymous_id="b", email="ann@x")

    assert customers(by_mail, login, elsewhere) == {one("1", "2", "3")}


@pytest.mark.parametrize("arrive", [1, -1], ids=["in order", "reversed"])
@pytest.mark.parametrize(
    ("device", "middle", "login"),
    [
        ({"anonymous_id": "a"}, {"email": "e"}, {"user_id": "ann"}),
        ({"anonymous_id": "a"}, {"network_user_id": "n"}, {"user_id": "ann"}),
        ({"anonymous_id": "a"}, {"device_id": "d"}, {"email": "e"}),
        ({"device_id": "d"}, {"phone": "p"}, {"account_id": "k"}),
    ],
)
def test_a_chain_is_followed_to_its_end_in_whatever_order_its_links_show(
    device: dict[str, Any], middle: dict[str, Any], login: dict[str, Any], arrive: int
) -> None:
    chain = [
        touchpoint("10:00", id="1", **device),
        touchpoint("10:20", id="2", **device, **middle),
        touchpoint("10:40", id="3", **middle, **login),
        touchpoint("11:00", id="4", **login),
    ]

    assert customers(*chain[::arrive]) == {one("1", "2", "3", "4")}


@pytest.mark.parametrize("weak", [{"ip": "10.0.0.1"}, {"caller_number": "+44"}])
def test_a_weak_identifier_links_nobody(weak: dict[str, Any]) -> None:
    ann = touchpoint("10:00", id="1", anonymous_id="a", **weak)
    bob = touchpoint("10:01", id="2", anonymous_id="b", **weak)
    alone = touchpoint("10:02", id="3", **weak)

    assert customers(ann, bob, alone) == {one("1"), one("2"), one("3")}


def test_nor_does_it_by_way_of_an_alias() -> None:
    first = touchpoint("10:00", id="1", ip="10.0.0.1", previous_id="a")
    second = touchpoint("10:01", id="2", ip="10.0.0.1", previous_id="b")
    ann = touchpoint("10:02", id="3", anonymous_id="a")
    bob = touchpoint("10:03", id="4", anonymous_id="b")

    assert customers(first, second, ann, bob) == {one("1", "2"), one("3"), one("4")}


@pytest.mark.parametrize("value", ["null", "00000000-0000-0000-0000-000000000000", "undefined"])
def test_a_placeholder_identifies_nobody(value: str) -> None:
    ann = touchpoint("10:00", id="1", anonymous_id="a", user_id=value)
    bob = touchpoint("10:01", id="2", anonymous_id="b", user_id=value)

    assert customers(ann, bob) == {one("1"), one("2")}


def test_an_alias_brings_along_what_was_done_under_the_old_name() -> None:
    before = touchpoint("10:00", id="1", anonymous_id="old")
    alias = touchpoint("10:10", id="2", anonymous_id="new", user_id="ann", previous_id="old")

    assert customers(before, alias) == {one("1", "2")}


def test_a_touchpoint_that_only_says_who_is_who_appears_nowhere() -> None:
    browsing = touchpoint("10:00", id="1", anonymous_id="a")
    named = touchpoint("10:01", "identity_only", id="2", anonymous_id="a", user_id="ann")
    elsewhere = touchpoint("10:02", id="3", anonymous_id="b", user_id="ann")

    assert customers(browsing, named, elsewhere) == {one("1", "3")}


def test_a_device_of_more_than_three_people_joins_nobody_after_half_an_hour() -> None:
    logins = [
        touchpoint(f"1{n}:00", id=f"login {n}", anonymous_id="kiosk", user_id=f"u-{n}")
        for n in range(4)
    ]
    within = touchpoint("13:29", id="within", anonymous_id="kiosk")
    after = touchpoint("13:30", id="after", anonymous_id="kiosk")

    found = customers(*logins, within, after)

    assert one("login 3", "within") in found
    assert one("after") in found


@pytest.mark.parametrize("typed_at", ["10:00:30", "10:05"])
def test_an_email_typed_on_a_device_of_too_many_is_nobodys(typed_at: str) -> None:
    logins = [
        touchpoint(f"10:0{n}", id=f"{n}", anonymous_id="kiosk", user_id=f"u-{n}") for n in range(4)
    ]
    typed = touchpoint(typed_at, id="typed", anonymous_id="kiosk", email="e")
    at_home = touchpoint("12:00", id="at home", anonymous_id="laptop", email="e")

    assert one("typed", "at home") in customers(*logins, typed, at_home)


def test_a_device_of_three_people_still_belongs_to_the_last() -> None:
    logins = [
        touchpoint(f"1{n}:00", id=f"login {n}", anonymous_id="tablet", user_id=f"u-{n}")
        for n in range(3)
    ]
    after = touchpoint("15:00", id="after", anonymous_id="tablet")

    assert one("login 2", "after") in customers(*logins, after)


def test_a_customer_may_have_one_identifier_of_each_unique_kind() -> None:
    all_three = touchpoint("10:00", id="1", user_id="ann", account_id="k", crm_id="c")
    note = touchpoint("10:30", id="2", crm_id="c", channel="agent")
    call = touchpoint("10:40", id="3", account_id="k", channel="ivr")

    assert customers(all_three, note, call) == {one("1", "2", "3")}


@pytest.mark.parametrize("kind", ["account_id", "crm_id"])
def test_but_never_two_of_one_kind(kind: str) -> None:
    shown = [touchpoint(f"10:0{n}", id=f"{n}", user_id="ann", **{kind: f"k-{n}"}) for n in (1, 2)]
    alone = [touchpoint(f"10:1{n}", id=f"k-{n}", channel="ivr", **{kind: f"k-{n}"}) for n in (1, 2)]

    told = process([*shown, *alone], NO_MISSIONS)

    assert told.dead_letters() == ["identifier_cap"]
    assert set(told.members("customer").values()) == {one("1", "2", "k-1"), one("k-2")}


def test_an_eleventh_device_is_refused_with_a_dead_letter_and_keeps_to_itself() -> None:
    logins = [
        touchpoint(f"10:{n:02d}", id=f"{n}", anonymous_id=f"device {n}", user_id="ann")
        for n in range(11)
    ]
    eleventh = touchpoint("10:30", id="after", anonymous_id="device 10")

    told = process([*logins, eleventh], NO_MISSIONS)

    assert told.dead_letters() == ["identifier_cap"]
    assert told.verdicts["after"].customer != told.verdicts["0"].customer


def test_a_sixth_email_is_refused() -> None:
    logins = [
        touchpoint(f"10:{n:02d}", id=f"{n}", anonymous_id="a", user_id="ann", email=f"e-{n}")
        for n in range(6)
    ]
    sixth = touchpoint("11:00", id="after", anonymous_id="b", email="e-5")

    told = process([*logins, sixth], NO_MISSIONS)

    assert told.dead_letters() == ["identifier_cap"]
    assert told.verdicts["after"].customer != told.verdicts["0"].customer


def test_a_later_claim_calls_back_what_was_forwarded_to_an_earlier_owner() -> None:
    story = [
        touchpoint("10:08", id="1", anonymous_id="a", user_id="ann"),
        touchpoint("10:09", id="2", anonymous_id="a", email="e"),
        touchpoint("10:10", id="3", anonymous_id="a", user_id="bob"),
        touchpoint("10:11", id="4", anonymous_id="a", email="e"),
    ]

    assert customers(*story) == {one("1", "2"), one("3", "4")}


def test_what_is_rightly_owned_already_does_not_follow_its_former_path() -> None:
    story = [
        touchpoint("10:02", id="1", anonymous_id="a", user_id="ann"),
        touchpoint("10:04", id="2", anonymous_id="a", device_id="d"),
        touchpoint("10:06", id="3", anonymous_id="a"),
        touchpoint("10:05", id="4", anonymous_id="a", user_id="ann"),
        touchpoint("10:03", id="5", anonymous_id="a", user_id="bob"),
    ]

    assert customers(*story) == {one("1", "3", "4"), one("2", "5")}


def test_a_merge_says_who_went_into_whom() -> None:
    told = process(
        [
            touchpoint("10:00", id="1", anonymous_id="a"),
            touchpoint("10:05", id="2", anonymous_id="a", user_id="ann"),
        ],
        NO_MISSIONS,
    )

    merged = [one for one in told.records("identity-changes") if one.change == "merged"]
    assert [one.into for one in merged] == [told.verdicts["2"].customer]
