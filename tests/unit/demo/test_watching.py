"""The demo's day is watched: what breaks in it is flagged, once, and so is its mending."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from statistics import median

import msgspec
import pytest

from listeners import settings
from listeners.adapters.native import adapt_replay_line, replay_context
from pipeline.catalogue.files import load
from pipeline.demo.day import CUSTOMERS, LENGTH, Day, touchpoints_of
from pipeline.replay import results_of
from pipeline.runtimes.memory import in_memory
from schemas.records import Alert
from tests.benchmarks.demo_day import Watching, alerts_of, day_of, days, quiet, watched
from tests.unit.demo.test_day import ENDS_AT, SEEDS

RULES = load(SEEDS)


SEEDS_TOLD = range(1, 6)


@cache
def told(seed: int) -> tuple[Day, tuple[Alert, ...], Watching]:
    """A day that ends at an hour of its own, its alerts, and how it went."""
    one = day_of(seed)
    pairs = list(alerts_of(iter(one.lines)))
    return one, tuple(alert for _, alert in pairs), watched(one, pairs)


@pytest.mark.parametrize("seed", SEEDS_TOLD)
def test_the_day_has_one_incident_at_the_touchpoint_that_breaks_for_its_mission(seed):
    one, alerts, _ = told(seed)

    assert len({alert.id for alert in alerts}) == 1
    assert {alert.touchpoint for alert in alerts} == {one.broken.touchpoint}
    assert {alert.mission for alert in alerts} == {one.broken.mission}
    assert [alert.version for alert in alerts] == list(range(1, len(alerts) + 1))


@pytest.mark.parametrize("seed", SEEDS_TOLD)
def test_it_fires_while_paying_is_broken_and_resolves_after_it_is_mended(seed):
    one, (first, *_, last), _ = told(seed)

    assert abs(first.since - one.broken.starts_at) <= timedelta(minutes=5)
    assert one.broken.starts_at <= first.at < one.broken.ends_at
    assert first.state == "firing"
    assert first.severity == "page"
    assert last.state == "resolved"
    assert last.resolved_at is not None
    assert one.broken.ends_at < last.resolved_at < one.broken.ends_at + timedelta(minutes=45)


def at_the_median(days: Sequence[Watching]) -> None:
    assert {one.incidents for one in days} == {1}
    assert median(one.opened for one in days) <= 3
    assert median(one.closed for one in days) <= 15


def test_at_the_median_it_opens_within_three_minutes_and_closes_within_fifteen_of_the_repair():
    at_the_median([told(seed)[2] for seed in SEEDS_TOLD])


@pytest.mark.torture
def test_so_it_does_at_the_median_of_twenty_days():
    at_the_median(days(20, CUSTOMERS))


@pytest.mark.parametrize("seed", SEEDS_TOLD)
def test_it_names_the_release_that_the_break_came_with(seed):
    one, alerts, _ = told(seed)

    assert {"release": one.broken.release} in [alert.shared for alert in alerts]
    assert all(alert.shared in ({}, {"release": one.broken.release}) for alert in alerts)


def test_it_says_why_and_names_touchpoints_to_look_at():
    one, (first, *_), _ = told(1)

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
