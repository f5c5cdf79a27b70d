"""Events as Snowplow's trackers write them."""

import base64
import json
from datetime import timedelta

from tests.unit.listeners.doors import NOON

EVENT = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
CONTEXTS = "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1"
NOBODY = "00000000-0000-0000-0000-000000000000"


def millis(at):
    return str(round(at.timestamp() * 1000))


def event(kind="pv", **changes):
    """An event as a browser's tracker writes it: all strings."""
    written = {
        "e": kind,
        "eid": "e-1",
        "aid": "shop-app",
        "p": "web",
        "tv": "js-4.10.1",
        "url": "https://shop.example.com/billing?utm_source=mail&utm_campaign=spring&x=1",
        "page": "Billing",
        "refr": "https://shop.example.com/",
        "duid": "d-1",
        "sid": "s-1",
        "vid": "3",
        "dtm": millis(NOON - timedelta(minutes=1)),
        "stm": millis(NOON),
        **changes,
    }
    return {key: value for key, value in written.items() if value is not None}


def self_describing(vendor, name, data):
    return {"schema": f"iglu:{vendor}/{name}/jsonschema/1-0-0", "data": data}


def encoded(value, *, padded=True):
    text = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    return text if padded else text.rstrip("=")


def described(name, data, vendor="com.example", **changes):
    inner = self_describing(vendor, name, data)
    return event("ue", ue_px=encoded({"schema": EVENT, "data": inner}), **changes)


def contexts(*named):
    return {"schema": CONTEXTS, "data": list(named)}


def client_session(**data):
    return self_describing("com.snowplowanalytics.snowplow", "client_session", data)
