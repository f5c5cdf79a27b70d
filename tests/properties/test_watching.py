"""The laws of watching: what stays true of votes and alerts in whatever order things arrive."""

from collections import Counter
from datetime import datetime, timedelta
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtimes.engine import Engine
from pipeline.stitching import alerts, presences
from pipeline.stitching.presences import Presences
from pipeline.stitching.rules import AlertRules
from pipeline.stitching.watched import Watched
from pipeline.topology import WATCH
from schemas.controls import Presence
from schemas.records import Alert, Verdict, Votes
from tests.builders import RULES, Results, at, engine, process, restarted
from tests.oracle.verdicts import BLAMES
from tests.properties.laws import law
from tests.properties.stories import Story

# A fleet of one series and a generous budget: short stories raise alerts, too.
EAGER = msgspec.structs.replace(RULES, alerts=AlertRules(series=1, false_alarms_a_day=10))
CHANCE = st.randoms(use_true_random=False)
attempt = settings(max_examples=200, deadline=None, database=None, derandomize=True)


def totals(votes: list[Votes]) -> Counter[tuple[str, str | None, datetime, str]]:
    """The last totals of each series and minute, by what they count; none where they are none."""
    last = {(one.touchpoint, one.mission, one.minute): one for one in votes}
    found: Counter[tuple[str, str | None, datetime, str]] = Counter()
    for at_, one in last.items():
        for name in ("votes", "broken", "customers"):
            found[*at_, name] = getattr(one, name)
        for rule, count in one.reasons.items():
            found[*at_, rule] = count
    return +found


def heard_of_by(told: Results) -> Counter[tuple[str, str | None, datetime, str]]:
    """Votes for sources: of each session that was judged one, when that was heard of first."""
    first: dict[tuple[str, str], datetime] = {}
    for one in told.judged.values():
        if one.verdict is not None:
            key = (one.session_id, f"source {one.source}")
            first[key] = min(one.occurred_at, first.get(key, one.occurred_at))
    return Counter((source, None, minute(when), "votes") for (_, source), when in first.items())


def cast_by(told: Results) -> Counter[tuple[str, str | None, datetime, str]]:
    """The same, counted plainly from the verdicts that stand in the end."""
    found: Counter[tuple[str, str | None, datetime, str]] = Counter()
    sessions: dict[tuple[str, str, str, str | None], list[Verdict]] = {}
    for one in told.judged.values():
        if one.verdict is not None:
            for mission in {one.mission, None}:
                name = (one.customer, one.session_id, one.touchpoint, mission)
                sessions.setdefault(name, []).append(one)
    broke: dict[tuple[str, str, str | None], list[tuple[datetime, str, Verdict]]] = {}
    for (customer, _, touchpoint, mission), ones in sessions.items():
        ones.sort(key=lambda one: (one.occurred_at, one.id, one.source))
        broken = [one for one in ones if one.verdict == "broken"]
        leaks = [one for one in broken if one.reasons[0].rule in BLAMES]
        hard = [one for one in broken if one not in leaks]
        decided = broke.setdefault((customer, touchpoint, mission), [])
        if hard:
            decided.append((hard[0].occurred_at, hard[0].id, hard[0]))
            continue
        found[touchpoint, mission, minute(ones[0].occurred_at), "votes"] += 1
        for one in leaks[:1]:
            waited = one.reasons[0].value
            assert isinstance(waited, float)
            decided.append((one.occurred_at + timedelta(seconds=waited), one.id, one))
    for (_, touchpoint, mission), votes in broke.items():
        votes.sort(key=lambda vote: vote[:2])
        for number, (when, _, one) in enumerate(votes):
            names = ["votes", "broken", *{reason.rule for reason in one.reasons}]
            if not number or when - votes[number - 1][0] > timedelta(hours=1):
                names.append("customers")
            for name_ in names:
                found[touchpoint, mission, minute(when), name_] += 1
    return found


def minute(when: datetime) -> datetime:
    return when.replace(second=0, microsecond=0)


FOREVER = msgspec.structs.replace(RULES, alerts=AlertRules(kept=timedelta(days=2)))
"""Rules under which no minute is too old to be corrected."""


