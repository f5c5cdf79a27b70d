"""The ids of Twilio's touchpoints: a repeat has the same one, and nobody chooses it.

Twilio signs the address and the form, not the token; whoever recorded a request can change that.
"""

import pytest

from listeners.errors import Reason, Unauthorised, Unavailable
from tests.unit.listeners.signing import (
    BASE,
    TWILIO_TOKEN,
    form,
    request,
    signing_door,
    twilio_signature,
)
from tests.unit.listeners.twilio_calls import CALL, told


async def test_silence_twice_at_one_menu_is_two_touchpoints_and_a_repeat_is_one():
    door = signing_door("twilio", TWILIO_TOKEN)
    silent = {"Digits": "", "msg": "Gather End"}
    for token in ("token-1", "token-1", "token-2"):
        await told(silent, "menu=main", token=token, door=door)

    first, second = door.touchpoints
    assert first.id != second.id


ENDED = {
    "CallbackSource": "call-progress-events",
    "CallDuration": "5",
    "CallStatus": "completed",
    "SequenceNumber": "3",
    "Timestamp": "Sun, 22 Nov 2026 11:58:30 +0000",
}
TASK = {
    "EventType": "reservation.accepted",
    "TaskSid": "WT1",
    "TaskAttributes": '{"call_sid": "CA1"}',
    "TimestampMs": "1795348800000",
}


@pytest.mark.parametrize(
    "fields",
    [
        ENDED,
        {"CallbackSource": "call-progress-events", "CallStatus": "ringing"},
        {"CallDuration": "5", "CallStatus": "completed"},
        {"RecordingSid": "RE1", "RecordingSource": "RecordVerb"},
        {"DialCallStatus": "completed", "DialCallSid": "CA2"},
        TASK,
    ],
    ids=["numbered", "progress", "duration", "recording", "dial", "task"],
)
async def test_a_token_changed_or_taken_away_makes_no_second_touchpoint_of_what_happens_once(
    fields,
):
    ids = {(await told(fields, "menu=a", token=token)).id for token in ("token-1", "forged", None)}

    assert len(ids) == 1


async def test_a_number_of_its_own_makes_it_another_touchpoint_under_the_same_token():
    first, second = await told(ENDED), await told(ENDED | {"SequenceNumber": "4"})

    assert first.id != second.id


@pytest.mark.parametrize("fields", [{}, {"Digits": "2"}, ENDED, TASK])
async def test_an_id_is_never_the_one_that_a_sender_chose(fields):
    chosen = "an-id-of-another-touchpoint"

    one, other = await told(fields, token=chosen), await told(fields, "menu=b", token=chosen)

    assert chosen not in (one.id, other.id)
    assert one.id != other.id


async def test_the_order_of_repeated_fields_is_not_signed_and_makes_no_other_id():
    door = signing_door("twilio", TWILIO_TOKEN)
    pairs = [*(CALL | ENDED).items(), ("New", "b"), ("New", "a")]
    headers = {"X-Twilio-Signature": twilio_signature(f"{BASE}/ivr/twilio", pairs)}

    for sent in (pairs, [*pairs[:-2], pairs[-1], pairs[-2]], [*pairs, pairs[-1]]):
        await door.listener.receive(form(sent), request("twilio", headers, f"{BASE}/ivr/twilio"))

    assert len({one.id for one in door.touchpoints}) == 1
    assert len(door.touchpoints) == 3


async def test_a_forged_token_does_not_use_up_the_one_of_a_later_request():
    door = signing_door("twilio", TWILIO_TOKEN)

    await told({"CallStatus": "ringing"}, token="token-of-the-next", door=door)
    await told({"Digits": "2"}, "menu=main", token="token-of-the-next", door=door)

    assert [one.name for one in door.touchpoints] == ["call_started", "menu_choice"]


RINGING, CHOICE = {"CallStatus": "ringing"}, {"Digits": "2", "CallStatus": "in-progress"}
RECORDED = {"RecordingSid": "RE1", "RecordingSource": "RecordVerb"}
OVER = {name: ENDED[name] for name in ("CallbackSource", "CallDuration", "CallStatus")}
ANOTHER = {"CallSid": "CA-2"}


async def refused(fields, door, token):
    with pytest.raises(Unauthorised) as caught:
        await told(fields, "menu=main", token=token, door=door)
    return caught.value.reason


async def test_what_was_recorded_of_a_call_is_refused_once_the_call_is_over():
    door = signing_door("twilio", TWILIO_TOKEN)
    await told(RINGING, "menu=main", token="t-1", door=door)
    await told(CHOICE, "menu=main", token="t-2", door=door)
    await told(OVER, token="t-3", door=door)
    door.later(seconds=300)
    await told(CHOICE, "menu=main", token="t-4", door=door)  # It may have been on its way.
    door.later(seconds=1)

    assert await refused(CHOICE, door, "t-5") == Reason.SIGNATURE_EXPIRED
    assert await refused(CHOICE, door, None) == Reason.SIGNATURE_EXPIRED
    await told(CHOICE, "menu=main", token="t-2", door=door)  # Sent again, and absorbed.
    await told(RECORDED, token="t-6", door=door)  # A recording is told of when it is ready.
    await told(CHOICE | ANOTHER, "menu=main", token="t-7", door=door)
    names = [one.name for one in door.touchpoints]
    assert names == [
        *("call_started", "menu_choice", "call_ended", "menu_choice", "voicemail", "menu_choice")
    ]
    assert door.counted("touchpoints_rejected_total", reason="signature_expired") == 2


async def test_what_was_recorded_of_a_call_is_refused_however_it_is_cut():
    door = signing_door("twilio", TWILIO_TOKEN)
    await told(CHOICE, "menu=main", token="t-1", door=door)
    await told(OVER, token="t-2", door=door)
    door.later(hours=1)
    pairs = list((CALL | CHOICE).items())
    url = f"{BASE}/ivr/twilio?menu=main"
    signature = {"X-Twilio-Signature": twilio_signature(url, pairs)}
    cut = form([("CallSi", "dCA1"), *(pair for pair in pairs if pair[0] != "CallSid")])

    with pytest.raises(Unauthorised) as caught:
        await door.listener.receive(cut, request("twilio", signature, url))

    assert caught.value.reason == Reason.SIGNATURE_INVALID
    assert len(door.touchpoints) == 2


async def test_a_call_whose_end_nobody_told_is_over_after_a_day():
    door = signing_door("twilio", TWILIO_TOKEN)
    await told(RINGING, "menu=main", token="t-1", door=door)
    door.later(hours=24)
    await told(CHOICE, "menu=main", token="t-2", door=door)
    door.later(seconds=1)

    assert await refused(CHOICE, door, "t-3") == Reason.SIGNATURE_EXPIRED
    assert await refused(OVER, door, "t-4") == Reason.SIGNATURE_EXPIRED


async def test_the_calls_that_are_remembered_are_bounded():
    door = signing_door("twilio", TWILIO_TOKEN)
    door.listener._webhooks._calls._calls_max = 2
    for number in range(5):
        await told(OVER | {"CallSid": f"CA-{number}"}, token=f"t-{number}", door=door)

    assert len(door.listener._webhooks._calls._heard) == 2


async def test_a_call_is_not_over_before_its_end_is_durable():
    door = signing_door("twilio", TWILIO_TOKEN)
    door.publisher.down = True
    with pytest.raises(Unavailable):
        await told(OVER, token="t-1", door=door)
    door.publisher.down = False
    door.later(hours=1)

    await told(CHOICE, "menu=main", token="t-2", door=door)

    assert [one.name for one in door.touchpoints] == ["menu_choice"]
