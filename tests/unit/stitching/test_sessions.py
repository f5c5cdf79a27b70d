from datetime import timedelta

import msgspec
import pytest

from pipeline.stitching.rules import VerdictRules
from tests.builders import NO_MISSIONS, RULES, Results, engine, process, touchpoint

Groups = set[frozenset[str]]


def sessions(*touchpoints: object) -> Groups:
    return groups_of(process(touchpoints, NO_MISSIONS))  # type: ignore[arg-type]


def groups_of(told: Results) -> Groups:
    return set(told.members("session_id").values())


def together(*ids: str) -> frozenset[str]:
    return frozenset(ids)


@pytest.mark.parametrize("channel", ["web", "app", "chatbot", "ivr", "agent", "survey"])
def test_a_silence_of_exactly_the_gap_continues_a_session(channel: str) -> None:
    first = touchpoint("10:00", id="1", channel=channel)
    second = touchpoint("10:30", id="2", channel=channel)

    assert sessions(first, second) == {together("1", "2")}


@pytest.mark.parametrize("channel", ["web", "app", "chatbot", "ivr", "agent", "survey"])
def test_a_second_more_begins_another(channel: str) -> None:
    first = touchpoint("10:00", id="1", channel=channel)
    second = touchpoint("10:30:01", id="2", channel=channel)

    assert sessions(first, second) == {together("1"), together("2")}


def test_each_channel_has_a_session_of_its_own() -> None:
    web = touchpoint("10:00", id="1")
    app = touchpoint("10:01", id="2", channel="app")

    assert sessions(web, app) == {together("1"), together("2")}


def test_two_devices_of_one_customer_are_two_sessions() -> None:
    laptop = touchpoint("10:00", id="1", anonymous_id="laptop", user_id="ann")
    phone = touchpoint("10:01", id="2", anonymous_id="phone", user_id="ann")

    told = process([laptop, phone], NO_MISSIONS)

    assert groups_of(told) == {together("1"), together("2")}
    assert len(told.members("customer")) == 1


def test_a_supplied_id_is_honoured_whatever_the_silence() -> None:
    first = touchpoint("00:00", id="1", session_hint="s")
    second = touchpoint("00:00", id="2", session_hint="s", day=1)

    assert sessions(first, second) == {together("1", "2")}


def test_and_no_longer_than_a_day() -> None:
    first = touchpoint("00:00", id="1", session_hint="s")
    second = touchpoint("00:00:01", id="2", session_hint="s", day=1)

    assert sessions(first, second) == {together("1"), together("2")}


def test_a_conversation_id_that_names_the_person_is_split_by_the_gap() -> None:
    first = touchpoint("10:00", id="1", channel="chatbot", session_hint="ann")
    second = touchpoint("10:30:01", id="2", channel="chatbot", session_hint="ann")

    assert sessions(first, second) == {together("1"), together("2")}


def test_an_app_in_the_background_is_left_after_five_minutes() -> None:
    seen = touchpoint("10:00", "background", id="1", channel="app")
    again = touchpoint("10:05", id="2", channel="app")
    later = touchpoint("10:35", id="3", channel="app")

    assert sessions(seen, again, later) == {together("1", "2", "3")}
    assert sessions(seen, touchpoint("10:05:01", id="2", channel="app")) == {
        together("1"),
        together("2"),
    }


@pytest.mark.parametrize("end", ["logout", "session_end", "hangup", "hangup_by_system", "bot_end"])
def test_an_explicit_end_ends_a_session_at_once(end: str) -> None:
    first = touchpoint("10:00", end, id="1")
    second = touchpoint("10:01", id="2")

    assert sessions(first, second) == {together("1"), together("2")}


def test_an_answer_belongs_to_the_session_it_names_even_hours_later() -> None:
    call = touchpoint("10:00", "hangup", id="1", channel="ivr", session_hint="call-7")
    answer = touchpoint("15:00", id="2", channel="survey", session_hint="call-7")

    told = process([call, answer], NO_MISSIONS)

    assert groups_of(told) == {together("1", "2")}
    assert [one.channel for one in told.live_sessions.values()] == ["ivr"]


