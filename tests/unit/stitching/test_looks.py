"""A look that begins a journey of its own only where nothing else explains it."""

import msgspec

from pipeline.stitching.missions import Missions
from schemas.records import Touchpoint
from tests.builders import GET_HELP, PAY_BILL, RULES, Results, process, touchpoint

PAY = msgspec.structs.replace(PAY_BILL, looks=frozenset({"view-bill"}))
HELP = msgspec.structs.replace(GET_HELP, preludes=frozenset({"view-bill"}))
LOOKING = msgspec.structs.replace(RULES, missions=Missions((PAY, HELP)))


def missions(told: Results) -> dict[str, str | None]:
    return {one.id: one.mission for one in told.verdicts.values()}


def look(clock: str, name: str, *signals: str) -> Touchpoint:
    return touchpoint(clock, *signals, id=name, name="view-bill")


def asks(clock: str, name: str) -> Touchpoint:
    return touchpoint(clock, id=name, name="elsewhere", intent="help")


def test_a_look_at_what_was_just_completed_begins_nothing() -> None:
    paid = [look("10:00", "1"), touchpoint("10:02", id="2", location="/paid")]

    told = process([*paid, look("10:03", "3")], rules=LOOKING)

    assert [one.outcome for one in told.live_journeys.values()] == ["completed"]
    assert missions(told)["3"] is None


def test_in_another_session_it_does() -> None:
    paid = [look("10:00", "1"), touchpoint("10:02", id="2", location="/paid")]

    told = process([*paid, look("11:03", "3")], rules=LOOKING)

    assert sorted(one.outcome for one in told.live_journeys.values()) == ["abandoned", "completed"]


def test_a_look_before_another_mission_in_the_same_session_is_the_prelude_to_it() -> None:
    told = process([look("10:00", "1"), asks("10:01", "2")], rules=LOOKING)

    assert missions(told) == {"1": "get-help", "2": "get-help"}
    assert [one.mission for one in told.live_journeys.values()] == ["get-help"]


def test_whoever_went_on_from_the_look_wanted_two_things() -> None:
    paying = touchpoint("10:01", id="2", name="pay-online")

    told = process([look("10:00", "1"), paying, asks("10:02", "3")], rules=LOOKING)

    assert missions(told) == {"1": "pay-bill", "2": "pay-bill", "3": "get-help"}


def test_a_look_of_an_earlier_session_is_no_prelude() -> None:
    told = process([look("10:00", "1"), asks("11:01", "2")], rules=LOOKING)

    assert missions(told) == {"1": "pay-bill", "2": "get-help"}


def test_the_prelude_may_arrive_after_what_it_leads_to() -> None:
    in_order = process([look("10:00", "1"), asks("10:01", "2")], rules=LOOKING)
    late = process([asks("10:01", "2"), look("10:00", "1")], rules=LOOKING)

    assert missions(late) == missions(in_order)
