import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.listeners.doors import Door, properties, written
from tests.unit.listeners.signing import request


def at(minute, second=0):
    return f"2026-11-22T11:{minute:02}:{second:02}.000Z"


def event(kind, **detail):
    told = {
        "eventType": kind,
        "contactId": "c-2",
        "initialContactId": "c-1",
        "channel": "VOICE",
        "initiationMethod": "INBOUND",
        "initiationTimestamp": at(50),
        "instanceArn": "arn:aws:connect:x",
        **detail,
    }
    return {
        "id": f"e-{kind}",
        "detail-type": "Amazon Connect Contact Event",
        "time": at(58, 59),
        "detail": {name: one for name, one in told.items() if one is not None},
    }


def record(**fields):
    return {
        "ContactId": "c-1",
        "InitialContactId": None,
        "Channel": "VOICE",
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2026-11-22T11:50:00Z",
        "DisconnectTimestamp": "2026-11-22T11:55:32Z",
        "LastUpdateTimestamp": "2026-11-22T11:57:00Z",
        "DisconnectReason": "CUSTOMER_DISCONNECT",
        "InstanceARN": "arn:aws:connect:x",
        "CustomerEndpoint": {"Address": "+442079460042"},
        **fields,
    }


QUEUE = {"enqueueTimestamp": at(51, 15), "queueArn": "arn:q"}
AGENT = {"connectedToAgentTimestamp": at(52, 28), "agentArn": "arn:a"}


async def told(*values, body=None):
    door = Door()
    text = body if body is not None else b"".join(written(one) for one in values)
    receipt = await door.listener.receive(text, request("amazon-connect", {}))
    assert receipt.fault is None
    return door.touchpoints


@pytest.mark.parametrize(
    ("kind", "detail", "clock", "signals", "measured"),
    [
        ("INITIATED", {}, "11:50:00", (), {}),
        ("CONNECTED_TO_SYSTEM", {"connectedToSystemTimestamp": at(50, 1)}, "11:50:01", (), {}),
        ("QUEUED", {"queueInfo": QUEUE}, "11:51:15", (), {}),
        ("CONNECTED_TO_AGENT", {"queueInfo": QUEUE, "agentInfo": AGENT}, "11:52:28",
         ("transfer",), {"queue_s": 73}),
        ("CONNECTED_TO_AGENT", {"agentInfo": AGENT, "initiationMethod": "OUTBOUND"}, "11:52:28",
         (), {}),
        ("DISCONNECTED", {"queueInfo": QUEUE, "disconnectTimestamp": at(53)}, "11:53:00",
         ("queue_abandoned", "hangup"), {"queue_s": 105, "duration_s": 180, "hangup_by": "caller"}),
        ("DISCONNECTED",
         {"queueInfo": QUEUE, "agentInfo": AGENT, "disconnectTimestamp": at(57)}, "11:57:00",
         ("hangup",), {"queue_s": 73, "duration_s": 420, "hangup_by": "unknown"}),
        ("DISCONNECTED", {"disconnectTimestamp": at(57), "disconnectReason": "TELECOM_PROBLEM"},
         "11:57:00", ("hangup", "hangup_by_system"), {"hangup_by": "system"}),
        ("PAUSED", {}, "11:58:59", (), {}),
        ("INITIATED", {"initiationTimestamp": "1970-01-01T00:00:00.001Z"}, "11:58:59", (), {}),
    ],
)  # fmt: skip
async def test_each_event_happened_at_its_own_time(kind, detail, clock, signals, measured):
    (one,) = await told(event(kind, **detail))

    assert (one.id, one.name, one.channel, one.session_hint) == (f"e-{kind}", kind, "ivr", "c-1")
    assert one.occurred_at.time().isoformat() == clock
    assert (one.signals, one.identifiers) == (signals, {})
    assert measured.items() <= properties(one).items()
    assert "arn" not in json.dumps(properties(one))


async def test_keys_in_the_other_spelling_say_the_same():
    pascal = {name[0].upper() + name[1:]: one for name, one in event("X")["detail"].items()}
    pascal |= {"EventType": "Disconnected", "Channel": "Voice", "DisconnectTimestamp": at(53)}
    pascal["QueueInfo"] = {"EnqueueTimestamp": at(51, 15)}

    (one,) = await told(event("X") | {"detail": pascal})

    assert (one.name, one.session_hint, one.channel) == ("DISCONNECTED", "c-1", "ivr")
    assert one.signals == ("queue_abandoned", "hangup")


async def test_a_chat_is_a_chat_and_a_first_contact_is_its_own_session():
    (one,) = await told(event("INITIATED", channel="CHAT", initialContactId=None))

    assert (one.channel, one.session_hint) == ("chatbot", "c-2")


