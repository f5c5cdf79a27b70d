"""Invented stories: what a few people do, when it arrives, and how often.

Small worlds on purpose: few people, devices and touchpoints, times on a grid of the very gaps and
patiences that the rules name, so that boundaries and conflicts are the usual case.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from schemas.records import Rating, Touchpoint
from tests.builders import MIDNIGHT

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
START = MIDNIGHT + 8 * HOUR
LENGTH_MAX = 12 * HOUR
"""With the longest delay still within the revision window, so that nothing comes too late."""

GAPS = (
    MINUTE, timedelta(0), 5 * MINUTE, 10 * MINUTE, 25 * MINUTE, 30 * MINUTE, 20 * MINUTE,
    2 * SECOND, 5 * SECOND, 5 * MINUTE + SECOND, 30 * MINUTE + SECOND, HOUR, HOUR + SECOND,
    2 * HOUR, 2 * HOUR + SECOND, 90 * MINUTE, 30 * MINUTE - SECOND,
)  # fmt: skip
LONG_GAPS = (*GAPS, 12 * HOUR, 24 * HOUR, 24 * HOUR + SECOND, 23 * HOUR + 30 * MINUTE, 72 * HOUR)
DELAYS = (
    timedelta(0), timedelta(0), timedelta(0), MINUTE, 7 * MINUTE, 40 * MINUTE, 3 * HOUR, 10 * HOUR,
)  # fmt: skip

HAPPENINGS: tuple[tuple[str, str, str | None], ...] = (
    ("web", "page_view", None), ("web", "view-bill", "/bill"), ("web", "pay-online", "/pay"),
    ("web", "page_view", "/paid"), ("web", "page_view", "/"), ("app", "screen", "Home"),
    ("app", "pay-in-app", None), ("app", "paid-in-app", None), ("chatbot", "turn", None),
    ("chatbot", "ask-bot", "greet"), ("chatbot", "turn", "greet"), ("ivr", "main-menu", "main"),
    ("ivr", "keyed", "main"), ("ivr", "main-menu", None), ("agent", "note", None),
    ("agent", "talk", None), ("agent", "complain", None), ("survey", "answer", None),
)  # fmt: skip
SIGNALS: dict[str, tuple[tuple[str, ...], ...]] = {
    "web": (
        ("slow",), ("http_5xx",), ("rage_click",), ("dead_click",), ("rage_click", "dead_click"),
        ("validation_error",), ("slow", "js_error"), ("logout",), ("http_4xx",), ("timeout",),
    ),
    "app": (("background",), ("crash",), ("slow",), ("background", "slow"), ("foreground",)),
    "chatbot": (
        ("fallback",), ("fallback", "low_confidence"), ("handoff",), ("bot_end",),
        ("low_confidence",), ("fallback", "bot_end"), ("fallback", "handoff"), ("no_match",),
        ("slot_filled",), ("slot_filled", "fallback"),
    ),
    "ivr": (
        ("no_match",), ("no_input",), ("zero_out",), ("hangup",), ("transfer",),
        ("hangup_by_system",), ("queue_abandoned",), ("menu_repeat",),
    ),
    "agent": (("not_helped",), ("transfer",), ("callback",)),
    "survey": (("not_helped",), ("relationship",)),
}  # fmt: skip
REFUSED: tuple[dict[str, Any], ...] = (
    {"field": "iban"}, {}, {"fields": ["iban", "amount"]}, {"fields": {"amount": 2, "iban": 1}},
)  # fmt: skip
"""How emitters say in which fields of a form something was refused."""
FILLED: tuple[dict[str, Any], ...] = (
    {}, {"filled": {"bill": "gas"}}, {"filled": {"bill": "water"}}, {"filled": {"bill": "gas"}},
)  # fmt: skip
"""How they say what a bot learnt."""
RATINGS = (
    ("ces", 7), ("ces", 3), ("nps", 6), ("nps", 9), ("csat", 5), ("csat", 2), ("csat", 3),
)  # fmt: skip
INTENTS = ("bill", "help", "read-up", "billing", "unheard-of")

DEVICES: tuple[dict[str, str], ...] = (
    {"anonymous_id": "a-1"}, {"anonymous_id": "a-2"}, {"device_id": "d-1"},
    {"anonymous_id": "a-1", "device_id": "d-1"}, {"anonymous_id": "a-3", "network_user_id": "n-1"},
    {"anonymous_id": "a-2", "network_user_id": "n-1"}, {"network_user_id": "n-1"},
    {"anonymous_id": "a-4", "device_id": "d-2"}, {},
)  # fmt: skip
LOGINS: tuple[dict[str, str], ...] = (
    {"user_id": "u-1"}, {"user_id": "u-2"}, {"email": "e-1"}, {"user_id": "u-1", "email": "e-1"},
    {"user_id": "u-3"}, {"user_id": "u-4", "account_id": "k-1"}, {"account_id": "k-1"},
    {"phone": "p-1"}, {"email": "e-2", "phone": "p-1"}, {"user_id": "u-5", "phone": "p-2"},
    {"user_id": "u-2", "account_id": "k-2"}, {"crm_id": "c-1", "email": "e-2"},
    {"user_id": "u-3", "crm_id": "c-1"}, {"user_id": "null", "email": "e-1"},
)  # fmt: skip
WEAK: tuple[dict[str, str], ...] = ({"ip": "i-1"}, {"caller_number": "+44"}, {"telepathy": "z"})
UNLINKS = (
    ("anonymous_id", "a-1", "user_id:u-1"), ("anonymous_id", "a-1", "user_id:u-2"),
    ("anonymous_id", "a-1", "email:e-1"), ("anonymous_id", "a-1", "device_id:d-1"),
    ("anonymous_id", "a-2", "user_id:u-1"), ("anonymous_id", "a-2", "user_id:u-2"),
    ("device_id", "d-1", "user_id:u-1"), ("device_id", "d-1", "email:e-1"),
    ("email", "e-1", "user_id:u-1"), ("email", "e-1", "user_id:u-2"),
    ("network_user_id", "n-1", "user_id:u-1"), ("anonymous_id", "a-3", "network_user_id:n-1"),
    ("account_id", "k-1", "user_id:u-4"), ("phone", "p-1", "email:e-2"),
    ("anonymous_id", "a-1", "anonymous_id:a-2"), ("crm_id", "c-1", "user_id:u-3"),
)  # fmt: skip
"""What an operator takes back: type, value, and the owner it is parted from."""
ALIASES = ("a-1", "a-2", "a-9", "u-1")


class Doing(NamedTuple):
    """One draw: small numbers, of which 0 is always the plainest choice."""

    gap: int
    happening: int
    device: int
    login: int
    hint: int
    signal: int
    rating: int
    intent: int
    delay: int
    again: int
    extra: int
    salt: int
    order: int


PLAIN = Doing(*(0 for _ in Doing._fields))


@dataclass(frozen=True)
class Arrival:
    """A touchpoint, and when it comes in."""

    touchpoint: Touchpoint
    at: datetime
    number: int


class Story(NamedTuple):
    """What happened, in order, and all that arrived of it.

    Attributes:
        touchpoints: What happened, unique by source and id, sorted, received as it happened.
        arrivals: The same in order of arrival: delayed, out of order.
        repeated: The same with some of them coming more than once.
    """

    touchpoints: tuple[Touchpoint, ...]
    arrivals: tuple[Touchpoint, ...]
    repeated: tuple[Touchpoint, ...]


def _below(limit: int) -> st.SearchStrategy[int]:
    return st.integers(0, limit - 1)


def _doings(gaps: int, devices: int, logins: int) -> st.SearchStrategy[Doing]:
    return st.builds(
        Doing,
        gap=_below(gaps),
        happening=_below(len(HAPPENINGS)),
        device=_below(devices),
        login=_below(2 * logins),
        hint=_below(6),
        signal=_below(16),
        rating=_below(4 * len(RATINGS)),
        intent=_below(4 * len(INTENTS)),
        delay=_below(len(DELAYS)),
        again=_below(2 * len(DELAYS)),
        extra=_below(24),
        salt=_below(4),
        order=_below(8),
    )


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Half a day of a few people who share devices, accounts and e-mails."""
    few = draw(st.booleans())
    devices = 4 if few else len(DEVICES)
    logins = 4 if few else len(LOGINS)
    doings = draw(st.lists(_doings(len(GAPS), devices, logins), min_size=1, max_size=22))
    return story_of(doings, GAPS, LENGTH_MAX)


