"""The day is what it says it is: held against the shipped catalogue and the core itself."""

import json
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.catalogue.files import load
from pipeline.demo import stories
from pipeline.demo.day import LENGTH, Day, day, touchpoints_of
from pipeline.demo.places import PLACES
from pipeline.stitching.change import Message
from pipeline.stitching.rules import Rules
from pipeline.topology import STAGES, STITCH
from schemas.identifiers import primary
from schemas.records import JourneyOutcome, Rating, Touchpoint
from schemas.topics import TOUCHPOINTS

ENDS_AT = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
SEEDS = Path(__file__).resolve().parents[3] / "seeds"


@pytest.fixture(scope="module")
def rules() -> Rules:
    return load(SEEDS)


@pytest.fixture(scope="module")
def told() -> Day:
    return day(1, ENDS_AT, 600)


def received(line: bytes) -> Touchpoint:
    """What a listener makes of a line, hashing left out."""
    body = json.loads(line)
    body["occurred_at"] = datetime.fromisoformat(body["occurred_at"])
    body["properties"] = msgspec.Raw(json.dumps(body.get("properties", {})).encode())
    body["signals"] = tuple(body.get("signals", ()))
    if "rating" in body:
        body["rating"] = Rating(**body["rating"])
    return Touchpoint(source="demo", received_at=ENDS_AT, **body)


def results_of(day: Day, rules: Rules) -> list[Message]:
    """Everything the core says about a day, once all silence is over."""
    states: dict[tuple[str, str], Any] = {}
    results: list[Message] = []
    seen: set[str] = set()
    waiting: deque[Message] = deque()

    def settle() -> None:
        while waiting:
            message = waiting.popleft()
            results.append(message)
            for stage in STAGES:
                if message.topic in stage.reads:
                    key = message.key
                    state = states.get((stage.name, key))
                    change = stage.step(state, key, message, None, rules)
                    states[stage.name, key] = change.state
                    waiting.extend(change.results)

    for line in day.lines:
        one = received(line)
        if one.id in seen:
            continue
        seen.add(one.id)
        key = primary(one.identifiers, one.source, one.session_hint, one.id)
        waiting.append(Message(TOUCHPOINTS, key, one))
        settle()
    for (stage, key), state in list(states.items()):
        if stage == STITCH.name and state is not None:
            change = STITCH.expire(state, ENDS_AT + timedelta(days=30), rules)
            states[stage, key] = change.state
            waiting.extend(change.results)
            settle()
    return results


def last_outcomes(results: list[Message]) -> list[JourneyOutcome]:
    last: dict[str, JourneyOutcome] = {}
    for message in results:
        record = message.record
        if not isinstance(record, JourneyOutcome):
            continue
        known = last.get(record.journey_id)
        if known is None or record.revision > known.revision:
            last[record.journey_id] = record
    return [one for one in last.values() if one.outcome not in ("open", "absorbed")]


def people_of(day: Day) -> int:
    """Groups of records that share an identifier, or a session where they show none of a device."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for line in day.lines:
        one = received(line)
        shown = [f"{k}:{v}" for k, v in one.identifiers.items() if k != "caller_number"]
        names = [*shown, primary(one.identifiers, one.source, one.session_hint, one.id)]
        for name in names[1:]:
            leader[find(name)] = find(names[0])
    return len({find(name) for name in list(leader)})


@pytest.mark.parametrize("touchpoint", PLACES)
def test_the_inventory_recognises_what_an_emitter_of_the_demo_reports(touchpoint, rules):
    place = PLACES[touchpoint]

    seen = rules.inventory.touchpoint_of(place.channel, place.name, place.location, place.intent)

    assert seen == touchpoint


def test_stories_are_of_missions_and_touchpoints_that_exist_and_none_is_left_out(rules):
    everything = (
        *stories.PAYS_IN_APP,
        *stories.FAILS_IN_APP,
        *stories.OTHER,
        *stories.UPGRADE,
        *stories.REST,
    )

    assert {story.mission for story in everything} == set(rules.missions.all)
    assert {beat.touchpoint for story in everything for beat in story.beats} <= set(PLACES)


def test_the_same_seed_and_end_give_the_same_day_and_others_share_nothing_with_it(told):
    again, other = day(1, ENDS_AT, 600), day(2, ENDS_AT, 600)

    assert again == told
    assert not {json.loads(line)["id"] for line in other.lines} & {
        json.loads(line)["id"] for line in told.lines
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_truth_of_the_day_is_what_the_core_decides(seed, rules):
    told = day(seed, ENDS_AT, 600)

    outcomes = last_outcomes(results_of(told, rules))

    found: dict[str, Counter[str]] = {}
    for one in outcomes:
        found.setdefault(one.mission, Counter())[one.outcome] += 1
    assert found == told.journeys


def test_there_are_as_many_people_as_the_day_says(told):
    assert people_of(told) == told.customers


def test_all_of_the_day_lies_within_its_length_and_reaches_us_before_its_end(told):
    times = [received(line).occurred_at for line in told.lines]

    assert min(times) >= ENDS_AT - LENGTH
    assert max(times) < ENDS_AT


def test_some_records_come_twice_and_some_of_the_apps_hours_late(told):
    ids = [json.loads(line)["id"] for line in told.lines]
    newest, latest = datetime.min.replace(tzinfo=UTC), timedelta(0)
    for line in told.lines:
        at = received(line).occurred_at
        newest = max(newest, at)
        latest = max(latest, newest - at)

    assert len(set(ids)) == told.touchpoints
    assert len(ids) > told.touchpoints
    assert timedelta(minutes=30) < latest < timedelta(hours=4)


def test_paying_in_the_app_fails_for_most_during_the_break_and_for_hardly_any_outside(told):
    broken = told.broken
    paying = [one for one in map(received, told.lines) if one.name == "payment_started"]
    paying = [one for one in paying if one.channel == "app"]
    inside = [o for o in paying if broken.starts_at <= o.occurred_at < broken.ends_at]
    failed = [one for one in paying if "http_5xx" in one.signals]

    assert {one.id for one in failed} <= {one.id for one in inside}
    assert len(failed) > 0.7 * len(inside)
    assert len({one.identifiers["user_id"] for one in failed}) > 30
    assert all(json.loads(bytes(one.properties))["release"] == "5.2.0" for one in failed)


def test_browsers_are_anonymous_until_the_log_in_and_some_customers_use_two_devices(told):
    devices: dict[str, set[str]] = {}
    anonymous = named = 0
    for one in map(received, told.lines):
        user = one.identifiers.get("user_id")
        if one.channel == "web":
            anonymous, named = anonymous + (user is None), named + (user is not None)
        for kind in ("anonymous_id", "device_id"):
            if user and kind in one.identifiers:
                devices.setdefault(user, set()).add(one.identifiers[kind])

    assert anonymous > 50
    assert named > 50
    assert sum(len(of) > 1 for of in devices.values()) > 10


def test_every_channel_takes_part(told):
    channels = Counter(received(line).channel for line in told.lines)

    assert set(channels) == {"web", "app", "chatbot", "ivr", "agent", "survey"}


def test_load_comes_in_order_and_in_the_number_asked_for():
    lines = list(touchpoints_of(7, customers=50, count=2_000, starts_at=ENDS_AT))
    times = [received(line).occurred_at for line in lines]

    assert len(lines) == 2_000
    assert times == sorted(times)
    assert len({json.loads(line)["id"] for line in lines}) == 2_000
    assert lines[:100] == list(islice(touchpoints_of(7, 50, 2_000, ENDS_AT), 100))