async def test_a_record_is_the_whole_call_at_its_end():
    (one,) = await told(
        record(
            Attributes={
                "menuPath": "main>billing> pay",
                "noInputCount": "1",
                "noMatchCount": "0",
                "lastIntent": "pay_bill",
                "customerId": "u-42",
            },
            Queue={"Name": "Billing", "Duration": 73, "ARN": "arn:q"},
            Agent={"Username": "agent-7", "AgentInteractionDuration": 150,
                   "CustomerHoldDuration": 34, "ARN": "arn:a"},
        )
    )  # fmt: skip

    assert (one.name, one.location, one.intent) == ("contact_record", "pay", "pay_bill")
    assert one.occurred_at.time().isoformat() == "11:55:31.999912"  # younger than its end by 88 s
    assert one.signals == ("no_input", "transfer", "hangup")
    assert one.identifiers["user_id"] == "u-42"
    assert set(one.identifiers) == {"user_id", "caller_number"}
    kept = properties(one)
    assert {name: kept[name] for name in kept if name.endswith("_s")} == {
        "duration_s": 332, "queue_s": 73, "talk_s": 150, "hold_s": 34,
    }  # fmt: skip
    assert kept["hangup_by"] == "caller"
    assert kept["Agent"]["Username"] == "agent-7"
    assert kept["Attributes"]["menuPath"] == "main>billing> pay"
    assert "arn:" not in json.dumps(kept)
    assert "+44" not in json.dumps(kept)


@pytest.mark.parametrize(
    ("reason", "by", "more"),
    [
        ("CUSTOMER_DISCONNECT", "caller", ()),
        ("AGENT_DISCONNECT", "agent", ()),
        ("CONTACT_FLOW_DISCONNECT", "system", ()),
        ("TELECOM_PROBLEM", "system", ("hangup_by_system",)),
        ("EXPIRED", "system", ("hangup_by_system",)),
        ("THIRD_PARTY_DISCONNECT", "unknown", ()),
        ("OTHER", "unknown", ()),
        (None, "unknown", ()),
    ],
)
async def test_who_hung_up(reason, by, more):
    (one,) = await told(record(DisconnectReason=reason))

    assert properties(one)["hangup_by"] == by
    assert one.signals == ("hangup", *more)


async def test_a_queue_without_an_agent_was_left_and_names_the_place():
    (one,) = await told(record(Queue={"Name": "Billing", "Duration": 148}, Agent=None))

    assert (one.location, one.signals) == ("Billing", ("queue_abandoned", "hangup"))


@pytest.mark.parametrize(
    ("updated", "microseconds"),
    [
        (None, 0),
        ("1970-01-01T00:00:00.001Z", 0),
        ("2026-11-22T11:55:00Z", 0),
        ("2026-11-22T11:55:32Z", 0),
        ("2026-11-22T11:55:33Z", 1),
        ("2026-11-22T11:59:02Z", 210),
        ("2027-11-22T11:55:32Z", 999_999),
    ],
)
async def test_a_record_written_again_is_the_same_touchpoint_and_goes_before_it(
    updated, microseconds
):
    (one,) = await told(record(LastUpdateTimestamp=updated))

    end = datetime(2026, 11, 22, 11, 55, 32, tzinfo=UTC)
    assert (one.id, end - one.occurred_at) == ("c-1", timedelta(microseconds=microseconds))


async def test_a_record_of_a_contact_that_has_not_ended_is_of_its_last_update():
    (one,) = await told(record(DisconnectTimestamp=None))

    assert one.occurred_at.time().isoformat() == "11:57:00"


async def test_firehose_delivers_records_back_to_back_and_reads_its_own_id():
    door = Door()
    pair = written(record()) + written(record(ContactId="c-9"))
    delivered = {
        "requestId": "req-1",
        "timestamp": 1795348800000,
        "records": [
            {"data": base64.b64encode(pair).decode()},
            {"data": base64.b64encode(written(record(ContactId="c-10"))).decode()},
            {"data": "not base64!"},
        ],
    }

    receipt = await door.listener.receive(written(delivered), request("amazon-connect", {}))

    assert [one.id for one in door.touchpoints] == ["c-1", "c-9", "c-10"]
    assert (receipt.accepted, receipt.rejected) == (3, 1)
    assert len(door.letters) == 1
    assert json.loads(receipt.answer.body) == {"requestId": "req-1", "timestamp": 1795348800000}


@pytest.mark.parametrize("between", [b"", b"\n", b" \n "])
async def test_records_of_a_stream_need_nothing_between_them(between):
    body = between.join([written(record()), written(record(ContactId="c-9"))])

    assert [one.id for one in await told(body=body)] == ["c-1", "c-9"]


async def test_attributes_are_kept_whole_whatever_they_are_called():
    own = {"learn": "yes", "customerId": "u-42", "plan": None}
    (one,) = await told(record(Attributes=own))
    (other,) = await told(record(Attributes="none"))

    assert properties(one)["Attributes"] == {"learn": "yes", "plan": None}
    assert properties(other)["Attributes"] == "none"


async def test_an_array_behind_a_record_is_cut_too():
    body = written(record()) + written([record(ContactId="c-9"), record(ContactId="c-10")])

    assert [one.id for one in await told(body=body)] == ["c-1", "c-9", "c-10"]


async def test_what_only_looks_like_a_delivery_is_read_as_it_is():
    mail = record(Attributes={"requestId": "r-1", "records": "two"})

    (one,) = await told(mail)

    assert properties(one)["Attributes"] == {"requestId": "r-1", "records": "two"}
