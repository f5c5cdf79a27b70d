"""Silence: a touchpoint that goes quiet alone, with its source, or with everybody."""

from copy import deepcopy
from datetime import timedelta

import msgspec
import pytest

from pipeline.stitching import presences, silence
from pipeline.stitching.baseline import Baseline, Cell
from pipeline.stitching.change import Message
from pipeline.stitching.presences import Presences
from pipeline.stitching.votes import time_of
from pipeline.topology import WATCH
from schemas.controls import Presence
from schemas.records import Alert, Votes
from tests.builders import RULES, engine

DAY = 1440


def known(per_hour: float, nights: bool = False) -> Baseline:
    """A touchpoint that has had so many votes every hour for four weeks; at night a tenth."""
    one = Baseline(Cell(0))
    for hour in range(28 * 24):
        rate = per_hour / 10 if nights and hour % 24 < 6 else per_hour
        one.add(hour, round(rate), 0, 0.0)
    one.traffic = Cell(0)
    return one


@pytest.mark.parametrize(("per_hour", "minutes"), [(3, 748), (30, 75), (300, 8), (3000, 5)])
def test_the_window_is_the_time_in_which_a_slack_hour_brings_twenty_votes(per_hour, minutes):
    looked = silence.horizon(known(per_hour), 28 * DAY)

    assert looked is not None
    assert looked.minutes == pytest.approx(minutes, abs=1)


def test_at_night_it_is_longer():
    by_day = silence.horizon(known(300, nights=True), 28 * DAY + 15 * 60)
    by_night = silence.horizon(known(300, nights=True), 28 * DAY + 5 * 60)

    assert by_day is not None
    assert by_night is not None
    assert by_night.minutes > 5 * by_day.minutes


def test_what_was_known_for_a_day_only_is_not_judged():
    one = Baseline(Cell(0))
    for hour in range(30):
        one.add(hour, 300, 0, 0.0)

    assert silence.horizon(one, 30 * 60) is None


def test_what_takes_longer_than_a_day_to_show_is_not_looked_for():
    assert silence.horizon(known(1), 28 * DAY) is None


SENDS = {"view-bill": "shop", "pay-online": "shop", "pay-in-app": "app", "main-menu": "phone"}
"""The source of each touchpoint."""


class Town:
    """Touchpoints of the tests' inventory, each with votes every minute; days pass by the clock."""

    def __init__(self, *touchpoints: str) -> None:
        self.engine = engine()
        self.minute = 20_000 * DAY
        self.alive = set(touchpoints)
        self.alerts: list[Alert] = []
        self.others: dict[str, int] = {}

    def pass_(self, minutes: int, step: int = 1) -> "Town":
        """So many minutes, with votes in every `step`-th."""
        for _ in range(0, minutes, step):
            self.minute += step
            at = time_of(self.minute)
            sending = {SENDS[touchpoint] for touchpoint in self.alive}
            for touchpoint in sorted(self.alive):
                self._votes(touchpoint, 10 * step, (SENDS[touchpoint],))
            for source in sorted(sending):
                self._votes(f"source {source}", 10 * step)
            for source, votes in self.others.items():
                self._votes("view-bill", (10 + votes) * step, ("shop", source), partition=1)
                self._votes(f"source {source}", votes * step)
            self._pass_time(at)
        return self

    def _votes(
        self, touchpoint: str, votes: int, sources: tuple[str, ...] = (), partition: int = 0
    ) -> None:
        at = time_of(self.minute)
        record = Votes(touchpoint=touchpoint, mission=None, minute=at, partition=partition,
                       votes=votes, broken=0, customers=0, at=at, sources=sources)  # fmt: skip
        self.engine._send([Message("votes", touchpoint, record)])
        self._gather()

    def _pass_time(self, at: object) -> None:
        self.engine._known.watermark.advance(at)  # type: ignore[arg-type]
        self.engine.expire()
        self._gather()

    def _gather(self) -> None:
        for message in self.engine.outbox:
            if isinstance(message.record, Alert):
                self.alerts.append(message.record)
        self.engine.outbox.clear()

    def told(self) -> list[tuple[str, str]]:
        """Touchpoint and state of each alert."""
        return [(one.touchpoint, one.state) for one in self.alerts]


