"""The laws of stitching: what stays true whatever happens, in whatever order it arrives.

Contents are compared with the oracle's (`tests/oracle`), never ids and revisions: those tell how
a result came about and may depend on arrival.
"""

from collections import Counter
from datetime import timedelta
from random import Random

import msgspec
from hypothesis import strategies as st

from pipeline.runtimes.engine import Engine
from pipeline.stitching.customer import Arriving, observe
from pipeline.stitching.kept import CustomerState, interaction_of
from pipeline.stitching.rules import VerdictRules
from schemas.controls import Interaction
from tests.builders import RULES, arriving, contents, process, restarted
from tests.oracle.contents import contents_of
from tests.oracle.verdicts import BLAMES
from tests.properties.catalogues import catalogue
from tests.properties.laws import law
from tests.properties.stories import (
    Story,
    hasty_stories,
    insisting_stories,
    long_stories,
    numbered_stories,
    ringing_stories,
)

CHANCE = st.randoms(use_true_random=False)
QUICK = msgspec.structs.replace(
    RULES,
    verdicts=VerdictRules(machine_touchpoints=2, machine_window=timedelta(minutes=1)),
)
"""Rules by which whoever does three things in a minute is a machine."""


@law()
def test_what_comes_in_order_comes_out_as_the_oracle_says(story: Story) -> None:
    told = process(story.touchpoints)

    assert contents(told) == contents_of(story.touchpoints, RULES)


@law()
def test_delays_and_disorder_do_not_change_what_is_true_in_the_end(story: Story) -> None:
    told = process(story.arrivals)

    assert contents(told) == contents_of(story.touchpoints, RULES)


@law(CHANCE)
def test_links_come_out_the_same_in_any_order_at_all(story: Story, chance: Random) -> None:
    shuffled = chance.sample(story.touchpoints, k=len(story.touchpoints))

    told = process(arriving(shuffled))

    assert contents(told) == contents_of(story.touchpoints, RULES)


@law()
def test_a_repeat_changes_nothing_wherever_it_comes(story: Story) -> None:
    told = process(story.repeated)

    assert contents(told) == contents_of(story.touchpoints, RULES)


@law(CHANCE)
def test_whatever_missions_a_catalogue_has_the_oracle_agrees(story: Story, chance: Random) -> None:
    rules = catalogue(chance)
    shuffled = chance.sample(story.touchpoints, k=len(story.touchpoints))
    expected = contents_of(story.touchpoints, rules)

    assert contents(process(story.touchpoints, rules)) == expected
    assert contents(process(arriving(shuffled), rules)) == expected


@law(CHANCE, story=ringing_stories())
def test_so_it_does_over_weeks_and_whatever_comes_late(story: Story, chance: Random) -> None:
    rules = catalogue(chance)

    def look(running: Engine, number: int) -> Engine:
        running.tick(story.repeated[number].received_at)
        return running

    told = process(story.repeated, rules, between=look)

    assert told.dead_letters() == []
    assert contents(told) == contents_of(story.touchpoints, rules)


@law(story=insisting_stories())
def test_what_is_counted_is_counted_as_the_oracle_counts(story: Story) -> None:
    told = process(story.repeated)

    assert contents(told) == contents_of(story.touchpoints, RULES)


@law(CHANCE, story=numbered_stories())
def test_numbers_order_a_session_as_the_oracle_says_in_whatever_order_they_arrive(
    story: Story, chance: Random
) -> None:
    shuffled = chance.sample(story.touchpoints, k=len(story.touchpoints))

    assert contents(process(story.touchpoints)) == contents_of(story.touchpoints, RULES)
    assert contents(process(arriving(shuffled))) == contents_of(story.touchpoints, RULES)


@law(CHANCE, story=numbered_stories())
def test_a_repeat_changes_nothing_when_older_sessions_have_been_let_go_of(
    story: Story, chance: Random
) -> None:
    older = [
        msgspec.structs.replace(
            one, id=f"old {one.id}", occurred_at=(at := one.occurred_at - timedelta(days=3)),
            received_at=at, session_hint=None, sequence=None,
        )
        for one in story.touchpoints
    ]  # fmt: skip
    quiet = story.touchpoints[-1].occurred_at + timedelta(hours=4)
    repeats = arriving(chance.sample(story.touchpoints, k=len(story.touchpoints)), quiet)
    came = [*older, *story.touchpoints]

    def look(running: Engine, number: int) -> Engine:
        if number != len(came):
            return running
        running.tick(quiet)
        return restarted(running)

    told = process([*came, *repeats], between=look)

    assert told.dead_letters() == []
    assert contents(told) == contents_of(came, RULES)


@law(CHANCE, story=hasty_stories())
def test_machines_are_kept_and_judged_by_nobody_as_the_oracle_says(
    story: Story, chance: Random
) -> None:
    shuffled = chance.sample(story.touchpoints, k=len(story.touchpoints))
    expected = contents_of(story.touchpoints, QUICK)

    assert contents(process(story.touchpoints, QUICK)) == expected
    assert contents(process(story.repeated, QUICK)) == expected
    assert contents(process(arriving(shuffled), QUICK)) == expected


@law(story=long_stories())
def test_days_of_silence_split_and_end_as_the_oracle_says(story: Story) -> None:
    told = process(story.touchpoints)

    assert contents(told) == contents_of(story.touchpoints, RULES)


@law(story=long_stories())
def test_what_comes_within_the_revision_window_still_counts(story: Story) -> None:
    told = process(story.repeated)

    assert told.dead_letters() == []
    assert contents(told) == contents_of(story.touchpoints, RULES)