@st.composite
def numbered_stories(draw: st.DrawFn) -> Story:
    """Half a day of sessions whose emitters number what they send, and whose clocks are bad."""
    doings = draw(st.lists(_doings(len(GAPS), 4, 2), min_size=2, max_size=16))
    told = [one._replace(hint=1 + one.hint % 2, order=2 + one.order % 6) for one in doings]
    return story_of(told, GAPS, LENGTH_MAX)


HASTE = (1, 2, 3, 4, 9, 1, 2, 16)
"""Happenings on the few channels of somebody, or something, that is in a hurry."""

HASTY_GAPS = (
    20 * SECOND, 2 * SECOND, timedelta(0), 5 * SECOND, 30 * SECOND, 10 * SECOND, MINUTE,
    MINUTE + SECOND, 10 * MINUTE, 30 * MINUTE + SECOND, 2 * HOUR + SECOND,
)  # fmt: skip


@st.composite
def hasty_stories(draw: st.DrawFn) -> Story:
    """A few hours of one or two who do three things in a minute, and of others who do two."""
    doings = draw(st.lists(_doings(len(HASTY_GAPS), 2, 2), min_size=3, max_size=22))
    told = [
        one._replace(
            happening=HASTE[one.happening % len(HASTE)], hint=one.hint % 2, extra=0,
            intent=one.intent % (2 * len(INTENTS)),
        )
        for one in doings
    ]  # fmt: skip
    return story_of(told, HASTY_GAPS, LENGTH_MAX)


