"""Erasure as messages between keys: it may overtake what it is about, and do no harm twice."""

from datetime import timedelta
from random import Random

import msgspec
import pytest

from pipeline.stitching import erasing
from pipeline.stitching.change import Message
from pipeline.stitching.claims import IdentifierState
from pipeline.stitching.erasing import Circle
from pipeline.stitching.ids import customer_of
from pipeline.stitching.minutes import Minute, Part
from pipeline.stitching.tallies import Count, Tally
from pipeline.stitching.watched import Watched, begun
from pipeline.topology import IDENTIFY, STITCH
from schemas.controls import Erase
from schemas.records import Alert, Touchpoint, Votes
from schemas.topics import LINKS
from tests.builders import NO_MISSIONS, RULES, at, process, touchpoint
from tests.properties.crossing import Crossing

HER_NAMES = ("user_id:user-ann", "anonymous_id:cookie-of-ann", "email:mail-of-ann")
STORY = [
    touchpoint("10:00", id="of-ann-1", anonymous_id="cookie-of-ann"),
    touchpoint("10:01", id="of-ann-2", anonymous_id="cookie-of-ann", email="mail-of-ann"),
    touchpoint("10:02", id="of-ann-3", anonymous_id="tablet", user_id="user-ann"),
    touchpoint("10:03", id="of-ann-4", anonymous_id="tablet"),
    touchpoint("10:04", id="of-ann-5", anonymous_id="cookie-of-ann", user_id="user-ann"),
    touchpoint("10:20", id="of-bob-1", anonymous_id="tablet", user_id="user-bob"),
    touchpoint("10:21", id="of-bob-2", anonymous_id="tablet"),
]
ORDERED = at("11:00")


def order(*names: str) -> list[Message]:
    return [
        Message(LINKS, name, Erase(identifier=name, names=HER_NAMES, at=ORDERED)) for name in names
    ]


def ran(seed: int, erase_after: int, later: list[Touchpoint]) -> Crossing:
    """Ordered while her story arrives, and again once all of it has, as the command does."""
    crossing = Crossing(NO_MISSIONS, Random(seed), repeats=True)
    for number, one in enumerate(STORY):
        if number == erase_after:
            crossing._send("operator", order(*HER_NAMES, "anonymous_id:tablet"))
        crossing.take(one)
    drain(crossing)
    crossing._send("operator", order(*HER_NAMES, "anonymous_id:tablet"))
    drain(crossing)
    for one in later:
        crossing.take(one)
    drain(crossing)
    return crossing


def drain(crossing: Crossing) -> None:
    while crossing._read_one():
        pass


@pytest.mark.parametrize("seed", range(40))
def test_afterwards_no_state_holds_her_but_that_she_was_erased(seed: int) -> None:
    crossing = ran(seed, len(STORY), [])

    kept = {
        key: (IDENTIFY if stage == "identify" else STITCH).encode(state)
        for (stage, key), state in crossing._states.items()
        if state is not None
    }
    for key, packed in kept.items():
        assert b"of-ann" not in packed, key
        assert b"user-ann" not in packed, key
    for name in HER_NAMES:
        state = crossing._states["identify", name]
        assert state == IdentifierState(erased=ORDERED, seen=ORDERED, version=state.version)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("erase_after", [0, 2, 5, len(STORY)])
def test_what_comes_later_is_new_and_falls_back_to_the_device(seed: int, erase_after: int) -> None:
    later = [
        touchpoint("11:10", id="new-1", anonymous_id="cookie-of-ann"),
        touchpoint("11:11", id="new-2", anonymous_id="tablet"),
    ]

    results = ran(seed, erase_after, later).results()

    assert results.verdicts["new-1"].customer == customer_of("anonymous_id:cookie-of-ann")
    assert results.verdicts["new-2"].customer == customer_of("user_id:user-bob")
    assert results.verdicts["of-bob-2"].customer == customer_of("user_id:user-bob")
    erased = {c.customer for c in results.records("identity-changes") if c.change == "erased"}
    assert erased == set(map(customer_of, HER_NAMES))


def test_what_was_received_before_and_comes_after_is_dropped_where_it_is_hers() -> None:
    delayed = [
        touchpoint("10:30", id="late-1", arrives="10:59", anonymous_id="cookie-of-ann"),
        touchpoint("10:31", id="late-2", arrives="10:59", anonymous_id="new", user_id="user-ann"),
        touchpoint("10:32", id="late-3", arrives="10:59", anonymous_id="tablet"),
    ]

    results = ran(1, len(STORY), delayed).results()

    assert set(results.verdicts).isdisjoint({"late-1", "late-2"})
    assert results.verdicts["late-3"].customer == customer_of("user_id:user-bob")


