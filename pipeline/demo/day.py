"""The day: many customers' stories, in the order in which their touchpoints are sent.

Everything follows from the seed and the end of the day. Some records are sent twice, as retries
are; some of the app's come hours late, from where there was no network.
"""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple

import msgspec

from pipeline.demo import stories
from pipeline.demo.places import PLACES
from pipeline.demo.stories import Story
from pipeline.demo.telling import Emitted, Person, pauses, tell
from schemas.records import Outcome

LENGTH: Final = timedelta(hours=22)
"""How long the day is. Shorter than the revision window of 24 h: with a pipeline that has already
seen newer touchpoints, none of the day comes too late."""

CUSTOMERS: Final = 4_000
"""How many people a day has by default: some two a minute pay in the app when most do."""

BREAK_STARTS: Final = timedelta(hours=5)
"""How long before the end of the day paying in the app breaks …"""

BREAK_LASTS: Final = timedelta(hours=2)
"""… and how long it takes to mend it."""

MISSIONS: Final = {
    "pay-bill": 50,
    "upgrade-phone": 14,
    "top-up": 11,
    "opening-hours": 6,
    "find-manual": 4,
    "change-plan": 6,
    "dispute-bill": 5,
    "report-fault": 4,
}
"""How many of a hundred customers want what."""

PAYS_IN_APP_SHARE: Final = 0.62
"""Of those who pay, how many use the app."""

WAVE: Final = ((timedelta(minutes=-45), 0.12), (timedelta(0), 0.36), (BREAK_LASTS, 0.17))
"""Bills go out shortly before the break: from when, counted from its start, how many of the
app's payers come. The rest come at any time of the day."""

TWICE_SHARE: Final = 0.02
"""Of records, how many are sent again."""

OFFLINE_SHARE: Final = 0.05
"""Of stories told by the app alone, how many reach us late."""

EARLIER_SHARE: Final = 0.2
"""Of customers who are known, how many came for something small before."""

UPDATED_SHARE: Final = 0.85
"""Of the app's other users, how many have the release that breaks as soon as it is out."""

_RELEASES: Final = ("5.1.9", "5.2.0", "5.2.1")
_QUIET: Final = {0: 0.2, 1: 0.1, 2: 0.1, 3: 0.1, 4: 0.1, 5: 0.3, 6: 0.6}
_BY_MISSION: Final = {
    mission: [s for s in (*stories.UPGRADE, *stories.REST) if s.mission == mission]
    for mission in MISSIONS
}
_EARLIER: Final = [
    s
    for s in stories.REST
    if s.outcome == "completed"
    and s.beats[-1].touchpoint in ("top-up-confirmed", "store-hours-in-app")
]
_ENCODE: Final = msgspec.json.Encoder().encode


class Break(NamedTuple):
    """The touchpoint that breaks in the day, the mission it costs, when, and by which release."""

    touchpoint: str
    mission: str
    starts_at: datetime
    ends_at: datetime
    release: str


class Day(NamedTuple):
    """A day of traffic and what is true of it.

    Attributes:
        lines: Native touchpoints, one JSON object each, in the order of sending.
        customers: How many people there are.
        touchpoints: How many touchpoints, those sent twice counted once.
        journeys: Mission to outcome to number: what each journey comes to, once silence has
            lasted longer than the mission's patience.
        broken: What breaks, and when.
    """

    lines: tuple[bytes, ...]
    customers: int
    touchpoints: int
    journeys: dict[str, dict[Outcome, int]]
    broken: Break


