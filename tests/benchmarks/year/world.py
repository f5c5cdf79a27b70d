"""The year: people start wanting things, machines crawl, and records arrive, in that order.

A simulation of discrete events. What is held at one time are the people, the pursuits that go on,
and the records that are on their way; the truth is written away as each pursuit ends.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from random import Random
from typing import Final

from tests.benchmarks.year.emitting import Post, line_of
from tests.benchmarks.year.faults import Faults
from tests.benchmarks.year.people import DAY, Person, town
from tests.benchmarks.year.pursuit import Pursuit
from tests.benchmarks.year.truth import GOT as HAD
from tests.benchmarks.year.truth import Truth, Veil
from tests.benchmarks.year.ways import EMITTED, ONLOOKERS, WISHES, Way, Wish

STARTS_AT: Final = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
"""In the past: what claims to come from the future is set back to its arrival."""

HOURS: Final = (*[0.1] * 5, 0.2, 0.5, 0.9, *[1.0] * 13, 0.8, 0.5, 0.2)
"""How much goes on in each hour of the day."""

SECOND_SHARE: Final = 0.05
"""Of those who begin something, how many begin something else within minutes."""

CRAWLS_A_DAY: Final = 1 / 10_000
"""Machines' visits for each customer; half of them are fast enough to be told by it."""

CRAWLED: Final = (
    "home-page", "browse-phones", "compare-phones", "read-phone-page", "find-store",
    "store-hours", "compare-plans", "search-help", "find-manual", "check-network", "book-class",
)  # fmt: skip


class World:
    """A year of so many customers, from a seed."""

    def __init__(self, customers: int, days: int, seed: int) -> None:
        self.chance = Random(f"{seed} {customers} {days}")  # a game, not a secret
        self.truth = Truth()
        self.people = town(customers, self.chance)
        self.ends = STARTS_AT + days * DAY
        faults = Faults(list(EMITTED), STARTS_AT, days, self.chance)
        self.post = Post(self.truth, faults, self.chance)
        self._going: list[tuple[int, int, Iterator[int]]] = []
        self._order = 0
        for wish in WISHES:
            self._begin(STARTS_AT, self._wanting(wish))
        for name, a_year, way in ONLOOKERS:
            self._begin(STARTS_AT, self._looking(name, a_year, way))
        self._begin(STARTS_AT, self._crawling())

    def lines(self) -> Iterator[bytes]:
        """Native lines, in the order in which they arrive."""
        going, post = self._going, self.post
        while going:
            now, _, process = heappop(going)
            yield from post.until(now)
            then = next(process, None)
            if then is not None:
                self._begin(then, process)
        yield from post.until(self.ends + 400 * DAY)

    def _begin(self, at: int, process: Iterator[int]) -> None:
        self._order += 1
        heappush(self._going, (at, self._order, process))

    def _times(self, a_year: float) -> Iterator[int]:
        """When somebody of all of them begins: by chance, by day more than by night."""
        every = 365 * DAY / (a_year * len(self.people)) * sum(HOURS) / len(HOURS)
        now = float(STARTS_AT)
        while True:
            now += self.chance.expovariate(1.0) * every
            if now >= self.ends:
                return
            if self.chance.random() < HOURS[int(now // 3_600_000) % 24]:
                yield int(now)

    def _wanting(self, wish: Wish) -> Iterator[int]:
        chance = self.chance
        for now in self._times(wish.a_year):
            yield now
            person = self._somebody(wish.mission, now)
            if person is None:
                continue
            self._begin(now, Pursuit(self.post, person, wish, chance).run(now))
            if chance.random() < SECOND_SHARE:
                other = chance.choices(WISHES, [one.a_year for one in WISHES])[0]
                later = now + chance.randint(60_000, 360_000)
                if other is not wish and self._may(person, other.mission, later):
                    pursuit = Pursuit(self.post, person, other, chance)
                    person.wants.add(other.mission)
                    self._begin(later, pursuit.run(later))

    def _somebody(self, mission: str, now: int) -> Person | None:
        for _ in range(5):
            person = self.chance.choice(self.people)
            if self._may(person, mission, now):
                return person
        return None

    def _may(self, person: Person, mission: str, now: int) -> bool:
        if mission in person.wants or now < person.again.get(mission, 0):
            return False
        return mission not in ("top-up", "pay-bill") or person.prepaid == (mission == "top-up")

    def _looking(self, name: str, a_year: float, way: Way) -> Iterator[int]:
        """People who want nothing that a mission describes."""
        wish = Wish(f"({name})", a_year, 0.0, 0.0, 0.0, (way,))
        for now in self._times(a_year):
            yield now
            person = self.chance.choice(self.people)
            if way.liking == "app" and person.app is None:
                continue
            self._begin(now, _Look(self.post, person, wish, self.chance).run(now))

    def _crawling(self) -> Iterator[int]:
        for number, now in enumerate(self._times(CRAWLS_A_DAY * 365)):
            yield now
            self._begin(now, self._crawl(f"bot-{number}", now))

    def _crawl(self, cookie: str, now: int) -> Iterator[int]:
        chance = self.chance
        fast = chance.random() < 0.5
        intention = self.truth.begin(0, "(machine)")
        self.truth.end(intention, HAD, "", Veil.MACHINE if fast else Veil.SLOW_MACHINE)
        for _ in range(chance.randint(120, 300) if fast else chance.randint(20, 60)):
            touchpoint = chance.choice(CRAWLED)
            line = line_of(touchpoint, ())
            line["identifiers"] = {"anonymous_id": cookie}
            self.post.machine(line, touchpoint, intention, now)
            now += chance.randint(50, 500) if fast else chance.randint(5_000, 40_000)
            yield now


class _Look(Pursuit):
    """A look at something, and that was it."""

    def run(self, now: int) -> Iterator[int]:
        self.now = now
        way = self.wish.ways[0]
        for touchpoint, median in way.steps:
            yield from self.wait(median or 1)
            self.emit(touchpoint)
        self.post.truth.end(self.intention, HAD, "", self.veils | Veil.NOT_IN_CATALOGUE)