@law()
def test_totals_are_those_of_the_verdicts_that_stand_in_the_end(story: Story) -> None:
    running = engine(FOREVER)
    told = process(story.repeated, FOREVER, running=running)

    expected = cast_by(told) + heard_of_by(told)
    found = totals(told.records("votes"))
    # What only the end of all time breaks comes later than anything is kept.
    late = {touchpoint for touchpoint, _, _, rule in expected if rule == "step_not_reached"}
    for counts in (expected, found):
        for key in [key for key in counts if key[0] in late]:
            del counts[key]
    assert found == expected


@law(st.sets(st.integers(0, 30)))
def test_a_restart_at_any_point_changes_no_vote_and_no_alert(story: Story, at: set[int]) -> None:
    def crash(running: Engine, number: int) -> Engine:
        return restarted(running, EAGER) if number in at else running

    told = process(story.repeated, EAGER, between=crash)

    plain = process(story.repeated, EAGER)
    assert told.records("votes") == plain.records("votes")
    assert told.records("touchpoint-alerts") == plain.records("touchpoint-alerts")


TEN = at("10:00")
HEARD = st.tuples(
    st.integers(0, 40), st.sampled_from((0, 1)), st.integers(0, 8), st.integers(0, 8)
)  # minute, partition, sound, broken


def heard(minute: int, partition: int, sound: int, broken: int) -> Votes:
    return Votes(
        touchpoint="pay-online",
        mission=None,
        minute=TEN + timedelta(minutes=minute),
        partition=partition,
        votes=sound + broken,
        broken=broken,
        customers=broken,
        reasons={"crash": broken} if broken else {},
        at=TEN + timedelta(minutes=minute),
        variants={"release=5": (sound + broken, broken)} if sound + broken else {},
    )


SENDS = {"view-bill": ("shop",), "pay-online": ("app", "shop"), "pay-in-app": ("app",)}
SAID = st.tuples(
    st.sampled_from(("view-bill", "pay-online", "pay-in-app", "source shop", "source app")),
    st.integers(0, 30),  # minutes since it was heard last
    st.booleans(),  # whether it is silent now
)


def presences_after(
    drawn: list[tuple[str, int, bool]], times: int, restarts: Random | None
) -> tuple[Presences, list[Alert]]:
    """What is known, and was told, after each word was said so many times."""
    state, told, heard, now = Presences(), list[Alert](), dict[str, int](), 0
    for touchpoint, ago, silent in drawn:
        now += 7
        last = heard[touchpoint] = max(heard.get(touchpoint, 0), now - ago)
        said = Presence(touchpoint=touchpoint, heard=last, window=10, at=now if silent else 0,
                        silent=last if silent else -1, expected=40.0, evidence=15.0,
                        sources=SENDS.get(touchpoint, ()))  # fmt: skip
        for _ in range(times):
            change = presences.hear(state, said, RULES)
            told += [one.record for one in change.results if isinstance(one.record, Alert)]
            state = change.state
            if restarts is not None and restarts.random() < 0.5:
                state = WATCH.decode(WATCH.encode(state))
    return state, told


@attempt
@given(st.lists(SAID, max_size=30), CHANCE)
def test_words_of_presence_repeated_and_restarts_among_them_change_nothing(
    drawn: list[tuple[str, int, bool]], chance: Random
) -> None:
    state, told = presences_after(drawn, 1, None)

    again, told_again = presences_after(drawn, 2, chance)

    assert again == state
    assert told_again == told
    last: dict[str, Alert] = {}
    for alert in told:
        before = last.get(alert.id)
        assert alert.version == (before.version + 1 if before else 1)
        assert (alert.state == "firing") != (before is not None and before.state == "firing")
        last[alert.id] = alert


@attempt
@given(st.lists(SAID, max_size=30))
def test_who_was_heard_of_last_is_never_silent_nor_a_touchpoint_when_its_source_is(
    drawn: list[tuple[str, int, bool]],
) -> None:
    state, told = presences_after(drawn, 1, None)

    for name, one in state.told.items():
        if one.state == "firing" and name in state.present:
            assert state.present[name].heard < one.since
            sources = [other for other in state.present if other.startswith("source ")]
            assert any(state.present[source].heard > one.since for source in sources)
    silent: set[str] = set()
    for alert in told:
        if alert.version == 1:
            assert not silent & {f"source {source}" for source in SENDS.get(alert.touchpoint, ())}
        silent = (
            (silent | {alert.touchpoint})
            if alert.state == "firing"
            else silent - {alert.touchpoint}
        )


BEFORE = [heard(minute - 30, 0, 5, 0) for minute in range(30)]