@st.composite
def long_stories(draw: st.DrawFn) -> Story:
    """Many days of one person at one device, with silences longer than any session."""
    doings = draw(st.lists(_doings(len(LONG_GAPS), 1, 1), min_size=1, max_size=22))
    return story_of([one._replace(login=0, extra=0) for one in doings], LONG_GAPS, None)


COOKIE, DEVICE, BOTH, NONE = 0, 2, 3, 8
"""Places among the devices."""
EMAIL, LOGIN_AND_EMAIL = 5, 7
"""Draws of a log-in."""


@st.composite
def wandering_stories(draw: st.DrawFn) -> Story:
    """A cookie that goes back and forth between a device and an e-mail of one and the same person.

    What it did alone takes several ways to that person, and the straight one overtakes the longer.
    """
    shown: list[tuple[int, int]] = []
    for number in range(draw(st.integers(3, 5))):
        shown.append((COOKIE, EMAIL) if number % 2 else (BOTH, 0))
        shown += [(COOKIE, 0)] * draw(_below(2))
    for known in ((DEVICE, EMAIL), (NONE, LOGIN_AND_EMAIL)):
        shown.insert(draw(_below(len(shown) + 1)), known)
    doings = [
        PLAIN._replace(
            device=device,
            login=login,
            gap=draw(_below(3)),
            delay=0 if (device, login) == (COOKIE, 0) else draw(_below(len(DELAYS))),
        )
        for device, login in shown
    ]
    return story_of(doings, GAPS, LENGTH_MAX)


RINGING = (1, 2, 3, 6, 9, 11, 12, 12, 13, 14, 15, 17)
"""Happenings of somebody who tries by themselves, rings up and comes back."""

RINGING_GAPS = (
    MINUTE, 2 * SECOND, 4 * SECOND, 2 * SECOND, 10 * MINUTE, 10 * MINUTE + SECOND, 30 * MINUTE,
    30 * MINUTE + SECOND, 2 * HOUR + SECOND, 24 * HOUR, 24 * HOUR + SECOND, 72 * HOUR, 168 * HOUR,
    168 * HOUR + SECOND,
)  # fmt: skip


@st.composite
def ringing_stories(draw: st.DrawFn) -> Story:
    """Two weeks of one person who tries the web and rings up, at times for a few seconds."""
    doings = draw(st.lists(_doings(len(RINGING_GAPS), 1, 1), min_size=2, max_size=12))
    told = [
        one._replace(
            login=1, extra=0, happening=RINGING[one.happening % len(RINGING)],
            intent=one.intent % 2, signal=one.signal if one.signal % 3 else 7,
        )
        for one in doings
    ]  # fmt: skip
    return story_of(told, RINGING_GAPS, None)


INSISTING = (1, 2, 2, 3, 3, 8, 9, 10, 10, 11)
"""Happenings of somebody whom a form refuses, or a bot does not let get on."""


@st.composite
def insisting_stories(draw: st.DrawFn) -> Story:
    """One sitting of one person who tries the same again: one form, one bot, one menu."""
    doings = draw(st.lists(_doings(2, 1, 1), min_size=3, max_size=16))
    told = [
        one._replace(
            login=1, extra=0, hint=0, happening=INSISTING[one.happening % len(INSISTING)],
            signal=(0, 9, 9, 12, 13, 12)[one.signal % 6], intent=(0, 2)[one.intent % 2],
        )
        for one in doings
    ]  # fmt: skip
    return story_of(told, GAPS, None)


