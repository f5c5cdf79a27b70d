"""The console's tests' vocabulary: a store, records of it, and pages as a browser gets them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from pipeline.console.feeding import Fed
from pipeline.console.frame import document
from pipeline.console.keeping import Arrived, Keeper
from pipeline.console.rendering import Key, Renderer
from pipeline.console.standing import Vitals
from pipeline.console.store import milliseconds, open_to_write
from schemas.codec import encode
from schemas.records import (
    Alert,
    Counts,
    IdentityChange,
    JourneyOutcome,
    Reason,
    Record,
    Session,
    Verdict,
    Votes,
)
from schemas.topics import TOPICS
from tests.builders import RULES

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOPIC_OF = {topic.record: name for name, topic in TOPICS.items()}
CAUGHT_UP = Fed(0, caught_up=True)


class Kept:
    """A store in a folder, filled by hand."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.connection = open_to_write(directory)
        self.keeper = Keeper(self.connection)
        self.fed = CAUGHT_UP
        self.now = NOW
        self.vitals: Vitals | None = None

    def keep(self, *records: Record, at: datetime = NOW) -> "Kept":
        """Take records in, each as a batch of its own, as if all were appended at one moment."""
        for one in records:
            arrived = Arrived("", encode(one), milliseconds(at))
            self.keeper.take(TOPIC_OF[type(one)], [arrived], {0: 1}, NOW)
        return self

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        return sorted(self.connection.execute(f"SELECT * FROM {table}").fetchall())

    async def page(self, path: str, rules: Any = RULES, **query: str) -> "Read":
        """A page, as it is sent; a report once it is made."""
        renderer = Renderer(self.directory, rules, lambda: self.fed, lambda: self.now)
        renderer.vitals = self.vitals
        try:
            key = Key(path, tuple(sorted(query.items())), operator=True)
            if path.startswith("/journeys/"):
                made = await renderer.story(key, path.removeprefix("/journeys/"))
            else:
                made = await renderer.rendered(key)
            while made.page is not None and "waiting" in made.page.sections[-1].content:
                await asyncio.sleep(0.01)
                await renderer.look()
                made = await renderer.rendered(key)
        finally:
            renderer.close()
        assert made.page is not None, path
        return Read(document(made.page, made.standing), made.page)


class Read(HTMLParser):
    """What a browser reads: the text, the elements and their attributes."""

    def __init__(self, html: str, page: Any = None) -> None:
        super().__init__()
        self.html, self.page = html, page
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._parts: list[str] = []
        self.feed(html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._parts).replace("\N{NO-BREAK SPACE}", " ").split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self._parts.append(data)


def ago(**lengths: float) -> datetime:
    return NOW - timedelta(**lengths)


def verdict(id_: str = "v-1", **fields: Any) -> Verdict:
    given: dict[str, Any] = {
        "revision": 1,
        "touchpoint": "pay-online",
        "channel": "web",
        "customer": "ann",
        "session_id": "s-1",
        "journey_id": "j-1",
        "mission": "pay-bill",
        "phase": "pay",
        "step": "pay-online",
        "verdict": "functional",
        "reasons": (),
        "occurred_at": ago(minutes=10),
        "source": "shop",
    }
    return Verdict(id=id_, **(given | fields))


def broken(id_: str = "v-1", rule: str = "http_5xx", **fields: Any) -> Verdict:
    return verdict(id_, verdict="broken", reasons=(Reason(rule=rule, value=1),), **fields)


def outcome(id_: str = "j-1", ending: str = "completed", **fields: Any) -> JourneyOutcome:
    given: dict[str, Any] = {
        "revision": 1,
        "mission": "pay-bill",
        "customer": "ann",
        "reason": "completing_touchpoint" if ending == "completed" else "gave_up",
        "started_at": ago(minutes=20),
        "ended_at": ago(minutes=10),
        "phases": ("look", "pay"),
        "microjourney": ("view-bill", "pay-online"),
        "channels": ("web",),
        "effort": 6.0,
        "verdicts": Counts(functional=2),
        "value": 38.5,
        "currency": "EUR",
        "count": 2,
    }
    return JourneyOutcome(journey_id=id_, outcome=ending, **(given | fields))


def session(id_: str = "s-1", **fields: Any) -> Session:
    given: dict[str, Any] = {
        "revision": 1,
        "state": "closed",
        "customer": "ann",
        "channel": "web",
        "started_at": ago(minutes=20),
        "ended_at": ago(minutes=10),
        "count": 1,
        "microjourney": ("pay-online",),
        "verdicts": Counts(functional=1),
    }
    return Session(session_id=id_, **(given | fields))


def votes(count: int, wrong: int, mission: str | None = None, **fields: Any) -> Votes:
    given: dict[str, Any] = {
        "touchpoint": "pay-online",
        "minute": ago(minutes=10),
        "partition": 0,
        "customers": wrong,
    }
    return Votes(votes=count, broken=wrong, mission=mission, **(given | fields))


def alert(state: str = "firing", **fields: Any) -> Alert:
    given: dict[str, Any] = {
        "id": "a-1",
        "version": 1,
        "touchpoint": "pay-online",
        "mission": "pay-bill",
        "severity": "page",
        "since": ago(minutes=30),
        "at": ago(minutes=5),
        "usual_share": 0.02,
        "present_share": 0.75,
        "votes": 8,
        "customers": 6,
        "evidence": 20.0,
        "threshold": 14.0,
        "sentence": "It is broken.",
        "reasons": {"http_5xx": 6},
        "touchpoints": ("v-1",),
        "missions": ("pay-bill",),
    }
    return Alert(state=state, **(given | fields))


def change(move: str, customer: str = "ann", **fields: Any) -> IdentityChange:
    given: dict[str, Any] = {"at": NOW, "reason": "by_operator"}
    return IdentityChange(customer=customer, change=move, **(given | fields))


def everything(**fields: Any) -> Sequence[Record]:
    """One record of each kind that a page shows."""
    return (
        broken(**fields),
        outcome(ending="frustrated", broke_at="pay-online"),
        session(),
        votes(8, 6),
        votes(8, 6, "pay-bill"),
        alert(),
    )
