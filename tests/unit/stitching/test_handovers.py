"""Hand-overs: what a customer that ceases to be gives to the one that remains."""

from datetime import timedelta
from uuid import uuid5

import msgspec
import pytest

from pipeline.stitching.handovers import HANDOVER_MAX
from pipeline.stitching.ids import NAMESPACE
from schemas.controls import Handover
from schemas.records import Touchpoint
from tests.builders import MIDNIGHT, NO_MISSIONS, Results, engine, process, touchpoint


def visits(count: int) -> list[Touchpoint]:
    """Of one browser, in a session of its own each ten seconds."""
    seen = touchpoint("00:00", anonymous_id="laptop")
    return [
        msgspec.structs.replace(seen, id=f"{n:04}", occurred_at=at, received_at=at)
        for n in range(count)
        for at in [MIDNIGHT + n * timedelta(seconds=10)]
    ]


def test_more_than_a_thousand_touchpoints_travel_in_pieces() -> None:
    rules = msgspec.structs.replace(NO_MISSIONS, touchpoints_max=10_000)
    running = engine(rules)
    for one in visits(HANDOVER_MAX + 1):
        running.process(one)
    running.outbox.clear()

    running.process(touchpoint("03:00", id="login", anonymous_id="laptop", user_id="ann"))

    told = Results(list(running.outbox))
    sent = [one for one in told.records("customer-touchpoints") if isinstance(one, Handover)]
    assert [len(one.interactions) for one in sent] == [HANDOVER_MAX, 1]
    assert len(told.members("customer")[told.verdicts["login"].customer]) == HANDOVER_MAX + 2


def test_a_customers_id_is_derived_from_their_strongest_identifier() -> None:
    seen = touchpoint("10:00", id="1", anonymous_id="laptop")
    login = touchpoint("10:01", id="2", anonymous_id="laptop", email="e", user_id="ann")

    alone, both = process([seen], NO_MISSIONS), process([seen, login], NO_MISSIONS)

    assert alone.verdicts["1"].customer == str(uuid5(NAMESPACE, "customer|anonymous_id:laptop"))
    assert both.verdicts["1"].customer == str(uuid5(NAMESPACE, "customer|user_id:ann"))


def test_a_customer_that_was_absorbed_passes_on_what_still_reaches_it() -> None:
    running = engine(NO_MISSIONS)
    email = touchpoint("10:00", id="1", email="e")
    running.process(email)
    running.process(touchpoint("10:01", id="2", user_id="ann", email="e"))

    told = process([touchpoint("10:02", id="3", email="e")], running=running)

    assert len(told.members("customer")) == 1


@pytest.mark.parametrize("shown", [{"email": "e-5"}, {"phone": "p-5"}])
def test_what_shows_one_identifier_too_many_still_flows(shown: dict[str, str]) -> None:
    told = process(
        [
            touchpoint(f"10:0{n}", id=f"{n}", user_id="ann", email=f"e-{n}")
            for n in range(5)
        ]
        + [touchpoint("10:10", id="one more", user_id="ann", **shown)],
        NO_MISSIONS,
    )  # fmt: skip

    assert told.dead_letters() == ["identifier_cap"]
    assert told.verdicts["one more"].customer == told.verdicts["0"].customer


def test_what_was_let_go_of_stays_where_it_is_and_only_later_touchpoints_follow_a_merge() -> None:
    running = engine(NO_MISSIONS)
    running.process(touchpoint("10:00", id="old", anonymous_id="laptop"))
    running.tick(touchpoint("10:00", day=3).occurred_at)
    running.process(touchpoint("10:00", id="new", day=3, anonymous_id="laptop"))

    told = process(
        [touchpoint("10:01", id="login", day=3, anonymous_id="laptop", user_id="ann")],
        running=running,
    )

    ann = told.verdicts["login"].customer
    assert told.verdicts["new"].customer == ann
    assert told.members("customer")[ann] == {"new", "login"}
