"""However much one key sends, a customer's state fits into a record of the changelog."""

import json
from collections.abc import Iterable
from datetime import timedelta

import msgspec
import pytest

from pipeline.catalogue.files import fingerprint_of
from pipeline.runtimes.engine import Engine
from pipeline.runtimes.kafka.states import STATE_BYTES_MAX
from pipeline.stitching.counting import COUNTS_MAX
from pipeline.stitching.kept import CustomerState, pack
from pipeline.stitching.rules import IdentityRules, Rules
from pipeline.stitching.sealing import settled_at
from pipeline.stitching.sessions import SESSIONS_MAX
from schemas import codec
from schemas.controls import Handover
from schemas.inbound import LOCATION_LENGTH_MAX
from schemas.records import Touchpoint
from tests.builders import NO_MISSIONS, RULES, Results, engine, touchpoint

EMOJI = "\N{GRINNING FACE}"
"""Four bytes of one character, the most there are."""


def clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def refused(n: int, location: str, field: str, **fields: object) -> Touchpoint:
    """A form that refused 20 fields, all of names that were never seen before."""
    names = [f"{n:04}-{one:02}-{field}"[:80] for one in range(20)]
    told = msgspec.Raw(json.dumps({"fields": names}).encode())
    fields = {"id": f"{n:04}", "location": location, "properties": told, **fields}
    return touchpoint(clock(2 * n), "validation_error", **fields)


def state_of(running: Engine) -> CustomerState:
    states = running._stores["stitch"].states.values()  # type: ignore[attr-defined]
    (state,) = [one for one in states if isinstance(one, CustomerState)]
    return state


def taken(touchpoints: Iterable[Touchpoint], rules: Rules = NO_MISSIONS) -> CustomerState:
    running = engine(rules)
    for one in touchpoints:
        running.process(one)
    assert running.failures == []
    return state_of(running)


def test_what_a_form_refused_at_a_long_place_is_counted_by_a_short_name() -> None:
    state = taken(refused(n, "/" + "y" * 2_000, "x" * 70, session_hint="s") for n in range(20))

    (session,) = state.picture.sessions
    assert session.counts is not None
    assert len(session.counts) == 400
    assert max(map(len, session.counts)) < 40


def test_no_more_than_so_many_places_are_counted_of_one_session() -> None:
    state = taken(refused(n, f"/form/{n}", "", session_hint="s") for n in range(60))

    (session,) = state.picture.sessions
    assert session.counts is not None
    assert len(session.counts) == COUNTS_MAX


def test_of_more_places_than_are_counted_the_first_in_time_are_whatever_came_first() -> None:
    forms = [refused(n, f"/form/{n}", "", session_hint="s") for n in range(60)]

    in_order, backwards = taken(forms), taken(reversed(forms))

    assert in_order.picture.sessions[0].counts == backwards.picture.sessions[0].counts


def test_more_open_sessions_than_any_person_has_close_the_longest_silent() -> None:
    running = engine(NO_MISSIONS)
    for n in range(SESSIONS_MAX + 1):
        running.process(touchpoint(clock(n), id=f"{n}", session_hint=f"s{n}"))

    told = Results(running.outbox)
    closed = [one for one in told.sessions.values() if one.state == "closed"]
    assert len(state_of(running).picture.open) == SESSIONS_MAX
    assert [one.started_at.second for one in closed] == [0]


def test_sessions_whose_touchpoints_were_let_go_of_do_not_grow_for_ever() -> None:
    state = taken(touchpoint(clock(n), id=f"{n}", session_hint=f"s{n}") for n in range(1_500))

    assert state.base is not None
    assert len(state.base.sessions) <= SESSIONS_MAX
    assert len(state.picture.sessions) <= SESSIONS_MAX + len(state.tail)


def test_a_session_that_completes_a_mission_again_and_again_remembers_it_once() -> None:
    state = taken(
        (
            touchpoint(
                clock(2 * n), id=f"{n:04}", session_hint="s", name=("view-bill", "paid")[n % 2]
            )
            for n in range(600)
        ),
        RULES,
    )

    assert {one.done for one in state.picture.sessions} == {("pay-bill",)}


def test_whom_a_session_blamed_is_remembered_no_longer_than_they_are_kept() -> None:
    """Where the touchpoints of a contact were let go of, the session begins others; each blames."""
    few = msgspec.structs.replace(RULES, touchpoints_max=20)
    ways = ({"channel": "web", "name": "view-bill"}, {"channel": "ivr", "name": "other-menu"})

    state = taken(
        (
            touchpoint(
                clock(20 * n), id=f"{n:04}", user_id="u", intent="bill",
                session_hint=f"s{n // 15 % 2}", **ways[n // 15 % 2],
            )
            for n in range(600)
        ),
        few,
    )  # fmt: skip

    kept = {one.ref for one in state.tail}
    assert state.base is not None
    assert all(not one.blamed for one in state.base.sessions)
    assert any(one.blamed for one in state.picture.sessions)
    assert all(kept.issuperset(one.blamed) for one in state.picture.sessions)


@pytest.mark.parametrize("each", ["one session", "a session each"])
@pytest.mark.parametrize("letter", ["y", "\x01", EMOJI], ids=["plain", "control", "emoji"])
def test_a_customer_at_all_limits_fits_into_a_record(each: str, letter: str) -> None:
    """Text as long as listeners take it, so that not even 500 touchpoints of it are kept."""
    visible = "y" if letter == "\x01" else letter
    word = visible * 240
    running = engine(NO_MISSIONS)
    largest = 0
    for n in range(1_001):
        session = "s" if each == "one session" else f"{n:04}"
        one = refused(
            n,
            f"{n:04}".ljust(LOCATION_LENGTH_MAX, letter),
            letter * 72,
            id=f"{n:04}{word}",
            session_hint=f"{session}{word}",
            name=f"n{word}",
            intent=f"i{word}",
            anonymous_id=f"a{word}",
        )
        running.process(one)
        if n % 50 == 0:
            largest = max(largest, len(pack(state_of(running))))

    assert running.failures == []
    assert largest < STATE_BYTES_MAX
    state = state_of(running)
    handed = codec.encode(Handover(state.customer, tuple(state.tail)))
    assert len(handed) < STATE_BYTES_MAX


def test_rules_with_another_window_ask_anew_how_long_a_journey_is_kept() -> None:
    running = engine()
    running.process(touchpoint("10:00", name="view-bill"))
    picture, before = state_of(running).picture, RULES.verdicts
    longer = msgspec.structs.replace(before, came_back=before.came_back + timedelta(days=20))

    kept = settled_at(picture, RULES)  # asked first, so that it is remembered

    others = msgspec.structs.replace(RULES, verdicts=longer)
    assert settled_at(picture, others) == kept + timedelta(days=20)
    assert settled_at(picture, RULES) == kept


def test_what_is_remembered_of_rules_is_no_part_of_their_fingerprint() -> None:
    rules = msgspec.structs.replace(RULES, identity=IdentityRules())
    before = fingerprint_of(rules)
    running = engine()
    running.process(touchpoint("10:00", name="view-bill"))

    settled_at(state_of(running).picture, rules)

    assert fingerprint_of(rules) == before
