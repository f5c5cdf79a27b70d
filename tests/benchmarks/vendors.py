"""Items of vendors, as large as theirs are, for `dialects`: in batches, and what comes alone."""

import base64
import json
from typing import Any, NamedTuple

from tests.benchmarks.listener import AT, native, segment
from tests.unit.listeners import signing


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


def delivery(count: int) -> dict[str, Any]:
    """Contact records as Firehose delivers them."""
    records = [
        {"data": base64.b64encode(json.dumps(contact(number)).encode() + b"\n").decode()}
        for number in range(count)
    ]
    return {"requestId": "r-1", "timestamp": 1795341845000, "records": records}


def turn(number: int) -> dict[str, Any]:
    """A row of Dialogflow's interaction log."""
    conversation = f"projects/p/locations/eu/agents/a1/sessions/s-{number // 5}"
    result = {
        "text": "I want to pay my bill",
        "languageCode": "en",
        "responseMessages": [{"text": {"text": ["How much do you want to pay?"]}}],
        "currentPage": {"displayName": "Pay bill"},
        "intentDetectionConfidence": 0.9,
        "parameters": {"bill_type": "monthly", "user_id": f"u-{number // 7}"},
        "match": {
            "matchType": "INTENT",
            "confidence": 0.9,
            "resolvedInput": "I want to pay my bill",
            "intent": {"displayName": "pay.bill"},
        },
    }
    signals = {
        **dict.fromkeys(("noMatch", "noUserInput", "agentEscalated", "userEscalated"), False),
        **dict.fromkeys(("dtmfUsed", "reachedEndPage", "triggeredAbandonmentEvent"), False),
        "failureReasons": [],
        "sentimentScore": -0.4,
        "sentimentMagnitude": 0.6,
    }
    return {
        "project_id": "p",
        "agent_id": "a1",
        "conversation_name": conversation,
        "turn_position": number,
        "request_time": "2026-11-22T10:04:05.678Z",
        "language_code": "en",
        "request": {
            "session": conversation,
            "queryInput": {"text": {"text": "I want to pay my bill"}, "languageCode": "en"},
            "queryParams": {"channel": "web"},
        },
        "response": {"responseId": f"r-{number}", "queryResult": result},
        "partial_responses": [],
        "derived_data": {},
        "conversation_signals": {"turnSignals": signals},
    }


def studio(number: int) -> dict[str, Any]:
    """A step of a flow, as Twilio's event streams tell it."""
    return {
        "specversion": "1.0",
        "type": "com.twilio.studio.flow.step.ended",
        "source": "/v2/Flows/FW1/Executions/FN1/Steps/FT1",
        "id": f"EZ{number:032x}",
        "dataschema": "https://events-schemas.twilio.com/Studio.FlowStepEvent/2",
        "datacontenttype": "application/json",
        "time": "2026-11-22T10:04:05.678Z",
        "data": {
            "execution_sid": f"FN{number // 5:032x}",
            "account_sid": f"AC{1:032x}",
            "flow_sid": f"FW{1:032x}",
            "step_sid": f"FT{number:032x}",
            "parent_step_sid": None,
            "name": "keypress",
            "transitioned_from": "gather_main_menu",
            "transitioned_to": "split_by_digit",
            "date_created": "2026-11-22T10:04:05.678Z",
        },
    }


class Single(NamedTuple):
    """What a vendor sends one by one.

    Attributes:
        touchpoints: How many come of one request.
    """

    body: bytes
    path: str
    kind: str
    headers: dict[str, str]
    settings: dict[str, Any]
    touchpoints: int = 1


SECRET = "a secret of some length"


def _signed(scheme: str, body: bytes, path: str, kind: str, **more: Any) -> Single:
    source = {"name": "vendor", "signed": scheme, "secrets": [SECRET]}
    settings = {"sources": [source], "public_url": signing.BASE, "identifier_hash_key": SECRET}
    return Single(body, path, kind, more.pop("headers"), settings, **more)


def _gather() -> Single:
    """What a caller pressed: all the fields that Twilio sends."""
    places = [f"{who}{what}" for who in ("Called", "Caller", "From", "To") for what in _PLACES]
    fields = {
        "AccountSid": f"AC{1:032x}",
        "ApiVersion": "2010-04-01",
        "CallSid": f"CA{1:032x}",
        "CallStatus": "in-progress",
        **dict.fromkeys(("Called", "To"), "+18005551212"),
        **dict.fromkeys(("Caller", "From"), "+442079460042"),
        **dict.fromkeys(places, ""),
        "Direction": "inbound",
        "StirVerstat": "TN-Validation-Passed-A",
        "Digits": "2",
        "FinishedOnKey": "",
        "msg": "Gather End",
    }
    pairs, path = list(fields.items()), "/ivr/twilio?menu=main"
    signature = signing.twilio_signature(signing.BASE + path, pairs, SECRET)
    return _signed(
        "twilio",
        signing.form(pairs),
        path,
        "application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature},
    )