def test_that_a_customer_was_erased_is_forgotten_after_eight_days() -> None:
    crossing = ran(1, len(STORY), [])
    state = crossing._states["stitch", customer_of(HER_NAMES[0])]

    due = STITCH.due_at(state, NO_MISSIONS)

    assert due == ORDERED + timedelta(days=8)
    assert STITCH.expire(state, due, NO_MISSIONS).state is None


def test_samples_of_hers_leave_what_is_counted_and_nothing_else_does() -> None:
    circle = Circle(HER_NAMES)
    circle.touchpoints = {"shop": {"of-ann-1"}}
    tally = Tally("pay", 0, ORDERED, counts={"": {1: Count(5, 2, samples=("of-ann-1", "x"))}})
    watched = Watched("pay", series={"": begun(100, NO_MISSIONS)})
    part = Part(5, 2, 2, samples=("x", "of-ann-1"))
    watched.series[""].minutes = [Minute(100, 5, 2, 2, {0: part})]

    assert erasing.forget_in_tally(tally, circle)
    assert erasing.forget_in_watched(watched, circle)

    assert tally.counts[""][1] == Count(5, 2, samples=("x",))
    assert part == Part(5, 2, 2, samples=("x",))
    assert not erasing.forget_in_tally(tally, circle)
    assert not erasing.forget_in_watched(watched, circle)


def test_so_they_leave_votes_and_alerts() -> None:
    circle = Circle(HER_NAMES)
    circle.touchpoints = {"shop": {"of-ann-1"}}
    votes = Votes(
        **{"touchpoint": "pay", "mission": None, "minute": ORDERED, "partition": 0, "votes": 2},
        **{"broken": 1, "customers": 1, "touchpoints": ("of-ann-1", "x")},
    )
    alert = Alert(
        **{"id": "a", "version": 1, "state": "firing", "touchpoint": "pay", "mission": None},
        **{"severity": "page", "since": ORDERED, "at": ORDERED, "usual_share": 0.1},
        **{"present_share": 0.5, "votes": 2, "customers": 1, "evidence": 1.0, "threshold": 1.0},
        **{"sentence": "It breaks.", "touchpoints": ("of-ann-1",)},
    )

    for record, kept in ((votes, ("x",)), (alert, ())):
        left = erasing.without(record, circle)
        assert left == msgspec.structs.replace(record, touchpoints=kept)
        assert erasing.without(left, circle) is left


def test_what_another_source_gave_the_id_of_one_of_hers_stays() -> None:
    circle = Circle(HER_NAMES)
    circle.add(touchpoint("10:00", id="1", source="shop", user_id="user-ann"), RULES)
    told = process([touchpoint("10:01", id="1", source="kiosk", anonymous_id="x", user_id="bob")])
    (verdict,) = told.records("verdicts")
    (change,) = told.records("identity-changes")
    (link, *_) = told.records("links")

    for record in (verdict, change, link):
        assert record.source == "kiosk"
        assert erasing.without(record, circle) is record
        for source in ("shop", ""):  # hers; and one of before sources were told, perhaps hers
            assert erasing.without(msgspec.structs.replace(record, source=source), circle) is None


@pytest.mark.parametrize("erase_at", [0, 1, 2])
def test_an_erasure_among_messages_taken_at_once_stands_where_it_came(erase_at: int) -> None:
    key, ann = "anonymous_id:cookie-of-ann", customer_of("user_id:user-ann")
    story = [touchpoint(f"10:0{n}", id=f"of-ann-{n}", user_id="user-ann") for n in range(2)]
    shown = [touchpoint("10:05", id="of-ann-5", anonymous_id="cookie-of-ann", user_id="user-ann")]
    new = [touchpoint("11:10", id="new", user_id="user-ann")]

    for stage, name, before in ((IDENTIFY, key, shown), (STITCH, ann, story)):
        messages = [Message("touchpoints", name, one) for one in (*before, *new)]
        messages[erase_at:erase_at] = [Message(LINKS, name, order(key)[0].record)]
        state, sent = None, []
        for one in messages:
            change = stage.step(state, name, one, None, NO_MISSIONS)
            state, sent = change.state, sent + change.results

        assert stage.at_once is not None
        at_once = stage.at_once(None, name, messages, None, NO_MISSIONS)

        assert at_once.state == state
        assert at_once.results == sent