def after(votes: list[Votes], at_once: int = 1) -> Watched:
    """What is known behind these votes, taken so many at once, and then some minutes."""
    state = alerts.observe(Watched("pay-online"), BEFORE, EAGER).state
    for start in range(0, len(votes), at_once):
        state = alerts.observe(state, votes[start : start + at_once], EAGER).state
    end = alerts.expire(state, TEN + timedelta(minutes=49), EAGER).state
    assert end is not None
    return end


def growing(last: Votes, chance: Random) -> list[Votes]:
    """Running totals on their way to the last ones, some of them said twice."""
    steps = sorted(chance.random() for _ in range(chance.randint(0, 2)))
    told = [
        heard(
            (last.minute - TEN) // timedelta(minutes=1),
            last.partition,
            round((last.votes - last.broken) * step),
            round(last.broken * step),
        )
        for step in (*steps, 1.0)
    ]
    return [one for one in told for _ in range(chance.randint(1, 2))]


def crossing(votes: list[Votes], chance: Random) -> list[Votes]:
    """In any order, but for what one partition says of one minute."""
    said = [growing(one, chance) for one in votes]
    order = [number for number, ones in enumerate(said) for _ in ones]
    chance.shuffle(order)
    waiting = [iter(ones) for ones in said]
    return [next(waiting[number]) for number in order]


@attempt
@given(st.lists(HEARD, max_size=20), CHANCE)
def test_votes_in_any_order_and_repeated_end_in_the_same_alarm(
    drawn: list[tuple[int, int, int, int]], chance: Random
) -> None:
    known = {(minute, partition): heard(minute, partition, *n) for minute, partition, *n in drawn}
    votes = sorted(known.values(), key=lambda one: one.minute)

    one, other = (end.series[""] for end in (
        after(votes), after(crossing(votes, chance), chance.choice((1, 3, 20)))
    ))  # fmt: skip

    for name, value in msgspec.structs.asdict(one.closed).items():
        # A minute without votes that is told of is multiplied with one, any other is added to.
        assert getattr(other.closed, name) == pytest.approx(value, rel=1e-9), name
    fires = [s.told is not None and s.told.state == "firing" for s in (one, other)]
    assert fires[0] == fires[1] == one.closed.firing


BREAKING = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=8)
"""Sound and broken votes of some minutes, which come again and again."""


@settings(attempt, max_examples=50)
@given(st.lists(BREAKING, min_size=1, max_size=3), CHANCE)
def test_a_restart_between_any_two_votes_changes_no_alert(
    drawn: list[list[tuple[int, int]]], chance: Random
) -> None:
    minutes = [votes for spell in drawn for votes in spell * 3]

    def told(restarts: float) -> list[Alert]:
        state, alerts_ = Watched("pay-online"), []
        for minute_, (sound, broken) in enumerate(minutes):
            for partition in (0, 1):
                votes = heard(minute_, partition, sound, broken)
                change = alerts.observe(state, [votes], EAGER)
                alerts_ += [one.record for one in change.results]
                state = change.state
                if chance.random() < restarts:
                    state = WATCH.decode(WATCH.encode(state))
        return [one for one in alerts_ if isinstance(one, Alert)]

    assert told(0.5) == told(0.0)


@attempt
@given(st.lists(HEARD, max_size=40), CHANCE)
def test_versions_count_up_from_one_and_nothing_fires_that_fires(
    drawn: list[tuple[int, int, int, int]], chance: Random
) -> None:
    state, told = Watched("pay-online"), []
    for step, (minute_, partition, sound, broken) in enumerate(drawn):
        votes = heard(minute_ + step, partition, sound, broken)
        change = alerts.observe(state, [votes], EAGER)
        told += change.results
        looked = alerts.expire(change.state, votes.minute + timedelta(minutes=1), EAGER)
        told += looked.results
        assert looked.state is not None
        state = WATCH.decode(WATCH.encode(looked.state)) if chance.random() < 0.3 else looked.state

    last: dict[str, Alert] = {}
    for message in told:
        alert = message.record
        if not isinstance(alert, Alert):
            continue
        before = last.get(alert.id)
        assert alert.version == (before.version + 1 if before else 1)
        if before is None:
            assert alert.state == "firing"
            assert all(one.state != "firing" for one in last.values())
        elif alert.state != "firing":
            assert before.state == "firing"
        last[alert.id] = alert