def day(seed: int, ends_at: datetime, customers: int = CUSTOMERS) -> Day:
    """A day that ends at a given time; the same for the same arguments.

    Two days of different seeds or ends share no customer and no touchpoint.

    Args:
        seed: Any number.
        ends_at: Aware; the last touchpoint happens before it.
        customers: How many people; from about 400 on the break is plain to see.
    """
    chance = Random(f"{seed} {ends_at.isoformat()} {customers}")  # a game, not a secret
    tag = hashlib.sha256(f"{seed} {ends_at.isoformat()}".encode()).hexdigest()[:6]
    broken = _break(ends_at)
    sendings: list[tuple[datetime, int, bytes]] = []
    journeys: Counter[tuple[str, Outcome]] = Counter()
    touchpoints = 0
    for number in range(customers):
        person = Person(f"{tag}-{number}", number)
        for story, told in _stories_of(person, ends_at, broken, chance):
            journeys[story.mission, story.outcome] += 1
            touchpoints += len(told)
            sendings += _sendings(told, len(sendings), ends_at, broken, chance)
    sendings.sort()
    truth: dict[str, dict[Outcome, int]] = {}
    for (mission, outcome), count in sorted(journeys.items()):
        truth.setdefault(mission, {})[outcome] = count
    return Day(tuple(body for _, _, body in sendings), customers, touchpoints, truth, broken)


def touchpoints_of(
    seed: int, customers: int, count: int, starts_at: datetime, length: timedelta = LENGTH
) -> Iterator[bytes]:
    """Native lines in the order in which they happen, for load: many, quickly, in little memory.

    Args:
        seed: The same seed gives the same lines.
        customers: How many people there are; they come again and again, each story by chance.
        count: How many lines.
        starts_at: When the first touchpoint happens.
        length: The time over which the lines are spread.

    Memory grows with the stories that are being told at one time, not with `count`.
    """
    chance = Random(seed)
    everything = [*stories.PAYS_IN_APP, *stories.OTHER, *stories.UPGRADE, *stories.REST]
    shares = [story.share for story in everything]
    per_story = sum(s.share * len(s.beats) for s in everything) / sum(shares)
    step = length / (count / per_story)
    pending: list[tuple[datetime, str, Emitted]] = []
    at, serial, left = starts_at, 0, count
    while left:
        while pending and pending[0][0] <= at:
            yield _ENCODE(heapq.heappop(pending)[2])
            left -= 1
            if not left:
                return
        number = chance.randrange(customers)
        story = chance.choices(everything, shares)[0]
        person = Person(f"{seed}-{number}", number)
        told = tell(story, person, at, pauses(story, chance), f"{seed}-{serial}", chance)
        for one in told:
            heapq.heappush(pending, (one.occurred_at, one.id, one))
        serial += 1
        at += step


def _break(ends_at: datetime) -> Break:
    starts_at = (ends_at - BREAK_STARTS).replace(second=0, microsecond=0)
    return Break("pay-in-app", "pay-bill", starts_at, starts_at + BREAK_LASTS, _RELEASES[1])


def _stories_of(
    person: Person, ends_at: datetime, broken: Break, chance: Random
) -> Iterator[tuple[Story, list[Emitted]]]:
    """What one customer does: what they came for, and for some a small thing before it.

    Whatever comes before is completed before the other begins, so that neither journey can take
    touchpoints of the other.
    """
    story, starts_at, waits = _main(ends_at, broken, chance)
    yield story, tell(story, person, starts_at, waits, f"{person.name}-m", chance)
    known = any(beat.touchpoint not in _ANONYMOUS for beat in story.beats)
    if known and chance.random() < EARLIER_SHARE:
        earlier = chance.choice(_EARLIER)
        gaps = pauses(earlier, chance)
        ahead = timedelta(seconds=sum(gaps) + chance.uniform(2400, 6 * 3600))
        if starts_at - ahead > ends_at - LENGTH:
            told = tell(earlier, person, starts_at - ahead, gaps, f"{person.name}-e", chance)
            yield earlier, told


_ANONYMOUS: Final = frozenset(
    {
        "browse-phones", "compare-phones", "read-phone-page", "compare-plans", "find-store",
        "store-hours", "chat", "ask-opening-hours", "check-network", "search-help", "find-manual",
    }
)  # fmt: skip
"""Touchpoints at which nobody says who they are; a story of these alone stays without a name."""


