"""Every SDK for Python, told to send to one address; run as a process of its own.

    python python_sdks.py http://127.0.0.1:8080 [--without=snowplow]

Each has a key of its own and does what its function says; `tests/integration/test_sdks.py` knows
it, too. A line `SDK seconds` is printed as each is done.
"""

import logging
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import urlsplit

import requests  # before the threads begin, which would each find it half imported

HAPPENED = datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
URL = "https://shop.example.com/billing"
PAGE = {
    "page": {"path": "/billing", "url": URL},
    "sessionId": "s-1",
    "campaign": {"name": "spring", "source": "mail"},
}
TAGGED = f"{URL}?utm_campaign=spring&utm_source=mail"


def segment(url: str, key: str, gzip: bool = False) -> None:
    from segment.analytics import Client

    client = Client(key, host=url, gzip=gzip, max_retries=10)
    _segment_calls(client)
    client.identify("u-1", {"email": "Ann@example.com", "plan": "gold"}, anonymous_id="a-1")
    client.flush()
    client.join()


def rudderstack(url: str, key: str, gzip: bool = True) -> None:
    from rudderstack.analytics.client import Client

    client = Client(key, host=url, gzip=gzip)
    _segment_calls(client)
    client.identify("u-1", {"email": "Ann@example.com", "plan": "gold"}, anonymous_id="a-1")
    client.flush()
    client.join()


def _segment_calls(client) -> None:
    client.page(anonymous_id="a-1", name="Billing", context=PAGE, timestamp=HAPPENED)
    client.screen(anonymous_id="a-1", name="Balance", timestamp=HAPPENED)
    client.track(user_id="u-1", anonymous_id="a-1", event="Paid", properties={"status": 502})
    client.alias("a-1", "u-1")
    client.group("u-1", "g-1", {"name": "Acme"})


def snowplow(url: str, key: str, method: str = "post", base64: bool = True) -> None:
    from snowplow_tracker import (
        Emitter,
        PageView,
        ScreenView,
        SelfDescribing,
        SelfDescribingJson,
        StructuredEvent,
        Subject,
        Tracker,
    )

    where = urlsplit(url)
    emitter = Emitter(where.hostname, protocol="http", port=where.port, method=method)

    def sent() -> None:
        tracker.flush()
        while emitter.event_store.size() or emitter.retry_timer.is_active():
            time.sleep(0.05)

    subject = Subject().set_platform("web").set_user_id("u-1").set_domain_user_id("a-1")
    subject.set_domain_session_id("s-1").set_network_user_id("n-1")
    tracker = Tracker("t", emitters=emitter, subject=subject, app_id=key, encode_base64=base64)
    context = [SelfDescribingJson("iglu:com.example/mission/jsonschema/1-0-0", {"step": 1})]
    at = HAPPENED.timestamp() * 1000
    events = [
        PageView(TAGGED, "Billing ☎", context=context, true_timestamp=at),
        StructuredEvent("billing", "pay", "button", "card", 12.5),
        SelfDescribing(
            SelfDescribingJson("iglu:com.example/bill_paid/jsonschema/1-0-0", {"status": 502})
        ),
        ScreenView("00000000-0000-0000-0000-000000000007", "Balance"),
    ]
    for event in events:
        tracker.track(event)
        if method == "get":  # One by one: it judges several at once by the last one's answer.
            sent()
    sent()


def posthog(url: str, key: str, gzip: bool = False, mode: str = "v0", packed: str = "none") -> None:
    from posthog import Posthog

    client = Posthog(
        key, host=url, gzip=gzip, flush_interval=0.2, capture_mode=mode, capture_compression=packed
    )
    page = {"$current_url": URL, "$session_id": "s-1"}
    page |= {"utm_campaign": "spring", "utm_source": "mail"}
    client.capture("$pageview", distinct_id="u-1", properties=page, timestamp=HAPPENED)
    client.capture("Paid", distinct_id="u-1", properties={"status": 502})
    client.set(distinct_id="u-1", properties={"email": "Ann@example.com", "plan": "gold"})
    client.alias(previous_id="a-1", distinct_id="u-1")
    client.group_identify("company", "acct-9", {"name": "Acme"})
    client.capture("quiet", distinct_id="a-2", properties={"$process_person_profile": False})
    client.flush()
    client.shutdown()


def cloudevents(url: str, key: str) -> None:
    """The package only encodes; sending, and sending again, is its caller's."""
    from cloudevents.core.bindings.http import to_binary_event, to_structured_event
    from cloudevents.core.v1.event import CloudEvent

    for number, encode in enumerate((to_structured_event, to_binary_event)):
        attributes = {
            "id": str(number),
            "source": "/channels/web",
            "type": "com.example.bill_paid",
            "specversion": "1.0",
            "subject": "u-1",
            "time": HAPPENED,
            "datacontenttype": "application/json",
            "sessionid": "s-1",
        }
        message = encode(
            CloudEvent(attributes, {"url": "https://x.example.com/pay", "status": 502})
        )
        while True:
            answer = requests.post(
                url + "/v1/events",
                data=message.body,
                headers={**message.headers, "Authorization": f"Bearer {key}"},
                timeout=10,
            )
            if answer.status_code not in (429, 503):
                break
            time.sleep(float(answer.headers["Retry-After"]))
        answer.raise_for_status()


SDKS: dict[str, Callable[[str, str], None]] = {
    "segment-python": segment,
    "rudderstack-python": rudderstack,
    "rudderstack-python-plain": lambda url, key: rudderstack(url, key, gzip=False),
    "snowplow-python": snowplow,
    "snowplow-python-get": lambda url, key: snowplow(url, key, "get", base64=False),
    "posthog-python": posthog,
    "posthog-python-gzip": lambda url, key: posthog(url, key, gzip=True),
    "posthog-python-v1": lambda url, key: posthog(url, key, mode="v1", packed="deflate"),
    "cloudevents-python": cloudevents,
}


def main(url: str, without: str = "--without=none") -> None:
    logging.disable(logging.CRITICAL)

    def run(name: str) -> str:
        started = time.monotonic()
        SDKS[name](url, name)
        return f"{name} {time.monotonic() - started:.1f}"

    family = without.partition("=")[2]
    wanted = [name for name in SDKS if not name.startswith(family)]
    with ThreadPoolExecutor(len(wanted)) as threads:
        for line in threads.map(run, wanted):
            sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
