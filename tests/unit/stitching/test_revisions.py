from datetime import timedelta

import msgspec
import pytest

from pipeline.stitching.missions import Missions
from pipeline.stitching.rules import Rules
from tests.builders import (
    INVENTORY,
    NO_MISSIONS,
    PAY_BILL,
    RULES,
    Results,
    at,
    engine,
    process,
    restarted,
    touchpoint,
)


def test_a_repeat_sends_no_result() -> None:
    first = touchpoint("10:00", id="1")

    once, twice = process([first], NO_MISSIONS), process([first, first], NO_MISSIONS)

    assert twice.revisions() == once.revisions()


def test_what_did_not_change_is_not_sent_again() -> None:
    early = [touchpoint("08:00", id="1"), touchpoint("10:00", id="2")]
    late = touchpoint("10:10", id="0", arrives="12:00")

    told = process([*early, late], NO_MISSIONS)

    assert [m for m in told.revisions() if m[1] == "shop/1"] == [("verdicts", "shop/1", 1)]


def test_a_login_moves_results_to_the_survivor_under_their_ids() -> None:
    anonymous = touchpoint("10:00", id="1", anonymous_id="a")
    login = touchpoint("10:05", id="2", anonymous_id="a", user_id="ann")

    before = process([anonymous], NO_MISSIONS)
    after = process([anonymous, login], NO_MISSIONS)

    assert set(after.live_sessions) == set(before.live_sessions)
    assert after.verdicts["1"].customer == after.verdicts["2"].customer
    assert after.verdicts["1"].revision == 2


def test_a_session_whose_opener_leaves_keeps_its_id_and_what_stays_opens_another() -> None:
    ann = touchpoint("10:00", id="1", anonymous_id="a", user_id="ann")
    nobody = touchpoint("10:05", id="2", anonymous_id="a")
    bob = touchpoint("10:03", id="3", anonymous_id="a", user_id="bob", arrives="10:06")

    told = process([ann, nobody, bob], NO_MISSIONS)

    assert told.verdicts["2"].session_id == told.verdicts["3"].session_id
    assert told.verdicts["1"].session_id != told.verdicts["2"].session_id


@pytest.mark.parametrize("order", [1, -1], ids=["earlier first", "later first"])
def test_of_two_under_one_id_the_earlier_stands_whichever_came_first(order: int) -> None:
    earlier = touchpoint("10:00", id="1", arrives="10:30")
    later = touchpoint("10:20", "slow", id="1", arrives="10:30")

    told = process([earlier, later][::order], NO_MISSIONS)

    (session,) = told.live_sessions.values()
    assert (session.count, session.started_at) == (1, earlier.occurred_at)
    assert told.verdicts["1"].reasons == ()


def test_a_customer_of_very_many_touchpoints_is_told_in_full_though_not_all_are_kept() -> None:
    bounded = msgspec.structs.replace(RULES, touchpoints_max=20)
    visit = [
        touchpoint("10:00", name="view-bill", id="000"),
        *(touchpoint(f"10:{n // 60:02d}:{n % 60:02d}", id=f"{n:03d}") for n in range(1, 90)),
    ]
    running = engine(bounded)

    told = process(visit, bounded, running=running)

    (session,) = told.live_sessions.values()
    (journey,) = told.live_journeys.values()
    assert (session.count, session.verdicts.functional) == (90, 90)
    assert (journey.verdicts.functional, journey.microjourney) == (90, ("view-bill", "other"))


def test_the_wall_clock_closes_sessions_when_touchpoints_stop_coming() -> None:
    running = engine(NO_MISSIONS)
    running.process(touchpoint("10:00", id="1"))

    running.tick(at("10:32"))
    quiet = Results(list(running.outbox))
    running.tick(at("10:32:01"))

    assert [one.state for one in quiet.sessions.values()] == ["open"]
    assert [one.state for one in Results(running.outbox).sessions.values()] == ["closed"]


def test_a_journey_with_long_patience_is_corrected_for_as_long() -> None:
    patient = Rules(
        inventory=INVENTORY,
        missions=Missions((msgspec.structs.replace(PAY_BILL, patience=timedelta(days=7)),)),
    )
    looking = touchpoint("10:00", id="1", name="view-bill")
    others = [touchpoint("10:00", id=f"o {n}", anonymous_id="o", day=3) for n in range(40)]
    late = touchpoint("12:00", id="2", location="/paid")

    told = process([looking, *others, late], patient)

    assert told.dead_letters() == []
    assert told.journeys[str(told.verdicts["1"].journey_id)].outcome == "completed"


def test_a_state_that_was_folded_under_another_catalogue_is_folded_anew() -> None:
    looking = touchpoint("10:00", id="1", name="view-bill")
    running = engine(msgspec.structs.replace(NO_MISSIONS, fingerprint="before"))
    running.process(looking)

    told = process(
        [touchpoint("10:05", id="2", location="/paid")],
        RULES,
        running=restarted(running, msgspec.structs.replace(RULES, fingerprint="after")),
    )

    assert [one.outcome for one in told.live_journeys.values()] == ["completed"]
    assert told.verdicts["1"].mission == "pay-bill"
