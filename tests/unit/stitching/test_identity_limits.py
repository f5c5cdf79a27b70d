"""The numbers of identity: how much one customer holds, how long a device's people count."""

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from pipeline.runtimes.engine import Engine
from pipeline.stitching.ids import customer_of
from pipeline.telemetry import PipelineTelemetry
from schemas.records import Touchpoint
from tests.builders import NO_MISSIONS, Results, at, process, touchpoint


def with_limits(**limits: int):  # type: ignore[no-untyped-def]
    identity = msgspec.structs.replace(NO_MISSIONS.identity, **limits)
    return msgspec.structs.replace(NO_MISSIONS, identity=identity)


def logins(count: int, day: int = 0, start: int = 0) -> list[Touchpoint]:
    return [
        touchpoint(
            f"10:{n:02d}", day=day, id=f"{start + n}", anonymous_id=f"d-{start + n}", user_id="ann"
        )
        for n in range(count)
    ]


def test_devices_that_were_not_used_for_thirty_days_make_room_for_others() -> None:
    assert process([*logins(10), *logins(1, day=29, start=10)], NO_MISSIONS).dead_letters() == [
        "identifier_cap"
    ]
    assert process([*logins(10), *logins(1, day=31, start=10)], NO_MISSIONS).dead_letters() == []


def test_one_customer_holds_fifty_identifiers_and_no_more_of_whatever_class() -> None:
    rules = with_limits(device_max=1_000)

    told = process(logins(53), rules)

    assert told.dead_letters() == ["identifier_cap"] * 3
    owned = [one for one in told.verdicts.values() if one.customer == customer_of("user_id:ann")]
    assert len(owned) == 53, "each of these touchpoints showed its owner itself"
    alone = touchpoint("11:10", id="alone", anonymous_id="d-52")
    assert process([*logins(53), alone], rules).verdicts["alone"].customer == customer_of(
        "anonymous_id:d-52"
    )


def test_so_it_never_takes_a_hundred_merges_a_day() -> None:
    told = process(logins(59) + logins(59, start=60), with_limits(device_max=1_000))

    linked = [one for one in told.records("identity-changes") if one.change == "linked"]
    unlinked = [one for one in told.records("identity-changes") if one.change == "unlinked"]
    assert len(linked) - len(unlinked) == 50


def test_a_refused_link_is_counted_by_its_reason() -> None:
    told = process(logins(11), NO_MISSIONS)
    registry = CollectorRegistry()

    PipelineTelemetry(registry).results_published(told.sent)

    name = "touchpoints_dead_lettered_total"
    assert registry.get_sample_value(name, {"reason": "identifier_cap"}) == 1


def people(*days: int) -> Results:
    logins = [
        touchpoint("10:00", day=day, id=f"{n}", anonymous_id="tablet", user_id=f"u-{n}")
        for n, day in enumerate(days)
    ]
    after = touchpoint("15:00", day=days[-1], id="after", anonymous_id="tablet")
    return process([*logins, after], NO_MISSIONS)


@pytest.mark.parametrize(
    ("days", "owner"),
    [
        ((0, 10, 20, 30), "anonymous_id:tablet"),
        ((0, 10, 20, 31), "user_id:u-3"),
    ],
)
def test_the_people_of_thirty_days_make_a_device_shared(days: tuple[int, ...], owner: str) -> None:
    assert people(*days).verdicts["after"].customer == customer_of(owner)


@pytest.mark.parametrize(
    ("shown", "survivor"),
    [
        ({"anonymous_id": "a", "email": "e"}, "email:e"),
        ({"device_id": "d", "anonymous_id": "a"}, "device_id:d"),
        ({"email": "e", "phone": "p"}, "email:e"),
        ({"phone": "p", "crm_id": "c"}, "crm_id:c"),
        ({"account_id": "k", "user_id": "u"}, "user_id:u"),
    ],
)
def test_the_stronger_survives_whichever_came_first(shown: dict[str, str], survivor: str) -> None:
    alone = [
        touchpoint(f"10:0{n}", id=f"{n}", **{kind: value})
        for n, (kind, value) in enumerate(shown.items())
    ]
    both = touchpoint("10:05", id="both", **shown)

    for story in ([*alone, both], [both, *alone], [*alone[::-1], both]):
        told = process(story, NO_MISSIONS)
        assert {one.customer for one in told.verdicts.values()} == {customer_of(survivor)}


def test_of_two_anonymous_ids_that_an_alias_joins_the_smaller_survives() -> None:
    for new, old in (("b", "a"), ("a", "b")):
        told = process([touchpoint("10:00", id="1", anonymous_id=new, previous_id=old)])
        assert told.verdicts["1"].customer == customer_of("anonymous_id:a")


def test_an_identifier_is_forgotten_a_day_after_the_thirty() -> None:
    before = touchpoint("10:00", id="1", anonymous_id="a", user_id="ann")

    def owner_after(clock: str) -> str:
        def look(running: Engine, number: int) -> Engine:
            if number == 1:
                running.tick(at(clock, day=31))
            return running

        later = touchpoint("10:10", day=31, id="2", anonymous_id="a")
        return process([before, later], NO_MISSIONS, between=look).verdicts["2"].customer

    assert owner_after("10:01") == customer_of("user_id:ann")  # two minutes' disorder is waited for
    assert owner_after("10:03") == customer_of("anonymous_id:a")
