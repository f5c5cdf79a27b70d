"""Twilio Voice, one kind of request after the other, and a call from beginning to end."""

import json

import pytest

from listeners.errors import Reason, Unauthorised, Unreadable
from tests.unit.listeners.doors import NOON, Door, properties
from tests.unit.listeners.signing import (
    BASE,
    TWILIO_TOKEN,
    form,
    request,
    sha256_hex,
    signing_door,
    twilio_signature,
)
from tests.unit.listeners.twilio_calls import CALL, told


async def test_a_voice_request_is_the_call_that_starts():
    one = await told({"CallStatus": "ringing", "StirVerstat": "TN-Validation-Passed-A"})

    assert (one.name, one.channel, one.session_hint) == ("call_started", "ivr", "CA1")
    assert (one.source, one.occurred_at) == ("server", NOON)
    assert set(one.identifiers) == {"phone"}
    assert one.signals == ()
    kept = properties(one)
    assert kept["AccountSid"] == "AC1"
    assert not {"From", "To", "CallToken", "FromCity"} & set(kept)


@pytest.mark.parametrize(
    ("fields", "source", "kinds"),
    [
        ({}, {}, {"caller_number"}),
        ({"StirVerstat": "TN-Validation-Passed-B"}, {}, {"caller_number"}),
        ({"StirVerstat": "TN-Validation-Passed-A"}, {}, {"phone"}),
        ({}, {"trusts_caller_ids": True}, {"phone"}),
        ({"From": "anonymous"}, {}, set()),
        ({"From": "+266696687"}, {}, set()),
        ({"ParentCallSid": "CA0"}, {}, set()),
    ],
    ids=["unattested", "partly", "attested", "trusted", "withheld", "spelt", "agent's leg"],
)
async def test_a_number_is_who_calls_only_where_somebody_vouches_for_it(fields, source, kinds):
    one = await told(fields, **source)

    assert set(one.identifiers) == kinds


async def test_the_customer_of_an_outbound_call_is_the_one_who_is_called():
    called = await told({"Direction": "outbound-api"}, trusts_caller_ids=True)
    calling = await told({"From": "+18005551212"}, trusts_caller_ids=True)

    assert called.identifiers == calling.identifiers


async def test_an_agents_leg_belongs_to_the_callers_call_and_does_not_end_it():
    one = await told(
        {
            "ParentCallSid": "CA0",
            "CallbackSource": "call-progress-events",
            "CallStatus": "completed",
            "CallDuration": "12",
        }
    )

    assert (one.name, one.session_hint, one.signals) == ("leg_ended", "CA0", ())


@pytest.mark.parametrize(
    ("fields", "query", "signals"),
    [
        ({"Digits": "2"}, "menu=main", ()),
        ({"SpeechResult": "pay my bill", "Confidence": "0.91"}, "menu=main", ()),
        ({"SpeechResult": "pay my bill", "Confidence": "0.29"}, "menu=main", ("low_confidence",)),
        ({"SpeechResult": "pay my bill", "Confidence": "0.3"}, "menu=main", ()),
        ({"Digits": "", "msg": "Gather End"}, "menu=main", ("no_input",)),
        ({"msg": "Gather End"}, "menu=main", ("no_input",)),
        ({"Digits": "9"}, "menu=main&result=no_match", ("no_match",)),
        ({"Digits": ""}, "menu=main&result=no_match", ("no_match",)),
        ({"Digits": "0"}, "menu=main", ("zero_out",)),
    ],
)
async def test_what_was_chosen_in_a_menu_and_what_was_not(fields, query, signals):
    one = await told(fields, query)

    assert (one.name, one.location, one.signals) == ("menu_choice", "main", signals)


async def test_a_menu_is_reached_and_its_address_may_name_the_intent():
    one = await told({}, "menu=billing&intent=pay-bill")

    assert (one.name, one.location, one.intent) == ("menu", "billing", "pay-bill")
    assert properties(one)["query"] == {"menu": "billing", "intent": "pay-bill"}