_PLACES = ("City", "Country", "State", "Zip")


def _ticket() -> Single:
    ticket = {
        "id": "35436",
        "subject": "Cannot pay my bill",
        "description": "I have tried it twice.",
        "status": "OPEN",
        "priority": "NORMAL",
        "type": "QUESTION",
        "requester_id": "8447388090494",
        "assignee_id": "8447388090495",
        "external_id": "u-42",
        "tags": ["billing"],
        "via": {"channel": "web_messaging"},
        "created_at": "2026-11-22T10:04:05.678Z",
        "updated_at": "2026-11-22T10:04:05.678Z",
        "is_public": True,
    }
    body = json.dumps(
        {
            "type": "zen:event-type:ticket.status_changed",
            "account_id": 22129848,
            "id": "01J16B08B2DC0989207B87F",
            "time": "2026-11-22T10:04:05.678Z",
            "zendesk_event_version": "2022-11-06",
            "subject": "zen:ticket:35436",
            "detail": ticket,
            "event": {"current": "SOLVED", "previous": "OPEN"},
        }
    ).encode()
    headers = signing.zendesk_headers(body, SECRET, AT.isoformat())
    return _signed("zendesk", body, "/v1/notes/zendesk", "application/json", headers=headers)


def _response() -> Single:
    """A form with two scored answers and a text."""
    asked = [("nps", "nps", 9), ("ces", "opinion_scale", 6)]
    answers: list[dict[str, Any]] = [
        {"type": "number", "number": score, "field": {"id": ref, "type": kind, "ref": ref}}
        for ref, kind, score in asked
    ]
    why = {"id": "why", "type": "long_text", "ref": "why"}
    answers.append({"type": "text", "text": "Fast", "field": why})
    fields = [
        {"id": ref, "ref": ref, "type": kind, "title": "How was it?", "properties": {}}
        for ref, kind, _ in asked
    ]
    response = {
        "form_id": "abc12345",
        "token": "01HM3K8N2P9X4ABCDEFGHIJKLM",
        "landed_at": "2026-11-22T10:03:00Z",
        "submitted_at": "2026-11-22T10:04:05Z",
        "hidden": {"user_id": "u-42", "session_id": "s-1", "mission": "pay_bill"},
        "calculated": {"score": 0},
        "definition": {"id": "abc12345", "title": "After your visit", "fields": fields},
        "answers": answers,
    }
    told = {"event_id": "01HM3K8N2P9X4ABCDEFGHIJKLM", "event_type": "form_response"}
    body = json.dumps({**told, "form_response": response}).encode()
    return _signed(
        "typeform",
        body,
        "/v1/surveys/typeform",
        "application/json",
        headers=signing.typeform_headers(body, SECRET),
        touchpoints=2,
    )


def _call() -> Single:
    """A call of Dialogflow's webhook."""
    body = json.dumps(
        {
            "detectIntentResponseId": "r-1",
            "intentInfo": {"displayName": "pay.bill", "confidence": 0.92},
            "pageInfo": {"displayName": "Pay bill"},
            "sessionInfo": {
                "session": "projects/p/locations/eu/agents/a1/sessions/s-1",
                "parameters": {"bill_type": "monthly"},
            },
            "fulfillmentInfo": {"tag": "pay"},
            "text": "I want to pay my bill",
            "languageCode": "en",
        }
    ).encode()
    return Single(body, "/chatbot/dialogflow", "application/json", {}, {})


SINGLES: dict[str, Single] = {
    "native": Single(json.dumps(native(1)).encode(), "/v1/touchpoints", "application/json", {}, {}),
    "Segment, a page": Single(
        json.dumps(segment(1) | {"writeKey": "shop"}).encode(), "/v1/t", "text/plain", {}, {}
    ),
    "Twilio, a signed form": _gather(),
    "Dialogflow's webhook": _call(),
    "Zendesk, signed": _ticket(),
    "Typeform, signed": _response(),
}
"""What has no batches: its maker sends one request for one event, or one response to a form."""