@pytest.fixture(scope="module")
def week() -> Town:
    """A week known of two touchpoints of the shop, one of the app and one of the phone."""
    town = Town("view-bill", "pay-online", "pay-in-app", "main-menu")
    return town.pass_(7 * DAY, step=5)


@pytest.fixture
def town(week) -> Town:
    """Behind that week."""
    return deepcopy(week)


def test_nobody_is_silent_while_all_speak(town):
    assert town.alerts == []


def test_one_that_goes_quiet_alone_is_silent_and_is_heard_of_again(town):
    quiet = time_of(town.minute)
    town.alive.remove("view-bill")
    town.pass_(30)

    (alert,) = town.alerts
    assert (alert.kind, alert.touchpoint, alert.state) == ("silent", "view-bill", "firing")
    assert alert.since == quiet + timedelta(minutes=1)
    assert alert.at <= quiet + timedelta(minutes=12)
    assert alert.evidence > alert.threshold
    assert "has gone quiet: next to nobody comes by it since" in alert.sentence

    town.alive.add("view-bill")
    town.pass_(2)
    assert town.told()[1:] == [("view-bill", "resolved")]


def test_a_source_that_goes_quiet_is_one_alert_whatever_it_was_heard_of_at(town):
    town.alive -= {"view-bill", "pay-online"}
    town.pass_(60)

    assert town.told() == [("source shop", "firing")]
    assert town.alerts[0].severity == "page"
    assert town.alerts[0].sentence.startswith('The source "shop" has gone quiet: next to no ')
    town.alive |= {"view-bill", "pay-online"}
    town.pass_(2)
    assert town.told()[1:] == [("source shop", "resolved")]
    assert "sends again" in town.alerts[1].sentence


def test_of_a_source_that_is_back_what_stays_quiet_is_silent_by_itself(town):
    town.alive -= {"view-bill", "pay-online"}
    town.pass_(60)
    town.alive.add("pay-online")
    town.pass_(30)

    assert town.told()[1:] == [("source shop", "resolved"), ("view-bill", "firing")]


def test_what_comes_back_a_little_after_its_source_was_not_silent_by_itself(town):
    town.alive -= {"view-bill", "pay-online"}
    town.pass_(60)
    town.alive.add("pay-online")
    town.pass_(2)
    town.alive.add("view-bill")
    town.pass_(10)

    assert town.told()[1:] == [("source shop", "resolved")]


def test_one_of_several_sources_at_the_same_touchpoints_goes_quiet_and_no_touchpoint_does():
    town = Town("view-bill", "pay-online", "pay-in-app")
    town.others = {"kiosk": 10}
    town.pass_(7 * DAY, step=5)
    assert town.alerts == []
    town.others = {}
    town.pass_(60)

    assert town.told() == [("source kiosk", "firing")]


def test_a_touchpoint_that_hears_of_its_main_source_no_more_says_nothing_beside_it():
    """A tenth of its customers come by another source: too few to speak for it, by the numbers."""
    town = Town("pay-online", "pay-in-app")
    town.pass_(7 * DAY, step=5)
    for step in range(60):
        town.minute += 1
        town._votes("pay-in-app", 10, ("app", "kiosk"))
        town._votes("source app", 10)
        if step % 10 == 0:
            town._votes("source kiosk", 1)
            town._votes("pay-online", 1, ("kiosk",))
        town._pass_time(time_of(town.minute))

    assert town.told() == [("source shop", "firing")]


