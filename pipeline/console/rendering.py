"""Rendering: an address becomes a page, in a thread, once for all who look at it.

What is shown changes only when the store or the pipeline's standing does; each change gets a
number, and a page is made once for each. So it costs next to nothing how many people look.
"""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from pipeline.console.asking import Asked
from pipeline.console.feeding import Fed
from pipeline.console.lookups import Lookups, Owner
from pipeline.console.pages import (
    incident,
    journeys,
    mission_list,
    missions,
    now,
    report,
    touchpoint_list,
    touchpoints,
)
from pipeline.console.pages import pipeline as pipeline_page
from pipeline.console.pages.report import Reports
from pipeline.console.pieces import Page, Section, linked, nothing
from pipeline.console.questions import Questions
from pipeline.console.standing import Standing, Vitals, standing_of
from pipeline.console.store import StoreFailed, file_of, open_to_read
from pipeline.reporting.wording import Words
from pipeline.stitching.rules import Rules

T = TypeVar("T")

PAGES_MAX: Final = 300
"""Pages that are kept for the next who asks; those unasked longest go first."""


class Key(NamedTuple):
    """Which page, as whom."""

    path: str
    query: tuple[tuple[str, str], ...]
    operator: bool


class Rendered(NamedTuple):
    """A page, what it was made of, and how far it can be believed; no page: there is none."""

    seq: int
    page: Page | None
    standing: Standing


class Renderer:
    """Makes pages of the store.

    Args:
        directory: Where the store is.
        rules: The catalogue.
        fed: How far the store is.
        clock: The wall clock.
    """

    def __init__(
        self, directory: Path, rules: Rules, fed: Callable[[], Fed], clock: Callable[[], datetime]
    ) -> None:
        self._directory = directory
        self._rules = rules
        self._words = Words(rules)
        self._fed = fed
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "console pages")
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._pages: OrderedDict[Key, Rendered] = OrderedDict()
        self._seen: object = None
        self._reports = Reports(directory, rules, self._report_made)
        self._reports_made = 0
        self.vitals: Vitals | None = None
        self.seq = 1

    async def look(self) -> bool:
        """Whether anything has changed since the last look."""
        return await self._in_thread(self._look)

    async def rendered(self, key: Key) -> Rendered:
        """A page as of the last change."""
        made = self._pages.get(key)
        if made is None or made.seq != self.seq:
            made = await self._in_thread(lambda: self._render(key))
            self._pages[key] = made
            if len(self._pages) > PAGES_MAX:
                self._pages.popitem(last=False)
        self._pages.move_to_end(key)
        return made

    async def story(self, key: Key, customer: str) -> Rendered:
        """One customer's story; kept for nobody."""
        return await self._in_thread(
            lambda: self._guarded(
                lambda asked: journeys.show(asked, journeys.gather(asked, customer)), key
            )
        )

    async def find(self, text: str) -> list[Owner]:
        """Whose an identifier or id is; the others whose it was before them, the first first."""

        def ask() -> list[Owner]:
            lookups = Lookups(self._opened())
            owners = lookups.owners_of(text)
            if owners:
                return owners if len({one.customer for one in owners}) > 1 else owners[:1]
            customer = lookups.customer_of(text)
            return [] if customer is None else [Owner(customer, self._clock())]

        return await self._in_thread(ask)

    async def standing(self) -> Standing:
        """How far the pages can be believed."""
        return await self._in_thread(self._standing)

    def close(self) -> None:
        """Let go of the store."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _report_made(self) -> None:
        self._reports_made += 1

    def _opened(self) -> sqlite3.Connection:
        """The connection; another one where the store was made anew, as of a damaged one."""
        file = file_of(self._directory)
        if file != self._file:
            self._forget()
            self._file = file
        if self._connection is None:
            self._connection = open_to_read(self._directory)
        return self._connection

    def _standing(self) -> Standing:
        latest = None
        fed = self._fed()
        try:
            latest = Questions(self._opened()).latest()
        except (sqlite3.Error, StoreFailed) as error:
            fed = msgspec.structs.replace(fed, failure=fed.failure or str(error))
            self._forget()
        return standing_of(latest, fed, self.vitals, self._clock())

    def _look(self) -> bool:
        standing = self._standing()
        version = None if self._connection is None else Questions(self._connection).version()
        told = None if self.vitals is None else _told(self.vitals)
        seen = (self._file, version, standing.level, standing.sentence, told, self._reports_made)
        changed = seen != self._seen
        if changed:
            self._seen = seen
            self.seq += 1
        return changed

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _render(self, key: Key) -> Rendered:
        return self._guarded(lambda asked: self._page(asked, key.path), key)

    def _guarded(self, make: Callable[[Asked], Page | None], key: Key) -> Rendered:
        """A page; where the store fails, one that says so."""
        seq, standing = self.seq, self._standing()
        query: Mapping[str, str] = dict(key.query)
        try:
            connection = self._opened()
            connection.execute("BEGIN")  # all of a page is of one moment
            try:
                asked = Asked(
                    questions=Questions(connection),
                    lookups=Lookups(connection),
                    rules=self._rules,
                    words=self._words,
                    standing=standing,
                    vitals=self.vitals,
                    now=self._clock(),
                    path=linked(key.path),
                    query=query,
                    operator=key.operator,
                )
                page = make(asked)
            finally:
                connection.execute("ROLLBACK")
        except (sqlite3.Error, StoreFailed) as error:
            self._forget()
            broken = nothing(f"This page cannot be shown just now: {error}.")
            page = Page("Touchpoints", "now", (Section("failed", broken),))
        return Rendered(seq, page, standing)

    def _page(self, asked: Asked, path: str) -> Page | None:
        """The page of an address; None where there is none."""
        parts = path.removeprefix("/").split("/", 1)  # a name may have a slash in it
        if parts[-1] == "":
            parts.pop()
        match parts:
            case []:
                return now.show(asked, now.gather(asked))
            case ["incidents", id_]:
                return incident.show(asked, incident.gather(asked, id_))
            case ["missions"]:
                return mission_list.show(asked, mission_list.gather(asked))
            case ["missions", name]:
                return missions.show(asked, missions.gather(asked, name))
            case ["touchpoints"]:
                return touchpoint_list.show(asked, touchpoint_list.gather(asked))
            case ["touchpoints", name]:
                return touchpoints.show(asked, touchpoints.gather(asked, name))
            case ["report"]:
                return report.show(asked, report.gather(asked, self._reports))
            case ["pipeline"]:
                return pipeline_page.show(asked, pipeline_page.gather(asked, self._fed()))
            case _:
                return None


def _told(vitals: Vitals) -> tuple[object, ...]:
    """What of the pipeline's word is shown; not when it was said, which is always another time."""
    return (
        vitals.backlog,
        vitals.backlog and vitals.lag,
        vitals.lags,
        vitals.appended,
        vitals.received,
        vitals.rejected,
        vitals.accounts,
        vitals.processes,
    )
