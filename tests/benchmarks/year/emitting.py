"""From what people do to the records that arrive: who they show themselves to be, when, and if.

The company's emitters know a session by their own ids, or not; records are sent twice, late, under
a wrong clock or a new name, or are lost. What of that hides the truth is noted as it happens.
"""

from heapq import heappop, heappush
from random import Random
from typing import Final

import msgspec

from tests.benchmarks.year.faults import Faults
from tests.benchmarks.year.people import REMEMBERED, Device, Person, Visit
from tests.benchmarks.year.truth import Truth, Veil
from tests.benchmarks.year.ways import EMITTED

VISIT_GAP: Final = 30 * 60_000
"""Silence after which a browser or an app begins another visit, as common trackers do."""

TWICE_SHARE: Final = 0.02
LOST_SHARE: Final = 0.001
OFFLINE_SHARE: Final = 0.03
VERY_LATE_SHARE: Final = 0.05
"""Of records, how many are sent again, how many never arrive; of visits in the app, how many are
without a network; of these, how many for more than a day."""

HINTS_SHARE: Final = 0.75
"""Of browsers' and apps' visits, how many carry the tracker's session id."""

EMAILS_SHARE: Final = 0.4
CALL_NAMED_SHARE: Final = 0.9
SHOP_NAMED_SHARE: Final = 0.9
"""Of log-ins, how many show the e-mail too; of talks on the phone and in the shop, how many are
noted under the customer's account."""

_ENCODE: Final = msgspec.json.Encoder().encode
_SOURCES: Final = {
    "web": "shop", "app": "my-app", "chatbot": "bot", "ivr": "voice", "agent": "desk",
    "survey": "survey",
}  # fmt: skip
_MEDIA: Final = {"web": "web", "app": "app", "chatbot": "chat", "ivr": "call"}


