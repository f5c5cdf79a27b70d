"""What a touchpoint costs in each dialect, beside the native one: touchpoints a CPU-second.

    python -m tests.benchmarks.dialects

Batches of 20 over HTTP on loopback, the publisher in memory, CPU seconds of the server alone. Each
item is what an SDK of that maker writes: a page's events are several times as large as a server's,
so both are shown. What has no batches is measured one by one, its signature checked where its maker
signs. The dialects take turns, several rounds, and the median round counts, since a machine's speed
wanders. Target: 40,000.
"""

import asyncio
import base64
import json
from statistics import median
from typing import Any

from listeners import dialects
from listeners.exchange import Delivery
from tests.benchmarks import vendors
from tests.benchmarks.listener import native, new_listener, over_http, segment

ROUNDS = 5
REQUESTS = 1_000
SINGLES = 4_000
TARGET = 40_000
BATCH = 20

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0"
URL = "https://www.example.com/checkout/payment?step=2"


def tracker(number: int) -> dict[str, str]:
    """An event of a Snowplow tracker on a server."""
    data = {"schema": "iglu:com.example/paid/jsonschema/1-0-0", "data": {"amount": 38.5}}
    event = {"schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"}
    return {
        "e": "ue",
        "eid": f"7f9c2ba4-e88f-827d-6160-{number:012x}",
        "aid": "shop",
        "p": "web",
        "tv": "py-1.1.0",
        "tna": "t",
        "dtm": "1795341845123",
        "stm": "1795341846000",
        "url": URL,
        "uid": f"u-{number // 7}",
        "duid": f"a-{number}",
        "sid": f"s-{number // 5}",
        "ue_px": _base64(event | {"data": data}),
    }


def tracker_page(number: int) -> dict[str, str]:
    """An event of Snowplow's tracker for browsers, with the contexts that it adds by itself."""
    snowplow = "iglu:com.snowplowanalytics.snowplow"
    session = {
        "userId": f"a-{number}",
        "sessionId": f"s-{number // 5}",
        "eventIndex": number,
        "sessionIndex": 1,
        "previousSessionId": None,
        "storageMechanism": "COOKIE_1",
        "firstEventId": f"7f9c2ba4-e88f-827d-6160-{number:012x}",
        "firstEventTimestamp": "2026-11-22T10:04:05.123Z",
    }
    browser = {
        "viewport": "1280x720",
        "documentSize": "1280x2400",
        "resolution": "1920x1080",
        "colorDepth": 24,
        "devicePixelRatio": 1,
        "cookiesEnabled": True,
        "online": True,
        "browserLanguage": "en-US",
        "documentLanguage": "en",
        "webdriver": False,
        "deviceMemory": 8,
        "hardwareConcurrency": 8,
        "tabId": "4acebdd0-dd50-4f54-8fa4-87859e221e60",
    }
    listed = [
        {"schema": f"{snowplow}/web_page/jsonschema/1-0-0", "data": {"id": "c37fc518"}},
        {"schema": f"{snowplow}/browser_context/jsonschema/2-0-0", "data": browser},
        {"schema": f"{snowplow}/client_session/jsonschema/1-0-2", "data": session},
    ]
    contexts = {"schema": f"{snowplow}/contexts/jsonschema/1-0-0", "data": listed}
    return tracker(number) | {
        "e": "pv",
        "page": "Pay for your order",
        "refr": "https://www.example.com/cart",
        "cx": _base64(contexts),
        "lang": "en-US",
        "res": "1920x1080",
        "vp": "1280x720",
        "ds": "1280x2400",
        "cs": "UTF-8",
        "cd": "24",
        "cookie": "1",
        "tz": "Europe/Prague",
        "vid": "3",
    }


def hog(number: int) -> dict[str, Any]:
    """An event of PostHog's SDK for Python."""
    return {
        "event": "Checkout Step Viewed",
        "uuid": f"7f9c2ba4-e88f-827d-6160-{number:012x}",
        "distinct_id": f"u-{number // 7}",
        "timestamp": "2026-11-22T10:04:05.123456+00:00",
        "properties": {
            "amount": 38.5,
            "currency": "EUR",
            "status": 200,
            "$current_url": URL,
            "$session_id": f"s-{number // 5}",
            "$python_runtime": "CPython",
            "$python_version": "3.11.7",
            "$os": "Linux",
            "$lib": "posthog-python",
            "$lib_version": "7.91.1",
            "$geoip_disable": True,
            "$is_server": True,
        },
    }


def hog_page(number: int) -> dict[str, Any]:
    """An event of posthog-js, which tells the browser, the page and the visit each time."""
    event = hog(number)
    visitor = {"distinct_id": f"a-{number}", "$device_id": f"a-{number}", "token": "shop"}
    event["properties"] = visitor | {
        "amount": 38.5,
        "$lib": "web",
        "$lib_version": "1.449.2",
        "$os": "Linux",
        "$browser": "Chrome",
        "$browser_version": 156,
        "$browser_language": "en-US",
        "$browser_language_prefix": "en",
        "$device_type": "Desktop",
        "$timezone": "Europe/Prague",
        "$timezone_offset": -60,
        "$current_url": URL,
        "$host": "www.example.com",
        "$pathname": "/checkout/payment",
        "$raw_user_agent": AGENT,
        "$screen_height": 1080,
        "$screen_width": 1920,
        "$viewport_height": 720,
        "$viewport_width": 1280,
        "$insert_id": f"i{number:015x}",
        "$time": 1795341845.123,
        "$session_id": "01a21958-1e17-7d0b-b4d0-66706661a731",
        "$window_id": "01a21958-1e17-7d0b-b4d0-66716661a731",
        "$pageview_id": "01a21958-1e17-7d0b-b4d0-66726661a731",
        "$is_identified": False,
        "$process_person_profile": False,
        "$referrer": "https://www.example.com/cart",
        "$referring_domain": "www.example.com",
        "$session_entry_url": "https://www.example.com/",
        "$session_entry_host": "www.example.com",
        "$session_entry_pathname": "/",
        "$session_entry_referrer": "$direct",
        "$configured_session_timeout_ms": 1800000,
        "$autocapture_disabled_server_side": False,
        "$web_vitals_enabled_server_side": False,
        "$lib_rate_limit_remaining_tokens": 99,
        "title": "Pay for your order",
    }
    return event


