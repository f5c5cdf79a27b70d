"""Alerts: when they fire, resolve and are taken back, and what they say."""

from collections.abc import Iterable
from datetime import timedelta

import msgspec
import pytest

from pipeline.stitching import alerts, figures, watched
from pipeline.stitching.change import Message
from pipeline.stitching.minutes import Minute
from pipeline.stitching.rules import AlertRules
from pipeline.stitching.watched import Watched
from pipeline.topology import WATCH
from schemas.records import Alert, Votes
from tests.builders import MIDNIGHT, RULES, at

LEARNT = msgspec.structs.replace(RULES, alerts=AlertRules(usual_share=0.01))


def votes(
    minute: int, count: int, broken: int, mission: str | None = None, **fields: object
) -> Votes:
    """Totals of so many minutes after ten, each broken vote another customer's unless told."""
    begins = at("10:00") + timedelta(minutes=minute)
    given = {"customers": broken, "at": begins, "partition": 0, "touchpoint": "pay-online"}
    return Votes(minute=begins, mission=mission, votes=count, broken=broken, **(given | fields))


class Watching:
    """One touchpoint being watched, and the alerts so far."""

    def __init__(self, touchpoint: str = "pay-online") -> None:
        self.state = Watched(touchpoint)
        self.alerts: list[Alert] = []

    def hear(self, *heard: Votes) -> "Watching":
        """Totals arrive."""
        for one in heard:
            change = alerts.observe(self.state, [one], LEARNT)
            self._keep(change.results)
        return self

    def wait(self, minute: int) -> "Watching":
        """Event time passes to so many minutes after ten."""
        change = alerts.expire(self.state, at("10:00") + timedelta(minutes=minute), LEARNT)
        self._keep(change.results)
        return self

    def told(self) -> list[tuple[str, int, str]]:
        """State, version and clock of each."""
        return [(one.state, one.version, f"{one.at:%H:%M}") for one in self.alerts]

    def _keep(self, results: Iterable[Message]) -> None:
        for message in results:
            if isinstance(message.record, Alert):
                self.alerts.append(message.record)


def break_of(*minutes: int, mission: str | None = None) -> list[Votes]:
    return [votes(minute, 6, 4, mission) for minute in minutes]


def calm(*minutes: int, mission: str | None = None) -> list[Votes]:
    return [votes(minute, 6, 0, mission) for minute in minutes]


def test_a_break_fires_and_its_end_resolves_it():
    watching = Watching().hear(*calm(*range(30)), *break_of(30, 31, 32, 33))

    assert watching.told()[0] == ("firing", 1, "10:31")
    watching.hear(*calm(*range(34, 50)))
    assert watching.told()[-1][0] == "resolved"
    assert {one.id for one in watching.alerts} == {watching.alerts[0].id}


def named(watching: Watching) -> dict[int, list[str]]:
    """Whom minutes still name, of those that ever named any."""
    return {
        minute.at: [name for part in minute.parts.values() for name in part.samples]
        for minute in watching.state.series[""].minutes
        if isinstance(minute.parts, dict)
    }


def test_only_the_newest_minutes_name_what_broke_in_whatever_order_they_come():
    broke = [votes(minute, 6, 1, touchpoints=(f"t-{minute}",)) for minute in range(20)]
    in_order = named(Watching().hear(*broke))

    assert list(in_order.values()) == [
        *[[]] * (20 - watched.SAMPLED),
        *([f"t-{minute}"] for minute in range(20 - watched.SAMPLED, 20)),
    ]
    assert named(Watching().hear(*reversed(broke))) == in_order
    assert named(Watching().hear(*broke, *broke)) == in_order


