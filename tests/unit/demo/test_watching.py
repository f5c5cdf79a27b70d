"""The demo's day is watched: what breaks in it is flagged, once, and so is its mending."""

from datetime import timedelta
from functools import cache
from statistics import median

import msgspec
import pytest

from listeners import settings
from listeners.adapters.native import adapt_replay_line, replay_context
from pipeline.catalogue.files import load
from pipeline.demo.day import CUSTOMERS, LENGTH, Day, day, touchpoints_of
from pipeline.replay import results_of
from pipeline.runtimes.memory import in_memory
from schemas.codec import decode
from schemas.records import Alert
from tests.benchmarks.demo_day import days, quiet
from tests.unit.demo.test_day import ENDS_AT, SEEDS

RULES = load(SEEDS)


@cache
def told(seed: int) -> tuple[Day, tuple[Alert, ...]]:
    """A day, and its alerts as `touchpoints replay` prints them."""
    one = day(seed, ENDS_AT)
    context = replay_context(settings.load(None))
    touchpoints = [adapt_replay_line(line, context) for line in one.lines]
    lines = results_of(touchpoints, in_memory(RULES), frozenset({"touchpoint-alerts"}))
    return one, tuple(decode(line, Alert) for line in lines)


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_day_has_one_incident_at_the_touchpoint_that_breaks_for_its_mission(seed):
    one, alerts = told(seed)

    assert len({alert.id for alert in alerts}) == 1
    assert {alert.touchpoint for alert in alerts} == {one.broken.touchpoint}
    assert {alert.mission for alert in alerts} == {one.broken.mission}
    assert [alert.version for alert in alerts] == list(range(1, len(alerts) + 1))


@pytest.mark.parametrize("seed", range(1, 6))
def test_it_fires_while_paying_is_broken_and_resolves_after_it_is_mended(seed):
    one, (first, *_, last) = told(seed)

    assert abs(first.since - one.broken.starts_at) <= timedelta(minutes=5)
    assert one.broken.starts_at <= first.at < one.broken.ends_at
    assert first.state == "firing"
    assert first.severity == "page"
    assert last.state == "resolved"
    assert last.resolved_at is not None
    assert one.broken.ends_at < last.resolved_at < one.broken.ends_at + timedelta(minutes=45)


def test_at_the_median_it_opens_within_three_minutes_and_closes_within_fifteen_of_the_repair():
    watched = days(11, CUSTOMERS)

    assert {one.incidents for one in watched} == {1}
    assert median(one.opened for one in watched) <= 3
    assert median(one.closed for one in watched) <= 15


@pytest.mark.parametrize("seed", range(1, 6))
def test_it_names_the_release_that_the_break_came_with(seed):
    one, alerts = told(seed)

    assert {"release": one.broken.release} in [alert.shared for alert in alerts]
    assert all(alert.shared in ({}, {"release": one.broken.release}) for alert in alerts)


def test_it_says_why_and_names_touchpoints_to_look_at():
    one, (first, *_) = told(1)

    ids = {msgspec.json.decode(line)["id"] for line in one.lines}
    assert next(iter(first.reasons)) == "http_5xx"
    assert set(first.touchpoints) <= ids
    assert len(first.touchpoints) == 3
    assert first.customers >= RULES.alerts.customers_min
    assert first.sentence.startswith("Paying my bill in the app (pay-in-app) is broken for")


def test_a_day_without_a_break_raises_no_alert():
    context = replay_context(settings.load(None))
    lines = touchpoints_of(1, customers=600, count=2_600, starts_at=ENDS_AT - LENGTH)
    touchpoints = [adapt_replay_line(line, context) for line in lines]

    found = results_of(touchpoints, in_memory(RULES), frozenset({"touchpoint-alerts"}))

    assert list(found) == []


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(1, 7))
def test_a_quiet_week_has_no_incident(seed):
    assert quiet(seed, timedelta(days=7), CUSTOMERS) == 0