class Post:
    """Takes records and hands them out in the order in which they arrive."""

    def __init__(self, truth: Truth, faults: Faults, chance: Random) -> None:
        self.truth, self.faults, self.chance = truth, faults, chance
        self._sent: list[tuple[int, int, bytes]] = []
        self._order = 0
        self._visits = 0
        self.sent = self.lost = 0

    def until(self, now: int) -> list[bytes]:
        """What arrives by then."""
        arrived = []
        sent = self._sent
        while sent and sent[0][0] <= now:
            arrived.append(heappop(sent)[2])
        return arrived

    def visit(self, medium: str, device: Device | None, person: Person, now: int) -> Visit:
        """Somebody sits down, opens a chat, or rings."""
        chance = self.chance
        self._visits += 1
        hint: str | None = f"{medium}-{self._visits}"
        if medium in ("web", "app") and chance.random() >= HINTS_SHARE:
            hint = None
        visit = Visit(medium, device, hint, now)
        if device is None:
            return visit
        device.visit(now, chance)
        if device.kind == "app":
            visit.named = person.app_logged_in
            if visit.named:
                device.shows.add(person.number)
            if chance.random() < OFFLINE_SHARE:
                hours = 0.3 + chance.expovariate(0.4)
                if chance.random() < VERY_LATE_SHARE:
                    hours = chance.uniform(25, 96)
                visit.offline_until = now + int(min(hours, 96) * 3_600_000)
        elif device.named_until > now and device.named_as == person.number:
            visit.named = True
        return visit

    def log_in(self, visit: Visit, person: Person, now: int) -> None:
        """They say who they are; the browser may remember it."""
        device = visit.device
        visit.named = True
        if device is None:
            return
        device.shows.add(person.number)
        device.named_until = 0
        if not device.shared and self.chance.random() < 0.6:
            device.named_as, device.named_until = person.number, now + REMEMBERED

    def record(
        self,
        line: dict[str, object],
        person: Person,
        visit: Visit | None,
        intention: int,
        touchpoint: str,
        now: int,
    ) -> Veil:
        """Send a record; what becomes of it hides the truth by that much."""
        chance, veils = self.chance, Veil(0)
        channel = line["channel"]
        if chance.random() < LOST_SHARE or (channel == "web" and person.blocks):
            self.lost += 1
            return Veil.LOST
        if channel in ("web", "app") and self.faults.renamed(touchpoint, now):
            line.update(name="Page Shown", location=f"/new/{touchpoint[::-1]}")
            line.pop("intent", None)
            veils |= Veil.UNKNOWN_NAME
        happened, arrives = now, now + chance.randint(80, 2500)
        if visit is not None and visit.device is not None and channel in ("web", "app"):
            happened += visit.device.clock
            if visit.device.clock:
                veils |= Veil.WRONG_CLOCK
            if visit.offline_until > now:
                arrives = visit.offline_until + chance.randint(80, 2500)
                if arrives - now > 86_400_000:
                    veils |= Veil.VERY_LATE
        serial = self.truth.touch(intention, person.number, touchpoint, now // 1000)
        line["id"] = f"t{serial}"
        line["occurred_at"] = happened
        self._send(line, arrives)
        if chance.random() < TWICE_SHARE:
            self._send(line, arrives + chance.randint(2_000, 600_000))
        return veils

    def machine(self, line: dict[str, object], touchpoint: str, intention: int, now: int) -> None:
        """A machine's record."""
        serial = self.truth.touch(intention, 0, touchpoint, now // 1000)
        line["id"] = f"t{serial}"
        line["occurred_at"] = now
        self._send(line, now + self.chance.randint(80, 600))

    def _send(self, line: dict[str, object], arrives: int) -> None:
        self._order += 1
        self.sent += 1
        line["received_at"] = arrives
        heappush(self._sent, (arrives, self._order, _ENCODE(line)))


def medium_of(touchpoint: str) -> str:
    """What somebody uses for it: web, app, chat, call; else people meet, or write."""
    channel = EMITTED[touchpoint].channel
    return _MEDIA.get(channel, channel)


def line_of(touchpoint: str, signals: tuple[str, ...]) -> dict[str, object]:
    """A touchpoint as its emitter reports it, without who, when and where."""
    place = EMITTED[touchpoint]
    line: dict[str, object] = {
        "source": _SOURCES[place.channel],
        "channel": place.channel,
        "name": place.name,
    }
    if place.location is not None:
        line["location"] = place.location
    if place.intent is not None:
        line["intent"] = place.intent
    if signals:
        line["signals"] = signals
    return line


def shown(touchpoint: str, person: Person, visit: Visit | None, chance: Random) -> dict[str, str]:
    """The identifiers that a record shows."""
    number = person.number
    account = f"acc-{number}"
    channel = EMITTED[touchpoint].channel
    if channel == "agent":
        share = 1.0
        if EMITTED[touchpoint].location in ("shop/riverside",):
            share = SHOP_NAMED_SHARE
        elif visit is not None and visit.medium == "call" and not visit.named:
            share = CALL_NAMED_SHARE
        if chance.random() < share:
            return {"account_id": account}
        return {"receipt": f"r-{number}-{chance.getrandbits(40):x}"}
    if channel == "survey":
        return {"user_id": f"u-{number}"}
    if visit is None:
        raise AssertionError(touchpoint)
    if visit.medium == "call":
        caller = {"caller_number": person.phone}
        if person.withheld:  # the call's id stands in, as of a number that names nobody
            caller = {"call_id": str(visit.hint)}
        return {**caller, "account_id": account} if visit.named else caller
    if visit.device is None:
        raise AssertionError(touchpoint)
    if visit.device.kind == "app":
        device = {"device_id": visit.device.value}
        return (
            {**device, "user_id": f"u-{number}", "account_id": account} if visit.named else device
        )
    cookie = {"anonymous_id": visit.device.value}
    if not visit.named:
        return cookie
    named = {**cookie, "user_id": f"u-{number}"}
    if touchpoint in ("log-in", "chat-to-person"):
        named["account_id"] = account
        if chance.random() < EMAILS_SHARE:
            named["email"] = f"u{number}@example.com"
    return named