def test_totals_that_only_name_others_decide_nothing_but_are_told_from_then_on():
    breaks = [votes(minute, 6, 4, touchpoints=("t-1",)) for minute in (30, 31)]
    watching = Watching().hear(*calm(*range(30)), *breaks)
    told = len(watching.alerts)

    watching.hear(msgspec.structs.replace(breaks[1], touchpoints=("t-2",)))
    assert len(watching.alerts) == told
    watching.hear(*calm(*range(32, 50)))
    assert watching.alerts[0].touchpoints == ("t-1", "t-1")
    assert watching.alerts[-1].state == "resolved"
    assert watching.alerts[-1].touchpoints == ("t-1", "t-2")


def test_partitions_are_named_in_the_same_order_however_they_came():
    of = [votes(31, 6, 4, touchpoints=(f"t-{number}",), partition=number) for number in range(3)]

    for came in (of, of[::-1]):
        state = Watching().hear(*calm(*range(30))).state
        told = [message.record for message in alerts.observe(state, came, LEARNT).results]
        assert [one.touchpoints for one in told if isinstance(one, Alert)] == [
            ("t-0", "t-1", "t-2")
        ]


def test_an_alert_says_all_that_it_takes_to_act():
    why = {"http_5xx": 3, "slow": 1}
    broke = [
        votes(30, 6, 4, "pay-bill", reasons=why, touchpoints=("t-1", "t-2")),
        votes(31, 6, 4, "pay-bill", reasons=why, touchpoints=("t-3",)),
    ]

    (alert,) = Watching().hear(*calm(*range(30), mission="pay-bill"), *broke).alerts

    assert (alert.touchpoint, alert.mission, alert.missions) == (
        "pay-online",
        "pay-bill",
        ("pay-bill",),
    )
    assert (alert.since, alert.at) == (at("10:30"), at("10:31"))
    assert (alert.votes, alert.customers, alert.present_share) == (12, 8, 0.6667)
    assert alert.usual_share == 0.01
    assert alert.evidence > alert.threshold == 14.18
    assert alert.reasons == {"http_5xx": 6, "slow": 2}
    assert alert.touchpoints == ("t-1", "t-2", "t-3")
    assert alert.sentence == (
        'Paying (pay-online) is broken for "pay-bill" since 10:30 UTC: 67% of 12 votes against '
        "1.0% usually, 8 customers; mostly http_5xx 6, slow 2."
    )


def test_a_moment_of_truth_pages_and_elsewhere_a_large_share_for_certain_does():
    few = [votes(30 + n, 10, 2) for n in range(12)]

    moment = Watching("pay-online").hear(*calm(*range(30)), *few)
    minor = Watching("view-bill").hear(*calm(*range(30)), *few)
    grave = Watching("view-bill").hear(*calm(*range(30)), *break_of(30, 31, 32, 33, 34))

    assert moment.alerts[0].severity == "page"
    assert [one.severity for one in minor.alerts] == ["ticket"] * len(minor.alerts)
    assert grave.alerts[-1].severity == "ticket"  # 20 of 180 within half an hour
    grave.hear(*break_of(*range(35, 45)))
    assert grave.alerts[-1].severity == "page"


def test_an_alert_is_sent_again_each_time_it_has_met_twice_the_customers():
    watching = Watching().hear(*calm(*range(30)), *break_of(*range(30, 60)))

    assert [one.customers for one in watching.alerts] == [8, 16, 32, 64]
    assert [one.version for one in watching.alerts] == [1, 2, 3, 4]


def test_the_same_totals_again_say_nothing_new():
    heard = [*calm(*range(30)), *break_of(30, 31)]

    once, twice = Watching().hear(*heard), Watching()
    for one in heard:
        twice.hear(one, one)

    assert twice.alerts == once.alerts


def test_the_sum_over_partitions_counts():
    halves = [votes(minute, 3, 2, partition=n) for minute in (30, 31) for n in (0, 1)]

    assert Watching().hear(*calm(*range(30)), *halves).alerts[0].votes == 12