def story_of(
    doings: list[Doing], gaps: tuple[timedelta, ...], length_max: timedelta | None
) -> Story:
    """The story that the draws tell."""
    at, told = START, []
    counted: Counter[str] = Counter()
    for number, doing in enumerate(doings):
        at += gaps[doing.gap]
        if length_max is not None:
            at = min(at, START + length_max)
        source = _source(doing)
        told.append((_touchpoint(doing, number, source, counted[source], at), doing))
        counted[source] += 1
    told.sort(key=lambda one: (one[0].occurred_at, one[0].id, one[0].source))
    arrivals = [
        Arrival(one, one.occurred_at + DELAYS[doing.delay], number)
        for number, (one, doing) in enumerate(told)
    ]
    again = [
        Arrival(one, one.occurred_at + DELAYS[doing.again - len(DELAYS)], number)
        for number, (one, doing) in enumerate(told)
        if doing.again >= len(DELAYS)
    ]
    touchpoints = tuple(one for one, _ in told)
    return Story(touchpoints, _in_order(arrivals), _in_order([*arrivals, *again]))


def _in_order(arrivals: list[Arrival]) -> tuple[Touchpoint, ...]:
    ordered = sorted(arrivals, key=lambda one: (one.at, one.number))
    return tuple(msgspec.structs.replace(one.touchpoint, received_at=one.at) for one in ordered)


def _source(doing: Doing) -> str:
    """One in four is another shop's; by a draw that otherwise says whether it comes again."""
    if doing.extra == 6:
        return "test-robot"
    return "kiosk" if doing.extra == 7 or doing.again % 4 == 3 else "shop"


def _touchpoint(doing: Doing, number: int, source: str, count: int, at: datetime) -> Touchpoint:
    """What was done as the `number`th of all and the `count`th of its source.

    Sources count by themselves, so that two of them often give the same id.
    """
    channel, name, location = HAPPENINGS[doing.happening]
    signals = SIGNALS[channel]
    shown = signals[doing.signal - 4] if 4 <= doing.signal < 4 + len(signals) else ()
    identifiers = dict(DEVICES[doing.device])
    if doing.login % 2:
        identifiers |= LOGINS[doing.login // 2]
    if doing.extra == 1 and any(key in identifiers for key in ("user_id", "email", "anonymous_id")):
        identifiers["previous_id"] = ALIASES[doing.salt]
    elif 2 <= doing.extra < 5:
        identifiers |= WEAK[doing.extra - 2]
    elif doing.extra == 5:
        shown = (*shown, "identity_only")
    told = {"plan": ("gold", "basic")[doing.extra - 8]} if 8 <= doing.extra < 10 else {}
    if "validation_error" in shown:
        told = told | REFUSED[doing.salt]
    elif "slot_filled" in shown:
        told = told | FILLED[doing.salt]
    if 10 <= doing.extra < 12:
        kind, value, owner = UNLINKS[doing.signal]
        identifiers = {kind: value, "unlinked_from": owner}
        shown = ("identity_only",)
    rating = RATINGS[doing.rating - 1] if 1 <= doing.rating <= len(RATINGS) else None
    return Touchpoint(
        id=f"{'abcd'[doing.salt]}-{count:02d}",
        source=source,
        channel=channel,  # type: ignore[arg-type]
        name=name,
        location=location,
        occurred_at=at,
        received_at=at,
        identifiers=identifiers,
        session_hint=(
            f"s-{doing.hint}"
            if 1 <= doing.hint <= 2 and "unlinked_from" not in identifiers
            else None
        ),
        signals=shown,
        intent=INTENTS[doing.intent - 1] if 1 <= doing.intent <= len(INTENTS) else None,
        sequence=_sequence(doing, number),
        rating=None if rating is None else Rating(scale=rating[0], value=rating[1]),  # type: ignore[arg-type]
        properties=msgspec.Raw(msgspec.json.encode(told)),
    )


def _sequence(doing: Doing, number: int) -> int | None:
    """None; in the order of the clock; against it; or of a few numbers that repeat."""
    return (None, None, number, number, 30 - number, 30 - number, doing.salt, 0)[doing.order]
