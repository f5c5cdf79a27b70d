"""The people of the year: what they own, how patient they are, and what records show of them."""

from random import Random
from typing import Final

DAY: Final = 86_400_000
"""Milliseconds, as all times of the simulation are."""

REMEMBERED: Final = 14 * DAY
"""How long a site that offers to remember a log-in does so."""

APP_SHARE: Final = 0.66
SECOND_BROWSER_SHARE: Final = 0.35
TABLET_SHARE: Final = 0.10
"""Of customers, how many have the app, a second browser, a tablet shared by their household."""

BLOCKER_SHARE: Final = 0.015
"""Of customers, how many block every record of their browsers."""

WRONG_CLOCK_SHARE: Final = 0.01
"""Of devices, how many are off by more than a minute."""

CLEARING_SHARE: Final = 0.2
"""Of browsers, how many forget their cookie from time to time …"""

CLEARED_AFTER: Final = 45 * DAY
"""… on average after so long; and …"""

FORGOTTEN_AFTER: Final = 30 * DAY
"""A device that was not used for so long may be anybody's by now; prudent people would not tell
whose it is without a log-in."""

PRIVATE_SHARE: Final = 0.04
"""… how many forget it after every visit."""


class Device:
    """A browser or an app.

    Attributes:
        kind: `web` or `app`.
        value: What its records show of it: the cookie, or the install's id.
        clock: Milliseconds it is off by.
        shows: Persons who logged in since it has this value.
        forgotten: Those who did before a long time in which nobody used it.
        named_until: Until when it shows the last log-in by itself, and whose.
        shared: Whether it is a household's.
        clears: How long it keeps a cookie, on average; None for good.
    """

    __slots__ = (
        "cleared_at",
        "clears",
        "clock",
        "forgotten",
        "generation",
        "kind",
        "name",
        "named_as",
        "named_until",
        "shared",
        "shows",
        "used_at",
    )  # fmt: skip

    def __init__(self, kind: str, name: str, chance: Random, *, shared: bool = False) -> None:
        self.kind, self.name, self.shared = kind, name, shared
        self.generation = 0
        self.shows: set[int] = set()
        self.forgotten: set[int] = set()
        self.used_at = 0
        self.named_as, self.named_until = 0, 0
        self.clock = 0
        if chance.random() < WRONG_CLOCK_SHARE:
            minutes = chance.choice((2, 4, 15, 60, 60, 120, 1440))
            self.clock = chance.choice((-1, 1)) * int(minutes * 60_000 * chance.uniform(0.8, 1.2))
        self.clears: int | None = None
        self.cleared_at = 0
        if kind == "web" and not shared:
            dice = chance.random()
            if dice < PRIVATE_SHARE:
                self.clears = 0
            elif dice < PRIVATE_SHARE + CLEARING_SHARE:
                self.clears = CLEARED_AFTER

    @property
    def value(self) -> str:
        return f"{self.name}.{self.generation}" if self.generation else self.name

    def visit(self, now: int, chance: Random) -> None:
        """Somebody takes it up: it may have forgotten who it was, and so may everybody."""
        if now - self.used_at > FORGOTTEN_AFTER:
            self.forgotten |= self.shows
            self.shows = set()
        self.used_at = now
        if self.clears is None:
            return
        kept = now - self.cleared_at
        if self.clears == 0 or (kept > DAY and chance.random() < 1 - 2 ** (-kept / self.clears)):
            self.generation += 1
            self.cleared_at, self.named_until = now, 0
            self.shows, self.forgotten = set(), set()


class Visit:
    """One sitting at a device, one chat, one call.

    Attributes:
        medium: web, app, chat or call.
        hint: The emitter's session id, None where it sends none.
        named: Whether records show who it is.
        last: When it last showed.
        offline_until: When the network is back.
    """

    __slots__ = ("device", "hint", "last", "medium", "named", "offline_until")

    def __init__(self, medium: str, device: Device | None, hint: str | None, now: int) -> None:
        self.medium, self.device, self.hint = medium, device, hint
        self.named = False
        self.last = now
        self.offline_until = 0


class Person:
    """Somebody, for the whole year.

    Attributes:
        number: From 1.
        patience: How much annoyance they bear for one wish, see `faults`.
        app, browsers, tablet: Their devices.
        fond: How much they like the app, the web, the phone and the chat, against each other.
        keys_in: Whether they key in their account when a menu asks.
        withheld: Whether their number is withheld.
        blocks: Whether their browsers block every record.
        prepaid: Whether they top up instead of paying bills.
        visits: Where they are just now: one visit by medium.
        wants: The missions they are about just now.
        again: From when on they may want a mission again.
    """

    __slots__ = (
        "again",
        "answers",
        "app",
        "app_logged_in",
        "blocks",
        "browsers",
        "fond",
        "keys_in",
        "number",
        "patience",
        "prepaid",
        "tablet",
        "visits",
        "wants",
        "withheld",
    )  # fmt: skip

    def __init__(self, number: int, chance: Random, tablet: Device | None) -> None:
        self.number = number
        self.patience = 1.0 + 2.5 * chance.expovariate(1.0)
        self.browsers = [Device("web", f"c-{number}", chance)]
        if chance.random() < SECOND_BROWSER_SHARE:
            self.browsers.append(Device("web", f"l-{number}", chance))
        self.app = Device("app", f"d-{number}", chance) if chance.random() < APP_SHARE else None
        self.app_logged_in = chance.random() < 0.97
        self.tablet = tablet
        self.fond = {
            "app": chance.uniform(0.5, 2) if self.app else 0.0,
            "web": chance.uniform(0.4, 1.6),
            "phone": chance.uniform(0.3, 1.7),
            "chat": chance.uniform(0.2, 1.8),
        }
        self.keys_in = chance.random() < 0.85
        self.withheld = chance.random() < 0.04
        self.blocks = chance.random() < BLOCKER_SHARE
        self.prepaid = chance.random() < 0.3
        self.answers = chance.random() < 0.25
        self.wants: set[str] = set()
        self.again: dict[str, int] = {}
        self.visits: dict[str, Visit] = {}

    @property
    def phone(self) -> str:
        """A number each, in no country's range."""
        return f"+999{self.number:09d}"


def household(numbers: range, chance: Random) -> list[Person]:
    """People under one roof; some households share a tablet."""
    shared = len(numbers) > 1 and chance.random() < TABLET_SHARE * 1.5
    tablet = Device("web", f"tab-{numbers[0]}", chance, shared=True) if shared else None
    return [Person(number, chance, tablet) for number in numbers]


def town(customers: int, chance: Random) -> list[Person]:
    """So many people, in households of one to five."""
    people: list[Person] = []
    while len(people) < customers:
        size = min(chance.choice((1, 1, 2, 2, 3, 4, 5)), customers - len(people))
        people += household(range(len(people) + 1, len(people) + 1 + size), chance)
    return people