def test_corrected_votes_that_take_the_evidence_away_retract_the_alert():
    watching = Watching().hear(*calm(*range(30)), *break_of(30, 31), *calm(32, 33))

    watching.hear(votes(30, 6, 0, at=at("10:34")), votes(31, 6, 0, at=at("10:34")))

    assert watching.told()[-1] == ("retracted", 2, "10:34")
    assert watching.alerts[-1].sentence == (
        "Paying (pay-online) was not broken whatever customers come for after all: corrected "
        "votes took the evidence back."
    )


def test_so_do_corrections_of_minutes_long_believed_to_be_complete():
    watching = Watching().hear(*calm(*range(30)), *break_of(30, 31), *calm(32))

    watching.hear(*[votes(minute, 6, 0, at=at("10:55")) for minute in (30, 31)])

    assert watching.alerts[-1].state == "retracted"


def test_an_alert_older_than_what_is_kept_is_not_retracted_but_stands():
    watching = Watching().hear(*calm(*range(30)), *break_of(30, 31))
    watching.wait(31 + 121).wait(31 + 260)

    watching.hear(votes(30, 6, 0), votes(31, 6, 0))

    assert watching.alerts[-1].state == "firing"


def test_what_fired_in_a_minute_that_is_filling_is_retracted_once_that_is_over_without_it():
    early = votes(30, 8, 8)
    watching = Watching().hear(*calm(*range(30)), early, votes(30, 300, 8))

    assert watching.told() == [("firing", 1, "10:30")]
    watching.wait(31)
    assert watching.told() == [("firing", 1, "10:30"), ("retracted", 2, "10:31")]


def test_firing_again_within_half_an_hour_is_the_same_incident_and_counted():
    watching = Watching().hear(
        *calm(*range(30)), *break_of(30, 31, 32), *calm(*range(33, 50)), *break_of(50, 51, 52)
    )

    ids = {one.id for one in watching.alerts}
    assert [one.state for one in watching.alerts][:3] == ["firing", "resolved", "firing"]
    assert len(ids) == 1
    assert watching.alerts[-1].flaps == 1


def test_firing_again_later_is_another_incident():
    watching = Watching().hear(
        *calm(*range(30)), *break_of(30, 31, 32), *calm(*range(33, 90)), *break_of(90, 91, 92)
    )

    assert len({one.id for one in watching.alerts}) == 2
    assert watching.alerts[-1].flaps == 0


def test_without_votes_a_firing_alert_stays_and_is_not_forgotten():
    watching = Watching().hear(*calm(*range(30)), *break_of(30, 31, 32))
    before = list(watching.alerts)

    watching.wait(60 * 24 * 60)

    assert watching.alerts == before
    assert alerts.due_at(watching.state, LEARNT) is None


def test_where_few_come_each_sound_vote_is_heard_and_in_the_end_resolves():
    watching = Watching().hear(*calm(*range(30)), *break_of(30, 31, 32))
    for number in range(24):
        watching.wait(60 + 20 * number).hear(votes(60 + 20 * number, 1, 0))
        watching.wait(61 + 20 * number + 14)

    assert watching.alerts[-1].state == "resolved"


def test_what_nobody_came_by_for_four_weeks_is_forgotten():
    watching = Watching().hear(*calm(*range(30)))

    assert alerts.due_at(watching.state, LEARNT) == at("10:29") + timedelta(days=28)
    change = alerts.expire(watching.state, at("10:30") + timedelta(days=28), LEARNT)
    assert change.state is None


def test_alerts_of_one_touchpoint_at_one_time_are_one_incident():
    watching = Watching()
    for minute in range(34):
        for mission in ("pay-bill", "get-help", None):
            both = 2 if mission is None else 1
            watching.hear(votes(minute, 6 * both, (4 if minute > 29 else 0) * both, mission))

    heads = {one.id for one in watching.alerts if one.within is None}
    assert len(heads) == 1
    assert {one.within for one in watching.alerts if one.within is not None} == heads
    assert {one.mission for one in watching.alerts} == {"pay-bill", "get-help", None}


