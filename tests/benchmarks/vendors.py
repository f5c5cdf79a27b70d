"""Batches of vendors, as large as theirs are, for `dialects`."""

from typing import Any


def rasa(number: int) -> dict[str, Any]:
    """A turn of the customer, as Rasa's tracker tells it."""
    ranking = [
        {"name": name, "confidence": confidence}
        for name, confidence in (("pay_bill", 0.9), ("greet", 0.05), ("goodbye", 0.02))
    ]
    return {
        "sender_id": f"u-{number // 7}",
        "event": "user",
        "timestamp": 1795341845.123 + number,
        "metadata": {"model_id": "m-1", "assistant_id": "bot"},
        "text": "I want to pay my bill",
        "parse_data": {
            "intent": ranking[0],
            "intent_ranking": ranking,
            "entities": [{"entity": "bill_type", "value": "gas", "start": 14, "end": 21}],
            "text": "I want to pay my bill",
            "message_id": f"m-{number}",
        },
        "input_channel": "rest",
        "message_id": f"m-{number}",
    }


def activity(number: int) -> dict[str, Any]:
    """A message in the Bot Framework."""
    return {
        "type": "message",
        "id": f"act-{number}",
        "timestamp": "2026-11-22T10:04:05.123Z",
        "localTimestamp": "2026-11-22T10:04:05.123Z",
        "serviceUrl": "https://directline.botframework.com/",
        "channelId": "directline",
        "from": {"id": f"dl_u-{number // 7}", "name": "customer", "role": "user"},
        "conversation": {"id": f"conv-{number // 5}"},
        "recipient": {"id": "bot-1", "name": "Bot", "role": "bot"},
        "textFormat": "plain",
        "locale": "en-GB",
        "text": "I want to pay my bill",
        "channelData": {"clientActivityID": f"c-{number}"},
    }


def step(number: int) -> dict[str, str]:
    """A step of Asterisk's dial plan."""
    return {
        "id": f"pbx-1/20261122T100405/{number}",
        "Event": "Newexten",
        "Timestamp": f"{1795341845 + number}.123000",
        "Privilege": "dialplan,all",
        "Channel": "PJSIP/trunk-00000011",
        "Uniqueid": f"1795341845.{number // 5}",
        "Linkedid": f"1795341845.{number // 5}",
        "CallerIDNum": "+442079460042",
        "Context": "ivr-main",
        "Exten": "s",
        "Priority": "2",
        "Application": "Background",
        "AppData": "main-menu",
    }


def contact(number: int) -> dict[str, Any]:
    """A contact record of Amazon Connect, without the fields that are null."""
    return {
        "AWSAccountId": "111122223333",
        "Agent": {"Username": "agent-7", "AgentInteractionDuration": 150, "NumberOfHolds": 1},
        "Attributes": {"menuPath": "main>billing>pay", "noInputCount": "1", "customerId": "u-1"},
        "Channel": "VOICE",
        "ContactId": f"c0000000-0000-0000-0000-{number:012x}",
        "CustomerEndpoint": {"Address": "+442079460042", "Type": "TELEPHONE_NUMBER"},
        "DisconnectReason": "CUSTOMER_DISCONNECT",
        "DisconnectTimestamp": "2026-11-22T10:03:37Z",
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2026-11-22T09:58:05Z",
        "InstanceARN": "arn:aws:connect:eu-central-1:111122223333:instance/1",
        "LastUpdateTimestamp": "2026-11-22T10:04:00Z",
        "Queue": {"Name": "Billing", "Duration": 73, "EnqueueTimestamp": "2026-11-22T09:59:20Z"},
    }