async def test_what_was_said_is_kept_only_where_the_source_says_so():
    said = {"SpeechResult": "pay my bill", "Confidence": "0.9"}

    kept, counted = await told(said, keeps_text=True), await told(said)

    assert properties(kept)["SpeechResult"] == "pay my bill"
    assert "SpeechResult" not in properties(counted)
    assert properties(counted)["SpeechResult_length"] == 11


async def test_long_digits_may_be_a_card_and_only_their_length_is_kept():
    choice, card = await told({"Digits": "12"}), await told({"Digits": "4929000000006"})

    assert properties(choice)["Digits"] == "12"
    assert properties(card)["Digits_length"] == 13
    assert "4929" not in json.dumps(properties(card))


async def test_of_a_name_that_is_repeated_the_last_value_tells_and_all_are_kept():
    door = Door()
    fields = [*CALL.items(), ("CallStatus", "completed"), ("CallDuration", "7")]
    card = [*CALL.items(), ("Digits", "4929000000006"), ("Digits", "1")]

    for pairs in (fields, card):
        await door.listener.receive(form(pairs), request("twilio", {}))

    ended, chosen = door.touchpoints
    assert (ended.name, ended.signals) == ("call_ended", ("hangup",))
    assert properties(ended)["CallStatus"] == ["in-progress", "completed"]
    assert chosen.name == "menu_choice"
    assert "4929" not in json.dumps(properties(chosen))
    assert door.letters == []


async def test_an_account_number_keyed_in_says_who_it_is():
    one = await told({"Digits": "12345678"}, "menu=account&identifies=account_id")
    other = await told({"Digits": "12345678"}, "menu=account&identifies=email")

    assert one.identifiers["account_id"] == "12345678"
    assert "Digits" not in properties(one)
    assert set(other.identifiers) == {"caller_number"}


@pytest.mark.parametrize(
    ("fields", "signals", "measured"),
    [
        ({"DialCallStatus": "completed", "DialBridged": "true", "DialCallDuration": "184"},
         ("transfer",), {"talk_s": 184}),
        ({"DialCallStatus": "completed", "DialBridged": "false"}, ("transfer_failed",), {}),
        ({"DialCallStatus": "busy"}, ("transfer_failed",), {}),
        ({"DialCallStatus": "no-answer"}, ("transfer_failed",), {}),
        ({"DialCallStatus": "failed"}, ("transfer_failed",), {}),
        ({"DialCallStatus": "canceled"}, ("transfer_failed",), {}),
        ({"QueueResult": "hangup", "QueueTime": "73"},
         ("queue_abandoned",), {"queue_s": 73, "hangup_by": "caller"}),
        ({"QueueResult": "bridged", "QueueTime": "20"}, (), {"queue_s": 20}),
        ({"QueueResult": "queue-full"}, ("transfer_failed",), {}),
    ],
)  # fmt: skip
async def test_a_transfer_and_a_queue_have_an_outcome_and_seconds(fields, signals, measured):
    one = await told(fields, "menu=agent")

    assert one.name == ("dial" if "DialCallStatus" in fields else "queue")
    assert one.signals == signals
    assert measured.items() <= properties(one).items()


async def test_waiting_is_told_many_times_and_is_no_menu_visited_again():
    one = await told({"QueuePosition": "3", "QueueTime": "20"}, "menu=queue")

    assert (one.name, one.location, properties(one)["queue_s"]) == ("queue_wait", None, 20)