def test_over_all_missions_it_says_which_are_at_stake():
    watching = Watching()
    for minute in range(34):
        broken = minute > 29
        watching.hear(votes(minute, 3, 1 if broken else 0, "get-help"))
        watching.hear(votes(minute, 3, 2 if broken else 0, "pay-bill"))
        watching.hear(votes(minute, 3, 0, "read-up"))
        watching.hear(votes(minute, 9, 3 if broken else 0))

    (overall, *_) = [one for one in watching.alerts if one.mission is None]
    assert overall.missions == ("pay-bill", "get-help")


def test_minutes_under_alarm_do_not_become_usual():
    mended, broken = Watching(), Watching()
    for minute in range(600):
        breaks = 30 <= minute < 180
        mended.hear(votes(minute, 6, 0))
        broken.hear(votes(minute, 6, 4 if breaks else 0))

    assert broken.alerts[0].state == "firing"
    hour = int(MIDNIGHT.timestamp()) // 3600 + 19
    usual = [one.state.series[""].baseline.usual(hour, 0.01, 0.002) for one in (mended, broken)]
    assert usual[0] <= usual[1] < 0.01


def test_what_breaks_all_the_time_is_usual_in_the_end_and_fires_no_more():
    watching = Watching()
    for minute in range(60 * 24):
        watching.hear(votes(minute, 20, minute % 20 == 0))

    assert watching.alerts == []
    (usual, *_) = watching.state.series[""].usual[max(watching.state.series[""].usual)]
    assert usual > 0.002


def test_what_was_always_broken_for_one_in_five_fires_once_and_is_usual_after_some_days():
    watching = Watching()
    for minute in range(60 * 24 * 4):
        watching.hear(votes(minute, 5, 1))

    assert len({one.id for one in watching.alerts}) == 1
    assert watching.alerts[0].state == "firing"
    assert watching.alerts[-1].state == "resolved"
    assert watching.alerts[-1].at > at("10:00", day=1)


def test_of_a_long_day_only_what_is_kept_is_kept():
    watching = Watching()
    for minute in range(60 * 24):
        watching.hear(votes(minute, 3, 0))

    series = watching.state.series[""]
    assert len(series.minutes) <= 120 + 60 + watched.MARKED_EVERY + alerts.JUDGED_EVERY
    corrected = [one for one in series.minutes if one.parts is not None]
    assert len(corrected) <= 120 + watched.MARKED_EVERY + alerts.JUDGED_EVERY
    assert len(WATCH.encode(watching.state)) <= 4096
    assert len(series.usual) <= 4


def test_minutes_are_kept_for_the_votes_of_a_partition_that_is_hours_behind():
    def hear(state: Watched, partition: int, reached: int) -> Watched:
        watermark = at("10:00") + timedelta(minutes=reached)
        for minute in range(600):
            one = votes(minute, 2, 0, partition=partition)
            state = alerts.observe(state, [one], LEARNT, watermark).state
        return state

    state = hear(hear(Watched("pay-online"), 0, 0), 1, 0)
    for minute in (1400, 1700):
        later = at("10:00") + timedelta(minutes=minute)
        state = alerts.observe(state, [votes(minute, 1, 0)], LEARNT, later).state

    assert state.series[""].baseline.whole.votes == pytest.approx(4 * 600, rel=0.05)


@pytest.mark.parametrize(("usual", "severity"), [(0.02, "page"), (0.1, "ticket")])
def test_what_breaks_often_anyway_pages_only_at_ten_times_the_usual(usual, severity):
    series = watched.begun(30, RULES)
    series.minutes, series.usual = [Minute(30, 100, 50, 50)], {0: (usual, 0.25, 0.0)}

    told = figures.severity(Watched("view-bill", now=30), series, RULES)

    assert told == severity
