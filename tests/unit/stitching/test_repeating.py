"""What is trouble only when it repeats, and of what it has to be a repetition."""

from typing import Any

import msgspec
import pytest

from pipeline.stitching.fields import FIELD_LENGTH_MAX, FIELDS_MAX, TIMES_MAX, fields_in
from schemas.records import Touchpoint
from tests.builders import process, restarted, touchpoint


def raw(**properties: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(properties))


def refused(clock: str, location: str = "/pay", **properties: Any) -> Touchpoint:
    """A form that refuses what was entered; the emitter names the fields in the properties."""
    said = raw(**properties)
    return touchpoint(
        clock, "validation_error", name="pay-online", location=location, properties=said
    )


def fired(*touchpoints: Touchpoint) -> list[tuple[str, object]]:
    """The rules that fired for the last of them, with their values."""
    told = process(touchpoints).verdicts[touchpoints[-1].id]
    return [(reason.rule, reason.value) for reason in told.reasons]


def test_a_field_that_refuses_three_times_is_trouble() -> None:
    attempts = [refused(f"10:0{n}", field="iban") for n in range(3)]

    assert ("validation_errors", 3) not in fired(*attempts[:2])
    assert fired(*attempts)[0] == ("validation_errors", 3)


def test_three_fields_that_refuse_once_are_none() -> None:
    attempts = [refused(f"10:0{n}", field=name) for n, name in enumerate(("iban", "bic", "name"))]

    assert fired(*attempts) == []


def test_one_of_many_fields_is_enough() -> None:
    attempts = [
        refused("10:00", fields=["iban", "bic"]),
        refused("10:01", fields=["name", "iban"]),
        refused("10:02", field="iban"),
    ]

    assert fired(*attempts)[0] == ("validation_errors", 3)


def test_the_same_field_of_another_form_is_another_field() -> None:
    attempts = [refused(f"10:0{n}", f"/pay/{n}", field="iban") for n in range(3)]

    assert fired(*attempts) == []


def test_an_emitter_that_counts_by_itself_is_believed_and_not_added_up() -> None:
    counting = [refused(f"10:0{n}", fields={"iban": n}) for n in (1, 2, 3)]

    assert fired(*counting[:2]) == []
    assert fired(*counting)[0] == ("validation_errors", 3)
    assert fired(refused("10:00", fields={"iban": 4}))[0] == ("validation_errors", 4)


def test_where_no_field_is_named_the_errors_of_a_place_count_together() -> None:
    attempts = [refused(f"10:0{n}") for n in range(3)]

    assert fired(*attempts)[0] == ("validation_errors", 3)


def test_the_fields_are_still_known_after_a_restart() -> None:
    attempts = [refused(f"10:0{n}", field=name) for n, name in ((1, "iban"), (2, "bic"))]
    late = refused("10:00", field="iban")

    told = process(
        [*attempts, late, refused("10:03", field="iban")],
        between=lambda running, _: restarted(running),
    )

    last = told.verdicts["10:03 web pay-online"]
    assert last.reasons[0].rule == "validation_errors"


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"field": " iban "}, (("iban", 1),)),
        ({"fields": ["iban", 7, "", "iban"]}, (("iban", 1),)),
        ({"fields": {"iban": 2, "bic": "x", "name": True, "sum": -1, "all": 10**9}},
         (("iban", 2), ("bic", 1), ("name", 1), ("sum", 1), ("all", TIMES_MAX))),
        ({"fields": 3, "field": "iban"}, (("iban", 1),)),
        ({"field": None}, ()),
        ({"a field": "iban"}, ()),
        ({}, ()),
        ({"field": "x" * 99}, (("x" * FIELD_LENGTH_MAX, 1),)),
        ({"fields": [str(n) for n in range(99)]}, tuple((str(n), 1) for n in range(FIELDS_MAX))),
    ],
    ids=["field", "list", "counts", "no list", "nothing", "another", "none", "long", "many"],
)  # fmt: skip
def test_the_fields_are_those_that_the_properties_name(
    properties: dict[str, Any], told: tuple[tuple[str, int], ...]
) -> None:
    assert fields_in(("validation_error",), raw(**properties)) == told


