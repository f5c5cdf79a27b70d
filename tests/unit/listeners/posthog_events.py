"""Events as PostHog's SDKs write them."""

from tests.unit.listeners.doors import written

BROWSER = {
    "$lib": "web",
    "$lib_version": "1.449.2",
    "distinct_id": "v-1",
    "$device_id": "v-1",
    "$is_identified": False,
    "$session_id": "s-1",
    "$window_id": "w-1",
    "$current_url": "https://shop.example.com/billing?utm_source=mail",
    "$pathname": "/billing",
    "utm_source": "mail",
    "utm_campaign": "spring",
    "token": "shop-key",
    "$sdk_debug_session_start": 1,
}
SERVER = {"$lib": "posthog-python", "$is_server": True}
PHONE = {"$lib": "posthog-android", "$is_identified": False, "$screen_name": "Balance"}


def event(name="$pageview", *, of=BROWSER, top=None, **props):
    distinct = props.pop("distinct_id", of.get("distinct_id", "v-1"))
    return {
        "event": name,
        "uuid": "e-1",
        "distinct_id": distinct,
        "timestamp": "2026-11-22T11:59:00.123Z",
        "properties": {**of, **props},
        **(top or {}),
    }


def server(name, distinct, top=None, **props):
    return event(name, of=SERVER, top=top, distinct_id=distinct, **props)


async def send(door, *events, call=None, **more):
    body = {"api_key": "shop-key", "batch": list(events), **more}
    return await door.raw(written(body), "posthog", call=call)