def cloud(number: int) -> dict[str, Any]:
    """A structured CloudEvent."""
    return {
        "specversion": "1.0",
        "id": f"7f9c2ba4-e88f-827d-6160-{number:012x}",
        "source": "/channels/web",
        "type": "com.example.checkout_step_viewed",
        "subject": f"u-{number // 7}",
        "time": "2026-11-22T10:04:05.123Z",
        "datacontenttype": "application/json",
        "sessionid": f"s-{number // 5}",
        "data": {"status": 200, "amount": 38.5, "currency": "EUR", "url": URL},
    }


def _base64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()


TP2 = "/com.snowplowanalytics.snowplow/tp2"
SENT = "2026-11-22T10:05:00Z"
DIALECTS: dict[str, tuple[Any, str, str]] = {
    "native": ([native(n) for n in range(BATCH)], "/v1/touchpoints", "application/json"),
    "Segment, RudderStack": (
        {"batch": [segment(n) for n in range(BATCH)], "sentAt": SENT},
        "/v1/batch",
        "application/json",
    ),
    "Snowplow, a server": ({"data": [tracker(n) for n in range(BATCH)]}, TP2, "application/json"),
    "Snowplow, a page": (
        {"data": [tracker_page(n) for n in range(BATCH)]},
        TP2,
        "application/json",
    ),
    "PostHog, a server": (
        {"api_key": "shop", "batch": [hog(n) for n in range(BATCH)], "sent_at": SENT},
        "/batch/",
        "application/json",
    ),
    "PostHog, a page": (
        {"api_key": "shop", "batch": [hog_page(n) for n in range(BATCH)], "sent_at": SENT},
        "/e/",
        "text/plain",
    ),
    "CloudEvents": (
        [cloud(n) for n in range(BATCH)],
        "/v1/events",
        "application/cloudevents-batch+json",
    ),
    "Rasa": ([vendors.rasa(n) for n in range(BATCH)], "/chatbot/rasa", "application/json"),
    "Bot Framework": (
        [vendors.activity(n) for n in range(BATCH)],
        "/chatbot/botframework",
        "application/json",
    ),
    "Asterisk": (
        {"bridge": "pbx-1", "sent_at": SENT, "events": [vendors.step(n) for n in range(BATCH)]},
        "/ivr/asterisk",
        "application/json",
    ),
    "Amazon Connect": (
        [vendors.contact(n) for n in range(BATCH)],
        "/ivr/amazon-connect",
        "application/json",
    ),
    "Amazon Connect, Firehose": (
        vendors.delivery(BATCH),
        "/ivr/amazon-connect",
        "application/json",
    ),
    "Dialogflow's log": (
        [vendors.turn(n) for n in range(BATCH)],
        "/chatbot/dialogflow",
        "application/json",
    ),
    "Twilio's event streams": (
        [vendors.studio(n) for n in range(BATCH)],
        "/ivr/twilio",
        "application/json",
    ),
}


async def main() -> None:
    bodies = {name: json.dumps(one[0]).encode() for name, one in DIALECTS.items()}
    for name, (_, path, kind) in DIALECTS.items():  # A refusal would be quick, too.
        spoken = next(
            dialect
            for dialect, row in dialects.DIALECTS.items()
            for route in row.routes
            if route.path == path.rstrip("/")
        )
        listener, _, _ = new_listener()
        delivery = Delivery(spoken, headers={"Content-Type": kind})
        receipt = await listener.receive(bodies[name], delivery)
        assert (receipt.accepted, receipt.rejected) == (BATCH, 0), name
    spent: dict[str, list[float]] = {name: [] for name in DIALECTS}
    for _ in range(ROUNDS):
        for name, (_, path, kind) in DIALECTS.items():
            spent[name].append(await over_http(bodies[name], REQUESTS, path, kind))
    native_speed = BATCH / median(spent["native"])
    print(f"batches of {BATCH} over HTTP, touchpoints a CPU-second (target {TARGET:,})")
    for name, seconds in spent.items():
        told(name, BATCH / median(seconds), native_speed, len(bodies[name]) // BATCH)
    await singly()


async def singly() -> None:
    """What has no batches, signatures checked where its maker signs."""
    spent: dict[str, list[float]] = {name: [] for name in vendors.SINGLES}
    for _ in range(ROUNDS):
        for name, (body, path, kind, headers, settings, _) in vendors.SINGLES.items():
            cost = await over_http(body, SINGLES, path, kind, headers, **settings)
            spent[name].append(cost)
    print("one by one over HTTP, touchpoints a CPU-second (no batches exist)")
    native_speed = 1 / median(spent["native"])
    for name, one in vendors.SINGLES.items():
        speed = one.touchpoints / median(spent[name])
        told(name, speed, native_speed, len(one.body) // one.touchpoints)


def told(name: str, speed: float, native_speed: float, bytes_each: int) -> None:
    print(
        f"  {name:25} {speed:8,.0f}   {speed / native_speed:4.2f} of native, "
        f"{bytes_each:5,} bytes an item"
    )


if __name__ == "__main__":
    asyncio.run(main())
