"""One customer's web visit by Snowplow's tracker, and one look at the app by RudderStack's SDK.

    python one_customer.py {web|app} http://127.0.0.1:8080 MINUTES

Run as a process of its own by `tests/integration/test_four_channels.py`; what it does happened as
many minutes ago.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

SHOP = "https://shop.example.com"


def web(url: str, began: datetime) -> None:
    """Looks at the bill as a visitor, logs in, opens the payment."""
    from snowplow_tracker import Emitter, PageView, Subject, Tracker

    where = urlsplit(url)
    emitter = Emitter(where.hostname, protocol="http", port=where.port, batch_size=10)
    subject = Subject().set_platform("web").set_domain_user_id("d-shop-1")
    subject.set_domain_session_id("visit-1")
    tracker = Tracker("shop", emitters=emitter, subject=subject, app_id="shop-web")
    for minute, path in enumerate(("/my/bills", "/my/bills/pay")):
        if path != "/my/bills":
            subject.set_user_id("u-4711")
        at = began + timedelta(minutes=minute)
        tracker.track(PageView(SHOP + path, "Bills", true_timestamp=at.timestamp() * 1000))
    tracker.flush()
    while emitter.event_store.size() or emitter.retry_timer.is_active():
        time.sleep(0.05)


def app(url: str, began: datetime) -> None:
    """Says who it is, opens the payment, which the server refuses."""
    from rudderstack.analytics.client import Client

    client = Client("shop-app", host=url)
    context = {"device": {"id": "install-1", "type": "android"}, "sessionId": 7}
    told = {"user_id": "u-4711", "context": context}
    client.identify(traits={"phone": "+44 20 7946 0042"}, timestamp=began, **told)
    client.screen(name="Bill/Pay", timestamp=began + timedelta(seconds=5), **told)
    client.track(
        event="payment_failed",
        properties={"status": 502},
        timestamp=began + timedelta(seconds=20),
        **told,
    )
    client.flush()
    client.join()


if __name__ == "__main__":
    what, address, minutes = sys.argv[1:]
    now = datetime.now(UTC)  # noqa: TID251 - the SDKs' clock, too
    {"web": web, "app": app}[what](address, now - timedelta(minutes=int(minutes)))