def test_a_name_may_be_escaped() -> None:
    escaped = msgspec.Raw(b'{"\\u0066ield": "iban"}')

    assert fields_in(("slow", "validation_error"), escaped) == (("iban", 1),)


def test_without_a_refusal_or_a_slot_nothing_is_read() -> None:
    named = raw(field="iban", fields=["iban"], filled={"bill": "gas"})

    assert fields_in(("slow",), named) == ()
    assert fields_in(("slot_filled",), raw(filled="gas")) == ()


def test_two_dead_clicks_in_one_place_are_trouble_and_one_in_each_of_two_is_none() -> None:
    here = [touchpoint(f"10:0{n}", "dead_click", location="/a") for n in range(2)]
    there = touchpoint("10:01", "dead_click", location="/b")

    assert fired(here[0]) == fired(here[0], there) == []
    assert fired(*here) == [("dead_clicks", 2)]


def test_being_passed_on_twice_in_one_call_is_trouble_and_once_is_none() -> None:
    passed_on = [
        touchpoint(f"10:0{n}", "transfer", channel="agent", session_hint="c") for n in range(2)
    ]
    other = touchpoint("10:01", "transfer", channel="agent", session_hint="d")

    assert fired(passed_on[0]) == fired(passed_on[0], other) == []
    assert fired(*passed_on) == [("transfers", 2)]


def asked(clock: str, *signals: str, intent: str = "help", **filled: str) -> Touchpoint:
    """A turn of a chat, with the slots that it filled."""
    properties = raw(filled=filled) if filled else raw()
    return touchpoint(
        clock, *signals, channel="chatbot", name="turn", intent=intent, properties=properties
    )


def test_the_same_intent_three_times_breaks_the_chat() -> None:
    turns = [asked(f"10:0{n}") for n in range(3)]

    assert fired(*turns[:2]) == []
    assert fired(*turns) == [("repeated_intent", 3)]


def test_another_intent_in_between_does_not_excuse_it() -> None:
    turns = [asked("10:00"), asked("10:01"), asked("10:02", intent="unheard-of"), asked("10:03")]

    assert fired(*turns) == [("repeated_intent", 3)]
    assert fired(*turns[:3]) == []


def test_a_turn_that_fills_a_slot_is_no_repetition_and_those_after_it_count_anew() -> None:
    filling = [asked("10:00"), asked("10:01"), asked("10:02", "slot_filled")]

    assert fired(*filling) == []
    assert fired(*filling, asked("10:03"), asked("10:04")) == []
    assert fired(*filling, asked("10:03"), asked("10:04"), asked("10:05")) == [
        ("repeated_intent", 3)
    ]


def test_a_slot_filled_again_with_what_the_bot_knew_is_none_that_is_new() -> None:
    same = [asked(f"10:0{n}", "slot_filled", bill="gas") for n in range(4)]
    other = asked("10:04", "slot_filled", bill="water")

    assert fired(*same[:3]) == []
    assert fired(*same) == [("repeated_intent", 3)]
    assert fired(*same, other, asked("10:05"), asked("10:06")) == []


def test_a_slot_that_is_filled_between_two_turns_counts_as_well() -> None:
    slot = touchpoint("10:01:30", "slot_filled", channel="chatbot", name="slot")

    assert fired(asked("10:00"), asked("10:01"), slot, asked("10:02")) == []


def test_a_slot_in_another_chat_says_nothing_of_this_one() -> None:
    elsewhere = touchpoint(
        "10:01:30", "slot_filled", channel="chatbot", name="slot", session_hint="other"
    )

    told = fired(asked("10:00"), asked("10:01"), elsewhere, asked("10:02"))

    assert told == [("repeated_intent", 3)]
