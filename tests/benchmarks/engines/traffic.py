"""The touchpoints that all engines read, and the sessions that an offline split finds in them.

Each customer has ten touchpoints in two sessions, spread over some hours; the topic is in order of
event time, as if all had been sent live. One silence in a hundred lasts exactly the gap, which
must not end a session.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from schemas.codec import encode
from schemas.records import Touchpoint
from tests.benchmarks.engines.jobs import GAP, TICK

STARTS_AT: Final = datetime(2026, 1, 5, tzinfo=UTC)
EACH: Final = 10
"""Touchpoints of a customer."""

LATER: Final = timedelta(hours=2)
"""How far after the last touchpoint a tick is; every session is over by then."""

_START_MS: Final = int(STARTS_AT.timestamp() * 1000)
_GAP_MS: Final = int(GAP.total_seconds() * 1000)
_NAMES: Final = ("view-bill-online", "search-help", "log-in", "pay-online", "open-offer")
_PAGES: Final = ("/account/bills", "/help/search", "/login", "/account/pay", "/offers/summer")

Session = tuple[str, int, int, int]
"""Customer, first and last touchpoint in milliseconds since 1970, number of touchpoints."""


def arrivals(count: int) -> list[tuple[int, str]]:
    """Event time in milliseconds and customer of each touchpoint, in order of event time."""
    chance = random.Random(1)
    found = []
    for number in range(-(-count // EACH)):
        customer = f"u-{number:06d}"
        at = _START_MS + chance.randrange(3 * 3_600_000)
        first = chance.randint(2, EACH - 2)
        for place in range(EACH):
            found.append((at, customer))
            if place == first - 1:
                at += _GAP_MS + 60_000 + chance.randrange(3 * 3_600_000)
            elif chance.random() < 0.01:
                at += _GAP_MS
            else:
                at += chance.randrange(2_000, 180_000)
    found.sort()
    return found[:count]


def sessions_of(touchpoints: Iterable[tuple[int, str]]) -> list[Session]:
    """The offline split: cut where the silence is longer than the gap."""
    times: dict[str, list[int]] = {}
    for at, customer in touchpoints:
        times.setdefault(customer, []).append(at)
    sessions = []
    for customer, seen in times.items():
        start = last = seen[0]
        count = 0
        for at in seen:
            if at - last > _GAP_MS:
                sessions.append((customer, start, last, count))
                start, count = at, 0
            last = at
            count += 1
        sessions.append((customer, start, last, count))
    return sessions


def records(touchpoints: Sequence[tuple[int, str]]) -> Iterator[tuple[str, int, bytes]]:
    """Key, event time and wire record of each touchpoint."""
    chance = random.Random(2)
    for number, (at, customer) in enumerate(touchpoints):
        kind = number % len(_NAMES)
        yield customer, at, encode(_touchpoint(chance, number, at, customer, kind))


def _touchpoint(
    chance: random.Random, number: int, at: int, customer: str, kind: int
) -> Touchpoint:
    occurred_at = STARTS_AT + timedelta(milliseconds=at - _START_MS)
    return Touchpoint(
        id=f"{chance.getrandbits(128):032x}",
        source="shop",
        channel="web",
        name=_NAMES[kind],
        occurred_at=occurred_at,
        received_at=occurred_at + timedelta(milliseconds=180),
        location=_PAGES[kind],
        identifiers={
            "user_id": customer,
            "anonymous_id": f"{chance.getrandbits(128):032x}",
        },
        signals=("rage_click",) if number % 50 == 0 else (),
        properties=msgspec.Raw(
            b'{"page":{"title":"Your bills and payments","referrer":"https://shop.example/account",'
            b'"viewport":[1440,900]},"locale":"en-GB","campaign":"summer-sale","experiment":'
            b'{"name":"bill-layout","arm":"b"},"device":{"class":"desktop","browser":"Firefox",'
            b'"system":"Linux"},"load_ms":%d,"scroll_depth":0.%02d}'
            % (chance.randrange(200, 4_000), number % 100)
        ),
    )


def tick(partition: int, number: int, last_ms: int) -> tuple[str, int, bytes]:
    """A touchpoint long after all others, by which a partition learns that time has passed.

    All ticks claim the same event time, so those of an earlier engine do no harm. They arrive a
    minute apart, for engines that look at arrivals too.
    """
    at = datetime.fromtimestamp(last_ms / 1000, UTC) + LATER
    key = f"{TICK}{partition}"
    one = Touchpoint(
        id=f"{key}-{number}",
        source="shop",
        channel="web",
        name="tick",
        occurred_at=at,
        received_at=at + number * timedelta(minutes=1),
        identifiers={"user_id": key},
    )
    return key, int(at.timestamp() * 1000), encode(one)