async def test_a_call_ends_after_seconds_and_not_after_minutes_and_nobody_says_by_whom():
    one = await told(
        {
            "CallbackSource": "call-progress-events",
            "CallStatus": "completed",
            "CallDuration": "212",
            "Duration": "4",
            "SequenceNumber": "3",
            "Timestamp": "Sun, 22 Nov 2026 11:58:30 +0000",
        }
    )

    assert (one.name, one.signals) == ("call_ended", ("hangup",))
    assert one.occurred_at.isoformat() == "2026-11-22T11:58:30+00:00"
    assert properties(one)["duration_s"] == 212
    assert properties(one)["hangup_by"] == "unknown"
    assert one.sequence == 3


async def test_a_leg_counts_for_itself_so_its_numbers_do_not_order_the_call():
    status = {"CallbackSource": "call-progress-events", "SequenceNumber": "0"}

    leg = await told(status | {"CallStatus": "ringing", "ParentCallSid": "CA-1"})

    assert (leg.session_hint, leg.sequence) == ("CA-1", None)


async def test_a_conference_counts_for_itself_so_its_numbers_do_not_order_the_call():
    one = await told(
        {"ConferenceSid": "CF1", "StatusCallbackEvent": "participant-join", "SequenceNumber": "0"}
    )

    assert (one.session_hint, one.sequence) == ("CA1", None)


async def test_a_status_before_the_end_ends_nothing():
    one = await told({"CallbackSource": "call-progress-events", "CallStatus": "ringing"})

    assert (one.name, one.signals) == ("call_progress", ())


@pytest.mark.parametrize(
    ("source", "name"), [("RecordVerb", "voicemail"), ("DialVerb", "recording")]
)
async def test_a_recording_is_a_voicemail_only_where_the_caller_left_it(source, name):
    one = await told(
        {
            "From": None,
            "To": None,
            "RecordingSid": "RE1",
            "RecordingSource": source,
            "RecordingDuration": "31",
            "RecordingStartTime": "Sun, 22 Nov 2026 11:50:00 +0000",
        },
        "menu=voicemail",
    )

    assert (one.name, one.identifiers, one.session_hint) == (name, {}, "CA1")
    assert one.occurred_at.hour == 11
    assert properties(one)["recording_s"] == 31


@pytest.mark.parametrize(
    ("fields", "signals"),
    [
        ({"EventType": "reservation.accepted"}, ("transfer",)),
        ({"EventType": "task.canceled", "TaskCanceledReason": "hangup"}, ("queue_abandoned",)),
        ({"EventType": "task.canceled", "TaskCanceledReason": "expired"}, ()),
        ({"EventType": "reservation.created"}, ()),
    ],
)
async def test_task_router_tells_who_waited_and_who_was_served(fields, signals):
    one = await told(
        {
            "CallSid": None,
            "From": None,
            "TaskSid": "WT1",
            "TaskAge": "73",
            "TaskQueueName": "Billing",
            "TimestampMs": str(int(NOON.timestamp() * 1000) - 500),
            "TaskAttributes": '{"call_sid": "CA1", "from": "+442079460042", "plan": "gold"}',
            **fields,
        }
    )

    assert (one.name, one.session_hint, one.signals) == (fields["EventType"], "CA1", signals)
    assert one.occurred_at.microsecond == 500_000
    assert properties(one)["queue_s"] == 73
    assert properties(one)["task"] == {"call_sid": "CA1", "plan": "gold"}
    assert set(one.identifiers) == {"caller_number"}


async def test_an_answer_keyed_in_is_a_rating_on_the_scale_that_was_asked():
    one = await told({"Digits": "6"}, "menu=survey&scale=ces")
    zero = await told({"Digits": "0"}, "menu=survey&scale=nps")

    assert (one.rating.scale, one.rating.value) == ("ces", 6)
    assert (zero.rating.value, zero.signals) == (0, ())


