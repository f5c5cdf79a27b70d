"""One customer's story as the touchpoints that emitters would send of it.

Who is who shows as it would in life: a browser is anonymous until the log-in, an app knows its
user, a call shows a number and then the account keyed in, an agent sees the account.
"""

from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.demo.places import PLACES, Place
from pipeline.demo.stories import Beat, Story

JITTER: Final = (0.6, 1.6)
"""How much shorter and longer than on average a pause may be."""

VISIT_GAP: Final = 1800
"""Seconds without a touchpoint after which a browser or an app begins another visit. Source: the
30 min of the common trackers."""

EMAILS_SHARE: Final = 0.5
"""Of log-ins, how many also show the e-mail address."""


class Emitted(msgspec.Struct, omit_defaults=True):
    """A touchpoint as an emitter writes it: the native body of `POST /v1/touchpoints`."""

    id: str
    channel: str
    name: str
    occurred_at: datetime
    identifiers: dict[str, str]
    location: str | None = None
    session_hint: str | None = None
    signals: tuple[str, ...] = ()
    intent: str | None = None
    rating: dict[str, Any] | None = None
    properties: dict[str, Any] = {}


class Person(NamedTuple):
    """A customer, by what emitters see of them; each is told apart from all others by `name`."""

    name: str
    number: int

    @property
    def browser(self) -> str:
        """The cookie of their browser."""
        return f"a-{self.name}"

    @property
    def phone(self) -> str:
        """Their telephone number, in a range set aside for fiction (Ofcom's 01632 960)."""
        return f"+441632960{self.number % 1000:03d}"


def pauses(story: Story, chance: Random) -> list[float]:
    """Seconds before each beat of one telling of a story."""
    low, high = JITTER
    return [beat.after * (low + (high - low) * chance.random()) for beat in story.beats]


def tell(
    story: Story,
    person: Person,
    starts_at: datetime,
    waits: list[float],
    serial: str,
    chance: Random,
) -> list[Emitted]:
    """The touchpoints of one telling, in order.

    Args:
        story: What happens.
        person: To whom.
        starts_at: When the first touchpoint happens.
        waits: Seconds before each beat, as `pauses` gives them.
        serial: Tells this telling apart from all others; ids are made of it.
        chance: Where the details come from.
    """
    told: list[Emitted] = []
    at = starts_at
    known = False
    visits: dict[str, tuple[str, datetime]] = {}
    for number, (beat, wait) in enumerate(zip(story.beats, waits, strict=True)):
        at += timedelta(milliseconds=int(wait * 1000))
        place = PLACES[beat.touchpoint]
        known = known or beat.touchpoint in ("log-in", "chat-to-person")
        hint = _visit(place, at, visits, serial)
        one = Emitted(
            id=f"{serial}-{number}",
            channel=place.channel,
            name=place.name,
            location=place.location,
            intent=place.intent,
            occurred_at=at,
            identifiers=_shown(beat, place, person, known, chance),
            session_hint=hint,
            signals=beat.signals,
            properties=_properties(beat, place, chance),
        )
        if beat.asked is not None:
            scale, low, high = beat.asked
            one.rating = {"scale": scale, "value": chance.randint(low, high)}
        told.append(one)
    return told


def _visit(
    place: Place, at: datetime, visits: dict[str, tuple[str, datetime]], serial: str
) -> str | None:
    """The session's id as the emitter knows it; notes and answers refer to the visit before."""
    if place.channel in ("agent", "survey"):
        recent = [visit for visit in visits.values() if at - visit[1] <= timedelta(minutes=30)]
        return max(recent, key=lambda visit: visit[1])[0] if recent else None
    before = visits.get(place.channel)
    if before is None or (at - before[1]).total_seconds() > VISIT_GAP:
        hint = f"{place.channel}-{serial}-{at:%H%M%S}"
    else:
        hint = before[0]
    visits[place.channel] = (hint, at)
    return hint


def _shown(beat: Beat, place: Place, person: Person, known: bool, chance: Random) -> dict[str, str]:
    """The identifiers that a touchpoint shows."""
    user, account = f"u-{person.name}", f"acc-{person.name}"
    if place.channel in ("web", "chatbot"):
        shown = {"anonymous_id": person.browser}
        if known:
            shown["user_id"] = user
        if beat.touchpoint in ("log-in", "chat-to-person"):
            shown["account_id"] = account
            if chance.random() < EMAILS_SHARE:
                shown["email"] = f"{person.name}@example.com"
        return shown
    if place.channel == "app":
        return {"device_id": f"d-{person.name}", "user_id": user, "account_id": account}
    if place.channel == "ivr":
        number = {"caller_number": person.phone}
        return number if beat.touchpoint == "call-care" else {**number, "account_id": account}
    return {"account_id": account} if place.channel == "agent" else {"user_id": user}


def _properties(beat: Beat, place: Place, chance: Random) -> dict[str, Any]:
    if place.channel not in ("web", "app"):
        return {}
    if "http_5xx" in beat.signals:
        return {"status": 502, "duration_ms": chance.randint(90, 900)}
    if "timeout" in beat.signals:
        return {"duration_ms": 30_000}
    return {"duration_ms": chance.randint(40, 600)}