def _main(ends_at: datetime, broken: Break, chance: Random) -> tuple[Story, datetime, list[float]]:
    mission = chance.choices(list(MISSIONS), list(MISSIONS.values()))[0]
    if mission != "pay-bill":
        told = _pick(_BY_MISSION[mission], chance)
    elif chance.random() < PAYS_IN_APP_SHARE:
        return _app_payer(ends_at, broken, chance)
    else:
        told = _pick(stories.OTHER, chance)
    waits = pauses(told, chance)
    return told, _any_time(ends_at, waits, chance), waits


def _app_payer(
    ends_at: datetime, broken: Break, chance: Random
) -> tuple[Story, datetime, list[float]]:
    """Somebody who pays in the app: by what happens there when they come."""
    dice = chance.random()
    for number, (begins, share) in enumerate(WAVE):
        dice -= share
        if dice >= 0:
            continue
        among = stories.FAILS_IN_APP if begins == timedelta(0) else stories.PAYS_IN_APP
        story = _pick(among, chance)
        waits = pauses(story, chance)
        ends = WAVE[number + 1][0] if number + 1 < len(WAVE) else BREAK_LASTS + timedelta(hours=2)
        # Whether paying works is decided when they pay, not when they open the app.
        lead = timedelta(seconds=_until_paying(story, waits))
        room = ends - begins - timedelta(seconds=sum(waits)) + lead
        return story, broken.starts_at + begins - lead + room * chance.random(), waits
    story = _pick(stories.PAYS_IN_APP, chance)
    waits = pauses(story, chance)
    while True:
        starts_at = _any_time(ends_at, waits, chance)
        if not broken.starts_at <= starts_at + timedelta(seconds=sum(waits)) < broken.ends_at:
            return story, starts_at, waits


def _until_paying(story: Story, waits: list[float]) -> float:
    """Seconds from the beginning of a story until its customer first pays in the app."""
    passed = 0.0
    for beat, wait in zip(story.beats, waits, strict=True):
        passed += wait
        if beat.touchpoint == "pay-in-app":
            return passed
    return 0.0


def _pick(among: list[Story] | tuple[Story, ...], chance: Random) -> Story:
    return chance.choices(among, [story.share for story in among])[0]


def _any_time(ends_at: datetime, waits: list[float], chance: Random) -> datetime:
    """A time at which a story of such pauses can begin: rarely at night, never too late."""
    room = LENGTH - timedelta(seconds=sum(waits) + 60)
    while True:
        starts_at = ends_at - LENGTH + room * chance.random()
        if chance.random() < _QUIET.get(starts_at.hour, 1.0):
            return starts_at


def _sendings(
    told: list[Emitted], serial: int, ends_at: datetime, broken: Break, chance: Random
) -> Iterator[tuple[datetime, int, bytes]]:
    """When each record of a telling is sent, and its bytes."""
    offline: datetime | None = None
    if chance.random() < OFFLINE_SHARE and {one.channel for one in told} == {"app"}:
        back = told[-1].occurred_at + timedelta(hours=chance.uniform(0.5, 3))
        calm = not broken.starts_at <= told[-1].occurred_at < broken.ends_at
        offline = back if calm and back < ends_at else None
    updated = _has_updated(told, chance)
    for one in told:
        if one.channel == "app":
            one.properties["release"] = _release(one.occurred_at, broken, updated)
        body = _ENCODE(one)
        at = offline or one.occurred_at + timedelta(milliseconds=chance.randint(100, 3000))
        yield at, serial, body
        if chance.random() < TWICE_SHARE:
            yield at + timedelta(seconds=chance.randint(2, 60)), serial + 1, body
        serial += 2


def _has_updated(told: list[Emitted], chance: Random) -> bool:
    """Whether a customer has the app's newest release at once: if they pay, paying shows it."""
    if any("http_5xx" in one.signals for one in told):
        return True
    pays = PLACES["pay-in-app"].name
    return not any(one.name == pays for one in told) and chance.random() < UPDATED_SHARE


def _release(at: datetime, broken: Break, updated: bool) -> str:
    """The app's release at a time: the second of the three is the one that cannot take money."""
    if at >= broken.ends_at:
        return _RELEASES[2]
    return _RELEASES[at >= broken.starts_at and updated]
