"""Segment's own SDK, unchanged, against a running listener."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests.unit.listeners.doors import SHOP, Door, properties

analytics = pytest.importorskip("segment.analytics")

HAPPENED = datetime(2026, 11, 22, 11, 30, tzinfo=UTC)


def use_the_sdk(url: str, *, gzip: bool) -> list[object]:
    """Every call of the SDK; what its error hook was told."""
    failures: list[object] = []
    client = analytics.Client(
        "shop-key", host=url, gzip=gzip, max_retries=0, on_error=lambda *what: failures.append(what)
    )
    context = {"ip": "203.0.113.7", "page": {"path": "/billing"}, "sessionId": "s-1"}
    client.page(
        anonymous_id="a-1", category="Help", name="Billing", context=context, timestamp=HAPPENED
    )
    client.screen(anonymous_id="a-1", name="Balance", timestamp=HAPPENED)
    client.track(
        user_id="u-1",
        anonymous_id="a-1",
        event="Payment Failed",
        properties={"status": 502, "amount": 12.5, "word": "k\u016f\u0148"},
        timestamp=HAPPENED,
        message_id="m-1",
    )
    client.identify("u-1", {"email": "Ann@example.com", "plan": "gold"}, anonymous_id="a-1")
    client.alias("a-1", "u-1")
    client.group("u-1", "g-1", {"name": "Acme"})
    client.track(user_id=42, event="Numeric")
    client.flush()
    client.join()
    return failures


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
async def test_the_sdk_delivers_every_call_unchanged(gzip):
    door = Door(sources=[{key: value for key, value in SHOP.items() if key != "channel"}])

    async with door.served() as url:
        failures = await asyncio.to_thread(use_the_sdk, url, gzip=gzip)

    assert failures == []
    page, screen, track, identify, alias, group, numeric = door.touchpoints
    assert {one.source for one in door.touchpoints} == {"shop"}
    assert (page.name, page.channel, page.location) == ("Billing", "web", "/billing")
    assert (page.session_hint, page.occurred_at) == ("s-1", HAPPENED)
    assert (properties(page)["category"], "ip" in properties(page)["context"]) == ("Help", False)
    assert (screen.name, screen.channel, screen.location) == ("Balance", "app", "Balance")
    assert (track.id, track.name, track.signals) == ("m-1", "Payment Failed", ("http_5xx",))
    assert track.identifiers == {"anonymous_id": "a-1", "user_id": "u-1"}
    assert properties(track)["amount"] == 12.5
    assert properties(track)["word"] == "k\u016f\u0148"
    assert identify.identifiers.keys() == {"anonymous_id", "user_id", "email"}
    assert b"nn@example" not in bytes(identify.properties)
    assert alias.identifiers == {"user_id": "u-1", "previous_id": "a-1"}
    assert properties(group)["groupId"] == "g-1"
    assert {one.signals for one in (identify, alias, group)} == {("identity_only",)}
    assert numeric.identifiers == {"user_id": "42"}


async def test_the_sdk_gives_up_on_an_unknown_key_and_each_loss_is_counted():
    door = Door(sources=[SHOP | {"keys": ["sha256:" + "0" * 64]}])

    async with door.served() as url:
        failures = await asyncio.to_thread(use_the_sdk, url, gzip=False)

    assert failures != []
    assert door.publisher.records == []
    assert door.counted("touchpoints_rejected_total", reason="key_unknown") == len(failures)