async def test_studios_steps_are_the_menu_path_though_a_time_stands_as_their_content_type():
    door = signing_door("twilio", TWILIO_TOKEN)
    step = {
        "specversion": "1.0",
        "type": "com.twilio.studio.flow.step.ended",
        "id": "EZ1",
        "datacontenttype": "2026-11-22T11:58:00Z",
        "time": "2026-11-22T11:58:00.000Z",
        "data": {"execution_sid": "FN1", "name": "timeout", "transitioned_from": "main_menu"},
    }
    end = {
        "specversion": "1.0",
        "type": "com.twilio.studio.flow.execution.ended",
        "id": "EZ2",
        "time": "2026-11-22T11:59:00.000Z",
        "data": {
            "execution_sid": "FN1",
            "contact_channel_address": "+442079460042",
            "started_by": "CA1",
        },
    }
    body = json.dumps([step, end]).encode()
    url = f"{BASE}/ivr/twilio?bodySHA256={sha256_hex(body)}"
    headers = {"X-Twilio-Signature": twilio_signature(url, [])}

    receipt = await door.listener.receive(body, request("twilio", headers, url))

    assert (receipt.accepted, receipt.answer) == (2, None)
    first, last = door.touchpoints
    assert (first.id, first.name, first.location) == ("EZ1", "menu", "main_menu")
    assert first.signals == ("no_input",)
    assert (last.name, last.session_hint) == ("execution.ended", first.session_hint)
    assert set(last.identifiers) == {"caller_number"}
    assert properties(last)["started_by"] == "CA1"


async def test_a_field_that_is_new_or_stands_twice_is_signed_and_kept():
    door = signing_door("twilio", TWILIO_TOKEN)
    pairs = [*((k, v) for k, v in CALL.items()), ("NewIn2027", "b"), ("NewIn2027", "a")]
    headers = {"X-Twilio-Signature": twilio_signature(f"{BASE}/ivr/twilio", pairs)}

    await door.listener.receive(form(pairs), request("twilio", headers, f"{BASE}/ivr/twilio"))

    assert properties(door.touchpoints[0])["NewIn2027"] == ["b", "a"]


async def test_an_unsigned_request_is_refused_whatever_key_it_shows():
    door = signing_door("twilio", TWILIO_TOKEN)
    body = form(list(CALL.items()))

    for key in (None, "keyed-key"):
        with pytest.raises(Unauthorised) as caught:
            await door.listener.receive(body, request("twilio", {}, key=key))
        assert caught.value.reason == Reason.SIGNATURE_MISSING
    assert door.publisher.records == []


async def test_without_settings_anybody_on_this_machine_may_try_it():
    door = Door()

    receipt = await door.listener.receive(form(list(CALL.items())), request("twilio", {}))

    assert receipt.accepted == 1


async def answer_to(query, fields=None, **settings):
    door = Door(**settings)
    url = f"{BASE}/ivr/twilio?{query}"
    pairs = list((CALL | (fields or {})).items())
    receipt = await door.listener.receive(form(pairs), request("twilio", {}, url))
    return receipt.answer


async def test_the_answer_is_twiml_since_json_would_break_the_call():
    answer = await answer_to("menu=main")

    assert (answer.content_type, answer.body) == ("text/xml", b"<Response/>")


async def test_a_call_is_sent_on_with_what_was_chosen_where_the_settings_allow_it():
    answer = await answer_to(
        "menu=main&next=https%3A%2F%2Fvoice.example.com%2Fnext%3Fstep%3D1",
        {"Digits": "2"},
        redirects=["https://voice.example.com/next"],
    )

    assert answer.body == (
        b'<Response><Redirect method="POST">'
        b"https://voice.example.com/next?step=1&amp;Digits=2</Redirect></Response>"
    )


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example.com/next",
        "https://voice.example.com/next/../other",
        "https://voice.example.com/next.evil.example.com",
        "http://voice.example.com/next",
        "javascript:alert(1)",
    ],
)
async def test_a_call_is_sent_nowhere_else(onward):
    with pytest.raises(Unreadable, match="redirects"):
        await answer_to(f"next={onward}", redirects=["https://voice.example.com/next"])
