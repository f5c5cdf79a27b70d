"""Slow leaks: what rises a little over days becomes a ticket, and nothing else does."""

from random import Random

import pytest

from pipeline.stitching import leaking, leaks
from pipeline.stitching.baseline import Cell
from pipeline.stitching.leaks import Leak
from pipeline.stitching.watched import Told, Watched, begun
from schemas.records import Alert
from tests.builders import RULES
from tests.unit.stitching.test_alerts import Watching, votes

LEAST = 0.002


def after(*days: float, per_hour: int = 200) -> Leak:
    """So many days, each with its share of broken votes."""
    leak = Leak()
    for number, share in enumerate(days):
        for hour in range(24):
            leak.add(24 * number + hour, per_hour, round(per_hour * share))
    return leak


def test_three_days_at_twice_the_share_of_two_weeks_leak():
    assert after(*[0.02] * 14, 0.05, 0.05, 0.05).state(17 * 24 - 1, LEAST) == "leaks"


@pytest.mark.parametrize(
    "days",
    [
        [0.02] * 17,
        [*[0.02] * 14, 0.025, 0.025, 0.025],  # half as high again is not certain
        [*[0.02] * 16, 0.05],  # one bad day is no leak of three
        [*[0.02] * 14, 0.06, 0.06, 0.06, 0.02],  # the last hours are sound again
        [0.02, 0.05, 0.05, 0.05],  # what was usual is hardly known
    ],
)
def test_what_is_not_certain_over_hours_and_days_does_not(days):
    assert after(*days).state(len(days) * 24 - 1, LEAST) != "leaks"


def test_steady_touchpoints_hardly_ever_leak_by_chance():
    chance, tickets = Random(1), 0
    for number in range(40):
        leak, before = Leak(), False
        for hour in range(24 * 28):
            cast = chance.randrange(2 * (5 + number))
            leak.add(hour, cast, sum(chance.random() < 0.03 for _ in range(cast)))
            now = leak.state(hour, LEAST) == "leaks"
            tickets += now and not before
            before = now

    assert tickets <= 1  # in 160 touchpoint-weeks


def test_what_it_keeps_does_not_grow():
    assert len(after(*[0.02] * 40).blocks) == leaks.LONG


def leaking_days(watching: Watching, shares: list[tuple[int, int]], start: int = 0) -> None:
    """Days of votes, one total in five minutes, of which every n-th breaks."""
    for number, (cast, every) in enumerate(shares, start):
        for step in range(288):
            broken = int((step * cast) % every < cast)
            watching.hear(votes(number * 1440 + 5 * step, cast, broken))


def tickets_of(watching: Watching) -> list[Alert]:
    return [one for one in watching.alerts if one.kind == "slow_leak"]


def test_a_leak_is_a_ticket_of_its_own_kind_that_resolves_when_it_is_mended():
    watching = Watching("view-bill")
    leaking_days(watching, [(20, 100)] * 12)  # 1 %
    assert watching.alerts == []

    leaking_days(watching, [(20, 25)] * 4, start=12)  # 4 %
    (ticket,) = tickets_of(watching)
    assert (ticket.kind, ticket.state, ticket.severity) == ("slow_leak", "firing", "ticket")
    assert ticket.evidence > ticket.threshold == 1.5
    assert ticket.usual_share == pytest.approx(0.01, abs=0.003)
    assert "has been breaking whatever customers come for more often for days" in ticket.sentence

    leaking_days(watching, [(20, 400)] * 2, start=16)
    assert [one.state for one in tickets_of(watching)] == ["firing", "resolved"]
    assert [one.version for one in tickets_of(watching)] == [1, 2]


def test_minutes_under_alarm_make_no_leak():
    watching = Watching("view-bill")
    leaking_days(watching, [(20, 100)] * 12)
    for day in range(12, 16):
        for step in range(288):
            breaks = 100 <= step < 112  # an hour of each day it is broken for one in two
            broken = 10 if breaks else int((step * 20) % 100 < 20)
            watching.hear(votes(day * 1440 + 5 * step, 20, broken))

    kinds = {one.kind for one in watching.alerts}
    assert kinds == {"broken"}


def leak_of(share: float, each: int = 2_000, blocks: int = leaks.LONG) -> Leak:
    """Before it 2 % of many votes broke; then so many, block after block."""
    last = 3 * blocks
    return Leak(last, [(each, round(each * share))] * blocks, Cell(last, 100_000.0, 2_000.0))


@pytest.mark.parametrize(
    ("share", "state"),
    [(0.045, "leaks"), (0.035, "unclear"), (0.026, "unclear"), (0.024, "mended")],
)
def test_half_as_high_again_for_certain_leaks_and_less_than_a_quarter_is_mended(share, state):
    leak = leak_of(share)

    assert leak.state(leak.last, 0.002) == state


def test_what_no_votes_came_for_in_a_week_goes_on_from_what_was_usual():
    leak, one_by_one = Leak(), Cell(3)
    for hour in (0, 3):
        leak.add(hour, 100, 2)
        one_by_one.add(hour, 100, 2)

    leak.add(3 + 7 * 24, 10, 0)

    assert leak.blocks[-1] == (10, 0)
    assert sum(votes for votes, _ in leak.blocks) == 10
    assert leak.before.votes == pytest.approx(one_by_one.votes)


@pytest.mark.parametrize("fires", [True, False])
def test_what_is_under_alarm_gets_no_ticket_besides(fires):
    leak, name = leak_of(0.045), "pay-bill"
    series = begun(60 * leak.last, RULES)
    series.leak, series.learning = leak, (leak.last + 1, 0, 0)
    series.told = Told("alarm", 1, "firing" if fires else "resolved", "page", 0, 0)
    state = Watched("pay-online", now=60 * leak.last, series={name: series})

    tickets = leaking.judge(state, name, series, RULES)

    assert len(tickets) == (0 if fires else 1)