@law(story=ringing_stories())
def test_calls_and_returns_blame_whom_the_oracle_blames(story: Story) -> None:
    told = process(story.touchpoints)

    assert contents(told) == contents_of(story.touchpoints, RULES)


@law(story=ringing_stories())
def test_they_do_so_whatever_comes_late_and_twice_and_however_far_time_has_passed(
    story: Story,
) -> None:
    def look(running: Engine, number: int) -> Engine:
        running.tick(story.repeated[number].received_at)
        return running

    told = process(story.repeated, between=look)

    assert told.dead_letters() == []
    assert contents(told) == contents_of(story.touchpoints, RULES)


@law(story=ringing_stories())
def test_a_contact_blames_at_most_one_other_and_none_but_an_earlier_one(story: Story) -> None:
    told = process(story.touchpoints)

    blamers = Counter(
        (one.mission, one.occurred_at + timedelta(seconds=float(str(reason.value))))
        for one in told.judged.values()
        for reason in one.reasons
        if reason.rule in BLAMES
    )
    began = Counter((one.mission, one.occurred_at) for one in told.judged.values())
    assert all(count <= began[contact] for contact, count in blamers.items())


@law(st.sets(st.integers(0, 30)))
def test_a_restart_at_any_point_changes_no_message(story: Story, at: set[int]) -> None:
    def crash(running: Engine, number: int) -> Engine:
        return restarted(running) if number in at else running

    told = process(story.repeated, between=crash)

    assert told.sent == process(story.repeated).sent


@law(st.sets(st.integers(0, 30)))
def test_looking_at_the_clock_at_any_moment_changes_nothing_in_the_end(
    story: Story, at: set[int]
) -> None:
    def look(running: Engine, number: int) -> Engine:
        if number in at:
            running.tick(story.arrivals[number].received_at)
        return running

    told = process(story.arrivals, between=look)

    assert contents(told) == contents_of(story.touchpoints, RULES)


@law()
def test_the_same_arrivals_send_the_same_messages(story: Story) -> None:
    assert process(story.repeated).sent == process(story.repeated).sent


@law()
def test_every_touchpoint_is_in_exactly_one_session(story: Story) -> None:
    told = process(story.repeated)

    counted = sum(one.count for one in told.live_sessions.values())
    kept = {one.ref for one in story.touchpoints if "identity_only" not in one.signals}
    assert set(told.judged) == kept
    assert set(told.members("session_id")) == set(told.live_sessions)
    assert counted == len(kept)


@law()
def test_every_touchpoint_of_a_journey_is_in_exactly_one_that_stands(story: Story) -> None:
    told = process(story.repeated)

    assert set(told.members("journey_id")) == set(told.live_journeys)
    for one in told.judged.values():
        if one.journey_id is not None:
            assert told.journeys[one.journey_id].mission == one.mission


@law()
def test_revisions_count_up_from_one_without_a_gap(story: Story) -> None:
    told = process(story.repeated)

    known: dict[tuple[str, str], int] = {}
    for topic, name, revision in told.revisions():
        assert revision == known.get((topic, name), 0) + 1, (topic, name)
        known[topic, name] = revision


@law()
def test_no_result_holds_another_customers_touchpoint(story: Story) -> None:
    told = process(story.repeated)

    for one in told.judged.values():
        assert told.sessions[one.session_id].customer == one.customer
        if one.journey_id is not None:
            assert told.journeys[one.journey_id].customer == one.customer


@law()
def test_what_was_absorbed_names_who_took_it_over(story: Story) -> None:
    told = process(story.repeated)

    for session in told.sessions.values():
        if session.state == "absorbed":
            assert session.absorbed_by in told.sessions
            assert session.absorbed_by != session.session_id
    for journey in told.journeys.values():
        if journey.outcome == "absorbed" and journey.absorbed_by is not None:
            assert journey.absorbed_by != journey.journey_id


@law()
def test_in_the_end_nothing_is_left_open(story: Story) -> None:
    told = process(story.repeated)

    assert {one.state for one in told.live_sessions.values()} <= {"closed"}
    ended = {"completed", "frustrated", "abandoned"}
    assert {one.outcome for one in told.live_journeys.values()} <= ended


@law()
def test_the_watermark_never_goes_back(story: Story) -> None:
    seen = []

    def look(running: Engine, number: int) -> Engine:
        if number % 5 == 4:
            running.tick(story.repeated[number].received_at - timedelta(minutes=number % 3))
        if running.watermark is not None:
            seen.append(running.watermark)
        return running

    process(story.repeated, between=look)

    assert seen == sorted(seen)


@law(CHANCE)
def test_what_comes_in_batches_is_told_as_one_by_one(story: Story, chance: Random) -> None:
    ordered = list(story.touchpoints)
    singly, together = CustomerState(customer="c"), CustomerState(customer="c")

    for one in ordered:
        singly = observe(singly, interaction_of(one, "d", (), RULES), RULES).state
    while ordered:
        batch, ordered = ordered[: (size := chance.randint(1, 6))], ordered[size:]
        arriving = Arriving(together, RULES)
        for one in batch:
            arriving.touchpoint(interaction_of(one, "d", (), RULES))
        together = arriving.settled().state

    assert [told_of(one, together) for one in together.tail] == [
        told_of(one, singly) for one in singly.tail
    ]


def told_of(one: Interaction, state: CustomerState) -> tuple[object, ...]:
    journey = state.picture.journeys[one.journey].mission if one.journey >= 0 else None
    return one.ref, one.session, one.journey, journey, one.verdict, one.reasons
