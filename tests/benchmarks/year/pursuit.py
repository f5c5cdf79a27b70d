"""One person's pursuit of one wish: the ways they try, what fails them, and when they give up.

A process of the simulated year: it yields the milliseconds until it goes on. What it decides by is
what a customer knows - did it work, how annoying was it - and never what the pipeline makes of it.
"""

from collections.abc import Generator, Iterator, Mapping
from random import Random
from typing import Final

from tests.benchmarks.year.emitting import VISIT_GAP, Post, line_of, medium_of, shown
from tests.benchmarks.year.meeting import GOT, LEFT, ON, meet
from tests.benchmarks.year.people import DAY, Device, Person, Visit
from tests.benchmarks.year.truth import ABANDONED, FRUSTRATED, Veil
from tests.benchmarks.year.truth import GOT as HAD
from tests.benchmarks.year.ways import (
    CALL_STEPS,
    NEEDS_NAME,
    SPEAKS_FOR,
    WISHES,
    Way,
    Wish,
)

TRIES_MAX: Final = 8
"""After so many tries anybody gives up."""

ELSEWHERE_SHARE: Final = 0.03
COMPLAINS_SHARE: Final = 0.08
CANCELS_SHARE: Final = 0.02
ANSWERS_SHARE: Final = 0.25
LOOKS_AGAIN_SHARE: Final = 0.03
"""Of those who give up or leave, how many get it elsewhere; of those who give up, how many
complain, how many cancel; of those who ever answer surveys, how often; of those who paid, how many
look at the bill once more."""

NOTED_SHARE: Final = 0.4
MISHEARD_SHARE: Final = 0.03
"""Of agents' notes, how many say what it was about; of bots' and agents' intents, how many are
wrong."""

NOTHING_ELSE: Final[Mapping[str, str | None]] = {}
"""What a record says where it says what its touchpoint usually says."""


