"""Runs of one hard reason, and what breaks because of what it needs."""

from math import ceil

import msgspec
import pytest

from pipeline.stitching import alerts
from pipeline.stitching.change import Message
from pipeline.stitching.evidence import run_of, threshold_of, weights_of
from pipeline.stitching.inventory import Inventory
from pipeline.stitching.rules import AlertRules
from pipeline.stitching.watched import Watched
from pipeline.topology import WATCH
from schemas.controls import Fault
from schemas.records import Alert, Votes
from tests.builders import RULES
from tests.unit.stitching.test_alerts import LEARNT, Watching, break_of, calm, votes


def hard_run(*minutes: int, reason: str = "http_5xx", count: int = 3) -> list[Votes]:
    return [
        votes(minute, count, count, reasons={reason: count}, touchpoints=("t",))
        for minute in minutes
    ]


BUSY = msgspec.structs.replace(RULES, alerts=AlertRules(usual_share=0.2, usual_share_min=0.2))


def hear_busy(*heard: Votes) -> list[Alert]:
    """What is told of a touchpoint where one in five always breaks, so that evidence is slow."""
    state, told = Watched("view-bill"), []
    for one in [*(votes(minute, 5, 1) for minute in range(30)), *heard]:
        told += [message.record for message in alerts.observe(state, [one], BUSY).results]
    return [one for one in told if isinstance(one, Alert)]


def test_a_run_of_one_hard_reason_fires_before_the_evidence_does():
    needed = run_of(weights_of(0.2, 0.5), threshold_of(BUSY.alerts))
    minutes = range(30, 30 + ceil(needed / 5))

    (alert, *_) = hear_busy(*hard_run(*minutes, count=5))

    assert alert.state == "firing"
    assert alert.evidence < alert.threshold


@pytest.mark.parametrize("spoils", [{"votes": 6}, {"reasons": {"crash": 5}}, {"customers": 1}])
def test_a_sound_vote_another_reason_or_the_same_customers_again_end_a_run(spoils):
    needed = run_of(weights_of(0.2, 0.5), threshold_of(BUSY.alerts))
    heard = hard_run(*range(30, 30 + ceil(needed / 5)), count=5)
    heard[len(heard) // 2] = msgspec.structs.replace(heard[len(heard) // 2], **spoils)

    assert [one for one in hear_busy(*heard) if one.evidence < one.threshold] == []


@pytest.mark.parametrize(
    ("usual", "day", "votes_needed"),
    [(0.005, 7200.0, 5), (0.02, 7200.0, 6), (0.08, 7200.0, 10), (0.08, 72000.0, 11)],
)
def test_a_run_is_as_long_as_chance_hardly_ever_makes_one(usual, day, votes_needed):
    assert run_of(weights_of(usual, 0.25, day), threshold_of(AlertRules())) == votes_needed


def test_what_breaks_because_of_what_it_needs_is_within_that_alert():
    inventory = Inventory(
        tuple(
            msgspec.structs.replace(entry, needs=("pay-online",))
            if entry.id == "view-bill"
            else entry
            for entry in RULES.inventory.entries.values()
        )
    )
    needing = msgspec.structs.replace(
        RULES, inventory=inventory, alerts=AlertRules(usual_share=0.01)
    )
    told: list[Alert] = []
    states: dict[str, Watched | None] = {"pay-online": None, "view-bill": None}

    def take(message: Message) -> None:
        change = WATCH.step(states.get(message.key), message.key, message, None, needing)
        states[message.key] = change.state
        for sent in change.results:
            if isinstance(sent.record, Alert):
                told.append(sent.record)
            elif sent.key in states:
                take(sent)

    for name, first in (("pay-online", 30), ("view-bill", 33)):
        for minute in range(60):
            bad = 4 if first <= minute < 45 else 0
            take(Message("votes", name, votes(minute, 6, bad, touchpoint=name)))
        if name == "pay-online":
            root = told[0].id

    assert told[0].within is None
    own = [one for one in told if one.touchpoint == "view-bill"]
    assert own[0].state == "firing"
    assert own[0].within is None  # the other one had been mended by the time these votes came

    told.clear()
    states |= {"pay-online": None, "view-bill": None}
    for minute in range(45):
        for name, first in (("pay-online", 30), ("view-bill", 33)):
            bad = 4 if first <= minute else 0
            take(Message("votes", name, votes(minute, 6, bad, touchpoint=name)))
    assert {one.within for one in told if one.touchpoint == "view-bill"} == {root}


def test_an_alert_that_fired_first_joins_that_of_what_it_needs_when_it_comes():
    watching = Watching("view-bill").hear(*calm(*range(30)), *break_of(30, 31, 32))
    fault = Fault(touchpoint="pay-online", alert="root")

    change = alerts.hear(watching.state, fault, LEARNT)

    (joined,) = [message.record for message in change.results]
    assert isinstance(joined, Alert)
    assert (joined.within, joined.version) == ("root", watching.alerts[-1].version + 1)
    assert alerts.hear(watching.state, fault, LEARNT).results == []


def test_the_words_of_a_fault_are_kept_until_it_ends_and_then_forgotten():
    fault = Fault(touchpoint="pay-online", alert="root")

    told = alerts.hear(Watched("view-bill"), fault, LEARNT)
    assert told.state is not None
    assert alerts.due_at(told.state, LEARNT) is None
    ended = msgspec.structs.replace(fault, alert=None)
    assert alerts.hear(told.state, ended, LEARNT).state is None


def test_a_break_for_one_mission_is_not_told_again_for_all_once_its_votes_are_an_hour_old():
    watching = Watching()
    for minute in range(0, 400, 6):
        bad = 1 if 120 <= minute < 180 else 0
        watching.hear(votes(minute, 1, bad, "pay-bill"), votes(minute, 1, bad))

    assert {one.mission for one in watching.alerts} == {"pay-bill"}
    assert watching.alerts[-1].state == "resolved"
