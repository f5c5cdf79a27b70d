"""The listeners' tests' vocabulary: a listener with fakes behind it, and bodies to give it."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry

from listeners.credentials import hashed
from listeners.listener import Delivery, Listener, Receipt
from listeners.publishers.memory import MemoryPublisher
from listeners.routes import application, runner
from listeners.settings import ListenerSettings
from listeners.telemetry import Telemetry
from schemas.codec import decode
from schemas.letters import DeadLetter
from schemas.records import Touchpoint
from schemas.topics import DEAD_LETTERS, TOUCHPOINTS

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SHOP = {"name": "shop", "keys": [hashed("shop-key")], "channel": "web"}
PAGE = "https://shop.example.com"


class Door:
    """A listener, its clock and what came out of it."""

    def __init__(self, *, listener: type[Listener] = Listener, **settings: Any) -> None:
        if "sources" in settings:
            settings.setdefault("identifier_hash_key", "a key of some length")
        self.settings = ListenerSettings(**settings)
        self.publisher = MemoryPublisher()
        self.registry = CollectorRegistry()
        self.telemetry = Telemetry(self.registry)
        self.now = NOON
        ids = count(1)
        self.listener = listener(
            self.settings,
            self.publisher,
            self.telemetry,
            clock=lambda: self.now,
            new_id=lambda: f"new-{next(ids)}",
        )

    async def native(self, *items: Any, **delivery: Any) -> Receipt:
        """One item as an object, more as an array."""
        body = written(items[0] if len(items) == 1 else list(items))
        return await self.listener.receive(body, Delivery("native", **delivery))

    async def segment(self, written_call: dict[str, Any], **delivery: Any) -> Receipt:
        return await self.listener.receive(written(written_call), Delivery("segment", **delivery))

    async def snowplow(self, *events: dict[str, Any], **delivery: Any) -> Receipt:
        """Events as a tracker posts them."""
        body = {"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"}
        return await self.raw(written(body | {"data": list(events)}), "snowplow", **delivery)

    async def raw(self, body: bytes, dialect: str = "native", **delivery: Any) -> Receipt:
        return await self.listener.receive(body, Delivery(dialect, **delivery))

    @property
    def touchpoints(self) -> list[Touchpoint]:
        return [decode(one.value, Touchpoint) for one in self.publisher.of(TOUCHPOINTS)]

    @property
    def letters(self) -> list[DeadLetter]:
        return [decode(one.value, DeadLetter) for one in self.publisher.of(DEAD_LETTERS)]

    def counted(self, metric: str, **labels: str) -> float:
        return self.registry.get_sample_value(metric, labels) or 0.0

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """The listener over HTTP, for as long as the block lasts; yields its address."""
        wired = runner(application(self.listener, self.settings, self.telemetry), self.settings)
        await wired.setup()
        wire = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(wired, wire).start()
        try:
            yield f"http://127.0.0.1:{wire.getsockname()[1]}"
        finally:
            await wired.cleanup()
            wire.close()


def written(value: Any) -> bytes:
    return json.dumps(value).encode()


def page_view(**changes: Any) -> dict[str, Any]:
    """An ordinary native touchpoint; a change to None takes the field away."""
    item = {
        "id": "t-1",
        "channel": "web",
        "name": "page_view",
        "occurred_at": "2026-11-22T11:59:00Z",
        "identifiers": {"anonymous_id": "a-1"},
        **changes,
    }
    return {key: value for key, value in item.items() if value is not None}


def track(**changes: Any) -> dict[str, Any]:
    """An ordinary call of a Segment SDK."""
    call = {
        "type": "track",
        "event": "Bill Paid",
        "messageId": "m-1",
        "timestamp": "2026-11-22T11:59:00.000Z",
        "anonymousId": "a-1",
        "userId": None,
        **changes,
    }
    return {key: value for key, value in call.items() if value is not ...}


def receipts(receipt: Receipt) -> list[dict[str, Any]]:
    return msgspec.json.decode(receipt.body())["receipts"]


def properties(touchpoint: Touchpoint) -> dict[str, Any]:
    return msgspec.json.decode(touchpoint.properties)