class Pursuit:
    """The process, and what it remembers.

    Attributes:
        annoyed: Touchpoint to annoyance, the last one to annoy last.
        traced: Which of them left a trace in the records.
        pieces: What the records show them as: `""` where they are named.
    """

    def __init__(self, post: Post, person: Person, wish: Wish, chance: Random) -> None:
        self.post, self.person, self.wish, self.chance = post, person, wish, chance
        self.now = 0
        self.intention = post.truth.begin(person.number, wish.mission)
        self.annoyed: dict[str, float] = {}
        self.traced: set[str] = set()
        self.veils = Veil(0)
        self.pieces: set[str] = set()
        self.said = self.signed = False
        self.visits = person.visits
        self.latest: Visit | None = None
        self.stopped_at = 0
        self.last_met = ""

    def run(self, now: int) -> Iterator[int]:
        """Want it until it is had, or wanted no longer; yields the times at which it goes on."""
        self.now = now
        person = self.person
        person.wants.add(self.wish.mission)
        outcome = yield from self._want()
        person.wants.discard(self.wish.mission)
        rest = self.wish.rests * 1000
        person.again[self.wish.mission] = self.now + int(rest * self.chance.uniform(0.8, 1.5))
        yield from self._afterwards(outcome)
        self._settle()
        self.post.truth.end(self.intention, outcome, self._broke_at(outcome), self.veils)

    def wait(self, median: float, spread: float = 0.5) -> Iterator[int]:
        """Let time pass: a median of seconds, log-normally spread."""
        self.now += int(1000 * median * self.chance.lognormvariate(0, spread)) + 1
        yield self.now

    # --- wanting it ------------------------------------------------------------------------------

    def _want(self) -> Generator[int, None, str]:
        chance = self.chance
        way, start = self._choose(None), 0
        for _ in range(TRIES_MAX):
            met = yield from self._follow(way, start)
            if met == GOT:
                return HAD
            if met == LEFT:
                if chance.random() >= self.wish.returns:
                    return self._elsewhere(ABANDONED)
                yield from self.wait(20 * 3600, 0.8)
                way, start = self._choose(None), 0
                continue
            if self.fed_up:
                return self._elsewhere(FRUSTRATED)
            way, start = yield from self._next(way)
        return self._elsewhere(FRUSTRATED)

    @property
    def fed_up(self) -> bool:
        """Whether all that annoyed them is more than they bear."""
        return sum(self.annoyed.values()) > self.person.patience

    def annoy(self, touchpoint: str, how_much: float, *, traced: bool) -> None:
        """Something went wrong for them there."""
        self.annoyed[touchpoint] = self.annoyed.pop(touchpoint, 0.0) + how_much
        if traced:
            self.traced.add(touchpoint)

    def _choose(self, without: str | None) -> Way:
        ways = [w for w in self.wish.ways if without not in [step for step, _ in w.steps]]
        fond = self.person.fond
        weights = [way.weight * fond[way.liking] for way in ways]
        if not sum(weights):
            ways = list(self.wish.ways)
            weights = [way.weight * (fond[way.liking] + 0.01) for way in ways]
            if self.person.app is None:
                weights = [
                    0.0 if way.liking == "app" else weight
                    for way, weight in zip(ways, weights, strict=True)
                ]
        return self.chance.choices(ways, weights)[0]

    def _next(self, way: Way) -> Generator[int, None, tuple[Way, int]]:
        """What they do after it did not work: at once again, another way, or another day."""
        dice, at = self.chance.random(), self.stopped_at
        failed = way.steps[at][0]
        if failed == "technician-visit":
            yield from self.wait(5 * 3600)  # they ring back for another appointment
            return way, [step for step, _ in way.steps].index("book-technician")
        if dice < 0.45 and medium_of(failed) in ("web", "app"):
            yield from self.wait(20)
            return way, at
        if dice < 0.75:
            yield from self.wait(5 * 60, 0.9)
            self._let_go()
            return self._choose(failed), 0
        if dice < 0.90:
            yield from self.wait(3 * 3600, 0.7)
        else:
            yield from self.wait(22 * 3600, 0.6)
        return self._choose(None), 0

    def _follow(self, way: Way, start: int) -> Generator[int, None, str]:
        last = len(way.steps) - 1
        for at in range(start, last + 1):
            touchpoint, median = way.steps[at]
            self.stopped_at = at
            if at > start:
                yield from self.wait(median)
            if touchpoint in NEEDS_NAME and not self._visit("web").named:
                met = yield from meet(self, "log-in", last=False)
                if met != ON:
                    return met
                yield from self.wait(20)
            met = yield from meet(self, touchpoint, last=at == last)
            if met != ON:
                return met
            if at < last and self.chance.random() < self.wish.leaves:
                return LEFT
        return GOT

    # --- being recorded --------------------------------------------------------------------------

    def emit(
        self,
        touchpoint: str,
        signals: tuple[str, ...] = (),
        *,
        rating: dict[str, object] | None = None,
        said: Mapping[str, str | None] = NOTHING_ELSE,
    ) -> None:
        """A record of it; `said` overrides name, location and intent."""
        line = line_of(touchpoint, signals)
        visit = self._visit_of(touchpoint)
        self._speak(line, said)
        if rating is not None:
            line["rating"] = rating
        if visit is not None:
            visit.last = self.now
            if visit.hint is not None:
                line["session_hint"] = visit.hint
                if line["channel"] == "agent":  # noted in the system that took the call
                    line["source"] = "voice" if visit.medium == "call" else "bot"
            if visit.medium == "call" and touchpoint not in ("call-care",) and self.person.keys_in:
                visit.named = True
            if touchpoint in ("log-in", "chat-to-person") and signals in ((), ("handoff",)):
                self.post.log_in(visit, self.person, self.now)
        identifiers = shown(touchpoint, self.person, visit, self.chance)
        line["identifiers"] = identifiers
        veils = self.post.record(line, self.person, visit, self.intention, touchpoint, self.now)
        self.veils |= veils
        if not veils & Veil.LOST:
            self._piece(identifiers, visit)
            if SPEAKS_FOR.get(touchpoint) == self.wish.mission and "intent" not in said:
                self.said = True

    def _speak(self, line: dict[str, object], said: Mapping[str, str | None]) -> None:
        for field, text in said.items():
            if text is None:
                line.pop(field, None)
            else:
                line[field] = text
        channel = line["channel"]
        if channel == "agent" and "location" in line and self.chance.random() < NOTED_SHARE:
            line["intent"] = self.wish.mission
            self.said = True
        heard = line.get("intent") is not None and channel in ("agent", "chatbot")
        if heard and self.chance.random() < MISHEARD_SHARE:
            others = [w.mission for w in WISHES if w.mission != self.wish.mission]
            line["intent"] = self.chance.choice(others)
            self.veils |= Veil.MISHEARD

    def _piece(self, identifiers: dict[str, str], visit: Visit | None) -> None:
        """What this record shows them as, for whoever wants to join the pieces of the path."""
        number = str(self.person.number)
        if any(value in (f"u-{number}", f"acc-{number}") for value in identifiers.values()):
            self.pieces.add("")
            if visit is not None and visit.medium == "call":
                self.pieces.discard(f"call {visit.hint}")
                self.pieces.add("")
                visit.last = self.now
        elif visit is not None and visit.medium == "call":
            self.pieces.add(f"call {visit.hint}")
        elif visit is not None and visit.device is not None:
            device = visit.device
            self.pieces.add(f"device {device.value}")
            if device.shared:
                self.veils |= Veil.SHARED_DEVICE
        else:
            self.pieces.add(f"nobody {self.now}")

    def _visit_of(self, touchpoint: str) -> Visit | None:
        medium = medium_of(touchpoint)
        if medium in ("web", "app", "chat", "call"):
            return self._visit(medium)
        latest = self.latest
        if latest is None or self.now - latest.last > VISIT_GAP:
            return None
        if medium == "survey":
            return latest
        talks = touchpoint in CALL_STEPS or touchpoint in ("credit-agreed", "book-technician")
        return latest if talks and latest.medium in ("call", "chat") else None

    def _visit(self, medium: str) -> Visit:
        visit = self.visits.get(medium)
        if visit is None or self.now - visit.last > VISIT_GAP:
            visit = self.post.visit(medium, self._device(medium), self.person, self.now)
            self.visits[medium] = visit
        self.latest = visit
        return visit

    def _device(self, medium: str) -> Device | None:
        person, chance = self.person, self.chance
        if medium == "call":
            return None
        if medium == "app":
            return person.app or person.browsers[0]
        if medium == "chat":  # where they were browsing, if they were
            web = self.visits.get("web")
            if web is not None and self.now - web.last <= VISIT_GAP:
                return web.device
        if medium == "web":
            chat = self.visits.get("chat")
            if chat is not None and self.now - chat.last <= VISIT_GAP:
                return chat.device
        if person.tablet is not None and chance.random() < 0.4:
            return person.tablet
        return person.browsers[0 if len(person.browsers) == 1 or chance.random() < 0.7 else 1]

    def _let_go(self) -> None:
        """They turn to something else: what was open is closed."""
        self.visits.clear()

    # --- how it ended ----------------------------------------------------------------------------

    def _elsewhere(self, outcome: str) -> str:
        if self.chance.random() < ELSEWHERE_SHARE:
            self.veils |= Veil.ELSEWHERE
            return HAD
        return outcome

    def _broke_at(self, outcome: str) -> str:
        """What annoyed them most, and of equals the last."""
        if outcome != FRUSTRATED:
            return ""
        return max(reversed(self.annoyed), key=lambda name: self.annoyed[name])

    def _afterwards(self, outcome: str) -> Iterator[int]:
        chance = self.chance
        if outcome == FRUSTRATED:
            dice = chance.random()
            if dice < COMPLAINS_SHARE:
                yield from self.wait(3600, 1.5)
                self.emit("complain")
                self.signed = True
            elif dice < COMPLAINS_SHARE + CANCELS_SHARE:
                yield from self.wait(DAY / 1000, 0.8)
                self.emit("cancel-contract")
                self.signed = True
        paid = outcome == HAD and self.last_met == "payment-confirmed"
        if paid and chance.random() < LOOKS_AGAIN_SHARE:
            yield from self.wait(20)
            self.emit("view-bill")
        yield from self._answer(outcome)
        self._judge_signs(outcome)

    def _answer(self, outcome: str) -> Iterator[int]:
        chance = self.chance
        if not self.person.answers or chance.random() >= ANSWERS_SHARE or self.latest is None:
            return
        subject = {"web": "rate-payment", "app": "rate-payment", "chat": "rate-chat"}.get(
            self.latest.medium, "rate-call"
        )
        yield from self.wait(300)
        good = 5 - sum(self.annoyed.values()) / 1.5
        if outcome == FRUSTRATED:
            good -= 1.5
            self.signed = True
        value = max(1, min(5, round(good + chance.gauss(0, 0.6))))
        self.emit(subject, rating={"scale": "csat", "value": value})

    def _settle(self) -> None:
        """What hides it, apart from what became of single records."""
        if not self.said:
            self.veils |= Veil.UNSAID
        number, known, forgotten = self.person.number, set(), set()
        for device in (*self.person.browsers, self.person.app):
            if device is not None and number in device.shows:
                known.add(f"device {device.value}")
            elif device is not None and number in device.forgotten:
                forgotten.add(f"device {device.value}")
        pieces = {"" if piece in known else piece for piece in self.pieces}
        if len(pieces) > 1:
            told = {"" if piece in forgotten else piece for piece in pieces}
            self.veils |= Veil.NAMELESS if len(told) > 1 else Veil.FORGOTTEN

    def _judge_signs(self, outcome: str) -> None:
        if outcome == FRUSTRATED and not self.traced and not self.signed:
            self.veils |= Veil.NO_SIGN
        elif outcome == FRUSTRATED and self._broke_at(outcome) not in self.traced:
            self.veils |= Veil.HALF_SIGN
        elif outcome == ABANDONED and self.traced:
            self.veils |= Veil.OWN_REASONS