def test_a_late_touchpoint_bridges_two_sessions_and_the_one_opened_first_goes_on() -> None:
    first, third = touchpoint("10:00", id="1"), touchpoint("10:50", id="3")
    late = touchpoint("10:25", id="2", arrives="10:55")

    told = process([first, third, late], NO_MISSIONS)

    (survivor,) = told.live_sessions.values()
    (absorbed,) = [one for one in told.sessions.values() if one.state == "absorbed"]
    assert survivor.count == 3
    assert survivor.session_id == told.verdicts["1"].session_id
    assert (absorbed.absorbed_by, absorbed.revision) == (survivor.session_id, 2)


def test_a_late_touchpoint_that_is_earlier_still_keeps_the_sessions_id() -> None:
    opened = process([touchpoint("10:10", id="2")], NO_MISSIONS)

    told = process([touchpoint("10:10", id="2"), touchpoint("10:00", id="1")], NO_MISSIONS)

    assert set(told.live_sessions) == set(opened.live_sessions)
    (session,) = told.live_sessions.values()
    assert session.started_at.minute == 0


def test_what_comes_just_within_the_window_joins_a_session_that_is_just_outside() -> None:
    seen = touchpoint("00:00", id="1")
    others = [
        touchpoint(f"00:12:{second:02d}", id=f"other {second}", anonymous_id="other", day=1)
        for second in range(40)
    ]
    late = touchpoint("00:20", id="2")

    told = process([seen, *others, late], NO_MISSIONS)

    assert told.verdicts["1"].session_id == told.verdicts["2"].session_id


def test_what_comes_after_the_window_is_a_dead_letter_and_corrects_nothing() -> None:
    seen = touchpoint("00:00", id="1")
    others = [
        touchpoint(f"02:00:{second:02d}", id=f"other {second}", anonymous_id="other", day=1)
        for second in range(40)
    ]
    late = touchpoint("00:20", id="2")

    told = process([seen, *others, late], NO_MISSIONS)

    assert told.dead_letters() == ["too_late"]
    assert "2" not in told.verdicts


def test_more_than_a_hundred_touchpoints_in_a_hundred_seconds_are_a_machine() -> None:
    crawl = [
        touchpoint(f"10:00:{n * 0.5:.1f}", "slow", "js_error", id=f"{n:03d}") for n in range(101)
    ]

    told = process(crawl, NO_MISSIONS)

    (session,) = told.live_sessions.values()
    assert session.machine
    assert {one.verdict for one in told.verdicts.values()} == {None}


def test_a_hundred_are_a_person_in_a_hurry() -> None:
    hurry = [touchpoint(f"10:00:{number * 0.5:.2f}", id=f"{number:03d}") for number in range(100)]

    (session,) = process(hurry, NO_MISSIONS).live_sessions.values()

    assert not session.machine
    assert session.verdicts.functional == 100


def test_what_a_machine_looks_at_keeps_nothing_from_a_later_intent() -> None:
    hasty = VerdictRules(machine_touchpoints=2, machine_window=timedelta(minutes=1))
    rules = msgspec.structs.replace(RULES, verdicts=hasty)
    robot = [
        touchpoint("10:00", id=f"{n}", name="view-bill", anonymous_id="robot", user_id="ann")
        for n in range(3)
    ]
    paid = touchpoint("10:01", id="paid", location="/paid", user_id="ann", anonymous_id="laptop")
    help_ = touchpoint("10:02", id="help", intent="help", anonymous_id="laptop")

    told = process([*robot, paid, help_], rules)

    assert {told.verdicts[f"{n}"].mission for n in range(3)} == {None}
    assert told.verdicts["paid"].mission == told.verdicts["help"].mission == "get-help"


def test_sessions_close_when_the_watermark_has_passed_their_gap() -> None:
    visitors = [touchpoint("10:00", id="1")] + [
        touchpoint("10:40", id=f"other {n}", anonymous_id="other") for n in range(40)
    ]

    told = process(visitors, NO_MISSIONS)

    closed = [one for one in told.records("sessions") if one.state == "closed"]
    assert closed[0].session_id == told.verdicts["1"].session_id


def test_a_session_is_still_open_after_a_silence_of_exactly_its_gap() -> None:
    running = engine(NO_MISSIONS)
    running.process(touchpoint("10:00", id="1"))

    running.process(touchpoint("10:30", id="2", channel="app"))

    told = Results(list(running.outbox))
    assert [one.state for one in told.records("sessions")] == ["open", "open"]
