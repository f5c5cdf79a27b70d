import json

import pytest

from tests.unit.listeners.doors import NOON, Door, properties, written
from tests.unit.listeners.signing import request

AT = NOON.timestamp() - 60


def event(kind, number=1, **fields):
    return {
        "id": f"b/{number}",
        "Event": kind,
        "Timestamp": f"{AT:.6f}",
        "Channel": "PJSIP/trunk-1",
        "Uniqueid": "17.1",
        "Linkedid": "17.1",
        "Context": "ivr-main",
        **fields,
    }


async def told(*events, door=None):
    door = door or Door()
    body = written({"bridge": "b", "sent_at": NOON.isoformat(), "events": list(events)})
    receipt = await door.listener.receive(body, request("asterisk", {}))
    assert receipt.fault is None
    return door.touchpoints


async def test_a_call_starts_with_the_callers_own_channel():
    own, leg = await told(
        event("Newchannel", CallerIDNum="+442079460042", Exten="18005551212"),
        event("Newchannel", 2, CallerIDNum="100", Uniqueid="17.2"),
    )

    assert (own.name, own.channel, own.session_hint, own.id) == (
        "call_started", "ivr", "17.1", "b/1",
    )  # fmt: skip
    assert set(own.identifiers) == {"caller_number"}
    assert own.occurred_at == NOON.replace(hour=11, minute=59)
    assert (leg.name, leg.session_hint, leg.identifiers) == ("leg_started", "17.1", {})
    assert "+44" not in json.dumps(properties(own))


@pytest.mark.parametrize("number", ["<unknown>", "", "anonymous"])
async def test_a_number_that_is_withheld_names_nobody(number):
    (one,) = await told(event("Newchannel", CallerIDNum=number))

    assert one.identifiers == {}


@pytest.mark.parametrize(
    ("fields", "name", "location", "signals"),
    [
        ({"Exten": "s", "Application": "Background"}, "menu", "ivr-main", ()),
        ({"Exten": "s", "Application": "Answer"}, "dialplan", None, ()),
        ({"Exten": "s", "Application": "Set", "Priority": "3"}, "dialplan", None, ()),
        ({"Exten": "t", "Application": "Playback"}, "menu_choice", "ivr-main", ("no_input",)),
        ({"Exten": "i", "Application": "Playback"}, "menu_choice", "ivr-main", ("no_match",)),
        ({"Exten": "0", "Application": "Queue"}, "menu_choice", "ivr-main", ("zero_out",)),
        ({"Exten": "2", "Application": "Goto"}, "menu_choice", "ivr-main", ()),
        ({"Exten": "t", "Application": "Goto", "Priority": "2"}, "dialplan", None, ()),
        ({"Exten": "18005551212", "Application": "Goto"}, "dialplan", None, ()),
        ({"Exten": "0", "Application": "Dial", "Uniqueid": "17.2"}, "dialplan", None, ()),
    ],
)
async def test_the_dial_plan_tells_menus_and_choices_once(fields, name, location, signals):
    (one,) = await told(event("Newexten", **fields))

    assert (one.name, one.location, one.signals) == (name, location, signals)


async def test_keys_are_told_without_what_was_keyed():
    (one,) = await told(event("DTMFEnd", Digit="7", DurationMs="120"))

    assert (one.name, one.location) == ("digit", None)
    assert "7" not in {str(value) for value in properties(one).values()}


@pytest.mark.parametrize(
    ("kind", "fields", "name", "signals", "measured"),
    [
        ("QueueCallerJoin", {"Queue": "billing"}, "queue_join", (), {"Queue": "billing"}),
        ("QueueCallerLeave", {}, "queue_leave", (), {}),
        ("QueueCallerAbandon", {"HoldTime": "73"}, "queue_abandon", ("queue_abandoned",),
         {"queue_s": 73, "hangup_by": "caller"}),
        ("AgentConnect", {"HoldTime": "20"}, "agent_connect", ("transfer",), {"queue_s": 20}),
        ("AgentComplete", {"TalkTime": "150", "Reason": "caller"}, "agent_complete", (),
         {"talk_s": 150, "hangup_by": "caller"}),
        ("AgentComplete", {"Reason": "transfer"}, "agent_complete", ("transfer",), {}),
        ("Hangup", {"Cause": "16"}, "call_ended", ("hangup",), {"hangup_by": "unknown"}),
        ("Hangup", {"Cause": "34"}, "call_ended", ("hangup", "hangup_by_system"),
         {"hangup_by": "system"}),
        ("Hangup", {"Cause": "16", "Uniqueid": "17.2"}, "leg_ended", (), {}),
        ("MusicOnHoldStart", {}, "MusicOnHoldStart", (), {}),
    ],
)  # fmt: skip
async def test_queues_agents_and_ends(kind, fields, name, signals, measured):
    (one,) = await told(event(kind, **fields))

    assert (one.name, one.signals) == (name, signals)
    assert measured.items() <= properties(one).items()


def cel(kind, **fields):
    spelt = {"UniqueID": "17.1", "LinkedID": "17.1", "EventTime": "2026-11-22 03:04:05"}
    given = event("CEL", EventName=kind) | spelt | fields
    return {name: one for name, one in given.items() if name not in ("Uniqueid", "Linkedid")}


@pytest.mark.parametrize(
    ("source", "by"),
    [("PJSIP/trunk-1", "caller"), ("PJSIP/agent-7", "agent"), ("", "unknown")],
)
async def test_the_event_log_tells_who_hung_up(source, by):
    extra = json.dumps({"hangupcause": 16, "hangupsource": source, "dialstatus": ""})

    (one,) = await told(cel("HANGUP", Extra=extra))

    assert (one.name, one.signals) == ("call_ended", ("hangup",))
    assert properties(one)["hangup_by"] == by
    assert one.occurred_at == NOON.replace(hour=11, minute=59)  # not the local time without a zone


@pytest.mark.parametrize("named", ["USER_DEFINED", "ivr_menu"])
async def test_a_user_event_may_tell_menu_result_and_intent(named):
    extra = json.dumps({"extra": "menu=billing;result=no_match;intent=pay-bill"})

    (one,) = await told(cel(named, UserDefType="ivr_menu", Extra=extra))

    assert (one.name, one.location, one.intent) == ("ivr_menu", "billing", "pay-bill")
    assert one.signals == ("no_match",)


@pytest.mark.parametrize("extra", ["", "{", "[]", '{"extra": 5}', '{"extra": "result=rage_click"}'])
async def test_an_extra_that_says_nothing_we_know_is_only_kept(extra):
    (one,) = await told(cel("ivr_menu", Extra=extra))

    assert (one.name, one.signals, one.location) == ("ivr_menu", (), None)


async def test_other_records_of_the_event_log_keep_their_names():
    said = await told(cel("ANSWER"), cel("LINKEDID_END", id="b/2"), cel("CHAN_START", id="b/3"))

    assert [one.name for one in said] == ["answer", "linkedid_end", "call_started"]


async def test_a_batch_sent_again_is_the_same_and_a_bad_event_spoils_no_other():
    door = Door()
    good, bad = event("Hangup", Cause="16"), {"Event": "Hangup"}
    body = written({"events": [good, bad]})

    for _ in range(2):
        receipt = await door.listener.receive(body, request("asterisk", {}))

    assert (receipt.accepted, receipt.rejected) == (1, 1)
    assert receipt.fault.where == "$.Linkedid"
    assert [one.id for one in door.touchpoints] == ["b/1", "b/1"]
