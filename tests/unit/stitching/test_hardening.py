"""What odd but ordinary input must not do: hang, halt, or give touchpoints to a stranger."""

from datetime import UTC, datetime, timedelta

import msgspec

from pipeline.runtimes.memory import in_memory
from pipeline.stitching.clock import Watermark
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.rules import IdentityRules
from schemas.identifiers import CLASSES, IdentifierClass
from schemas.records import Touchpoint
from tests.builders import RULES, arriving, process, touchpoint


def showing(clock: str, **identifiers: str) -> Touchpoint:
    return msgspec.structs.replace(touchpoint(clock), identifiers=identifiers)


def test_times_of_the_year_one_do_not_move_the_watermark_nor_break_it():
    watermark = Watermark()
    now = datetime(2026, 11, 22, tzinfo=UTC)
    first = datetime(1, 1, 1, tzinfo=UTC)

    for _ in range(64):
        watermark.observe(first, now, timedelta(minutes=2))

    assert watermark.at is None
    assert watermark.recent == []


def test_a_tablet_of_more_people_than_it_remembers_gives_nobody_a_strangers_touchpoints():
    seen = []
    for person in range(80):
        at = datetime(2026, 11, 22, 8, tzinfo=UTC) + timedelta(minutes=10 * person)
        for name, minutes, extra in (("in", 0, {"user_id": f"person-{person}"}), ("on", 1, {})):
            one = touchpoint("08:00", id=f"{name}-{person:02}", anonymous_id="tablet-1", **extra)
            when = at + timedelta(minutes=minutes)
            seen.append(msgspec.structs.replace(one, occurred_at=when, received_at=when))

    owners = process(seen).members("customer").values()

    of_first = next(group for group in owners if "in-00" in group)
    assert not {one for one in of_first if not one.endswith("-00")}
    for group in owners:
        people = {one[3:] for one in group if one.startswith("in-")}
        assert len(people) <= 1


def test_a_device_class_of_ones_own_does_not_make_identities_go_in_circles():
    classes = {**CLASSES, "cookie": IdentifierClass.DEVICE}
    rules = msgspec.structs.replace(RULES, identity=IdentityRules(classes=classes))
    engine = in_memory(rules)
    story = arriving(
        [
            showing("10:00", cookie="c-1", previous_id="p-1"),
            showing("10:01", cookie="c-1", anonymous_id="p-1"),
            showing("10:02", anonymous_id="p-1"),
        ]
    )

    for one in story:
        engine.process(one)
    engine.close()

    assert {m.record.id for m in engine.outbox if m.topic == "verdicts"} == {o.id for o in story}


def test_one_broken_state_does_not_keep_others_from_closing():
    engine = in_memory(RULES)
    for one in arriving(
        [touchpoint("10:00", anonymous_id="bad"), touchpoint("10:00", anonymous_id="good")]
    ):
        engine.process(one)
    states = engine._stores["stitch"].states
    broken = next(iter(states.values()))
    broken.picture.open.append(99)  # what no fold leaves behind

    engine.close()

    assert isinstance(broken, CustomerState)
    assert [stage for stage, _, _ in engine.failures] == ["stitch"]
    closed = [m.record for m in engine.outbox if m.topic == "sessions"]
    assert "closed" in {one.state for one in closed}


def test_people_of_different_devices_may_use_the_same_touchpoint_id():
    results = process(
        arriving(
            [
                touchpoint("10:00", id="1", anonymous_id="ann"),
                touchpoint("10:05", id="1", anonymous_id="bob"),
            ]
        )
    )

    assert len({m.record.session_id for m in results.sent if m.topic == "sessions"}) == 2


def test_an_identifier_that_nothing_shows_any_more_is_forgotten():
    engine = in_memory(RULES)
    engine.process(touchpoint("10:00", anonymous_id="a"))

    engine.close()

    assert engine._stores["identify"].states == {}


def test_an_alias_that_moves_its_own_device_takes_its_own_touchpoint_along():
    story = [
        touchpoint("08:01", id="1", anonymous_id="a-1"),
        touchpoint("08:04", id="2", anonymous_id="a-2", email="e-1"),
        showing("08:05", anonymous_id="a-2", previous_id="a-1"),
    ]

    owners = set(process(story).members("customer").values())

    assert frozenset({"1", story[2].id}) in owners


def test_a_machine_wants_nothing_and_what_was_said_of_its_journeys_is_taken_back() -> None:
    asked = [
        touchpoint(f"10:00:{n // 4:02d}.{n % 4}00", id=f"m{n}", name="seen", location="/paid")
        for n in range(100)
    ]
    opening = touchpoint("09:59:59", id="m", name="bill")

    before = process([opening, *asked[:99]])
    told = process([opening, *asked])

    assert [one.outcome for one in before.live_journeys.values()] == ["completed"]
    assert [one.outcome for one in told.journeys.values()] == ["absorbed"]
    assert {(one.mission, one.verdict) for one in told.verdicts.values()} == {(None, None)}


def test_the_person_behind_the_same_account_keeps_their_journeys() -> None:
    crawl = [
        touchpoint(f"10:00:{n // 4:02d}.{n % 4}00", id=f"m{n}", name="bill", user_id="ann")
        for n in range(120)
    ]
    person = [
        touchpoint("10:01", channel="app", name="pay-in-app", device_id="d", user_id="ann"),
        touchpoint("10:02", channel="app", name="paid-in-app", device_id="d", user_id="ann"),
    ]

    told = process([*crawl, *person])

    assert [one.outcome for one in told.live_journeys.values()] == ["completed"]
