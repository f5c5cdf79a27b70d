"""Requests of one Twilio call, signed, and what becomes of them."""

from tests.unit.listeners.signing import (
    BASE,
    TWILIO_TOKEN,
    form,
    request,
    signing_door,
    twilio_signature,
)

CALL = {
    "CallSid": "CA1",
    "AccountSid": "AC1",
    "From": "+442079460042",
    "To": "+18005551212",
    "CallStatus": "in-progress",
    "Direction": "inbound",
    "FromCity": "",
    "CallToken": "secret-of-the-call",
}


async def told(fields, query="", token="token-1", door=None, **source):
    """The touchpoint that one signed request becomes."""
    door = door or signing_door("twilio", TWILIO_TOKEN, channel="ivr", **source)
    pairs = [(name, str(value)) for name, value in (CALL | fields).items() if value is not None]
    url = f"{BASE}/ivr/twilio" + (f"?{query}" if query else "")
    headers = {"X-Twilio-Signature": twilio_signature(url, pairs)}
    if token:
        headers["I-Twilio-Idempotency-Token"] = token
    receipt = await door.listener.receive(form(pairs), request("twilio", headers, url))
    assert receipt.fault is None
    return door.touchpoints[-1]