def test_a_source_that_sends_little_does_not_keep_a_touchpoints_silence_back():
    town = Town("view-bill", "pay-online", "pay-in-app")
    for step in range(7 * DAY // 5):
        town.pass_(5, step=5)
        if step % 120 == 0:  # every ten hours
            town._votes("view-bill", 51, ("shop", "kiosk"))
            town._votes("source kiosk", 1)
    assert town.alerts == []
    town.alive.remove("view-bill")
    town.pass_(30)

    assert town.told() == [("view-bill", "firing")]


def test_where_nobody_comes_anywhere_nobody_is_silent(town):
    town.alive.clear()
    town.pass_(3 * 60)

    assert town.alerts == []


def test_while_event_time_stands_still_nobody_is_silent(town):
    town.alive.remove("view-bill")

    for _ in range(30):
        town._pass_time(time_of(town.minute))

    assert town.alerts == []


def hear(state: Presences, name: str, heard: int, silent: int = -1, at: int = 0) -> Presences:
    sources = (SENDS[name],) if name in SENDS else ()
    said = Presence(touchpoint=name, heard=heard, window=10, silent=silent, expected=50.0,
                    evidence=20.0, at=at, sources=sources)  # fmt: skip
    change = presences.hear(state, said, RULES)
    LAST.extend(message.record for message in change.results)
    return WATCH.decode(WATCH.encode(change.state))


LAST: list[object] = []


def test_customers_of_whom_we_hear_late_take_the_alert_back():
    LAST.clear()
    state = hear(hear(Presences(), "view-bill", 1000), "source shop", 1020)
    state = hear(state, "view-bill", 1000, silent=1000, at=1020)
    hear(state, "view-bill", 1012)

    states = [one.state for one in LAST if isinstance(one, Alert)]
    assert states == ["firing", "retracted"]


def test_the_same_word_twice_says_nothing_new():
    LAST.clear()
    state = hear(hear(Presences(), "view-bill", 1000), "source shop", 1020)
    for _ in range(2):
        state = hear(state, "view-bill", 1000, silent=1000, at=1020)

    assert len([one for one in LAST if isinstance(one, Alert)]) == 1


def test_a_touchpoint_hears_what_its_channel_is_like():
    state = Presences()
    first = Presence(touchpoint="view-bill", heard=1, window=0, votes=900.0, broken=90.0)
    state = presences.hear(state, first, RULES).state
    second = msgspec.structs.replace(first, touchpoint="pay-online", votes=1.0, broken=0.0)

    (told,) = presences.hear(state, second, RULES).results

    assert (told.key, told.record.share) == ("pay-online", pytest.approx(0.092))  # type: ignore[attr-defined]


def test_what_a_touchpoint_says_after_it_was_forgotten_changes_nothing():
    state = hear(hear(Presences(), "view-bill", 1000), "source shop", 30 * DAY)

    old = hear(state, "view-bill", 1000)
    still = hear(hear(Presences(), "view-bill", 1000), "view-bill", 1000, silent=1000, at=30 * DAY)

    assert (set(old.present), set(still.present)) == ({"source shop"}, set())


def test_what_was_switched_off_is_waited_for_28_days_and_then_no_longer():
    LAST.clear()
    state = hear(hear(Presences(), "source crm", 1000), "source shop", 1020)
    state = hear(state, "source crm", 1000, silent=1000, at=1020)

    for day in (27, 29, 30):
        state = hear(state, "source shop", 1020 + day * DAY)

    fired, ended = (one for one in LAST if isinstance(one, Alert))
    assert (fired.state, ended.state, ended.version) == ("firing", "resolved", 2)
    assert ended.resolved_at == time_of(1020 + 29 * DAY)
    assert ended.sentence == (
        'The source "crm" is not waited for any longer: it has sent nothing for 28 days.'
    )


def test_an_alert_of_what_is_watched_no_more_ends():
    LAST.clear()
    state = hear(hear(Presences(), "source crm", 1000), "source shop", 1020)
    state = hear(state, "source crm", 1000, silent=1000, at=1020)
    del state.present["source crm"]

    state = hear(state, "source shop", 1030)

    assert [one.state for one in LAST if isinstance(one, Alert)] == ["firing", "resolved"]
    assert state.told == {}
