"""Report: the three questions on one page that can be printed, as `touchpoints report` has them.

A report looks at every journey, so it is made in the background and kept for a while.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

from pipeline.console.asking import Asked
from pipeline.console.lookups import Lookups
from pipeline.console.pieces import Page, Section, address, choices, nothing
from pipeline.console.store import open_to_read
from pipeline.errors import PipelineError
from pipeline.reporting.composing import report_of
from pipeline.reporting.markup import Markup, element, joined
from pipeline.reporting.page import content_of
from pipeline.reporting.results import Gathering
from pipeline.reporting.wording import counted
from pipeline.stitching.rules import Rules

PLACE: Final = "report"

JOURNEYS_MAX: Final = 10_000
"""Journeys that are reported on, the newest; `touchpoints report` takes all (P)."""

KEPT: Final = 60.0
"""Seconds for which a report is shown before another one is made (P)."""

_logger: Final = logging.getLogger("touchpoints.console")


class Made(NamedTuple):
    """A report that was made, when, and how long it took; `problem` says why not."""

    content: Markup
    at: float
    journeys: int
    problem: str = ""


class Reports:
    """Makes reports, one at a time, in a thread of its own.

    Args:
        directory: Where the store is.
        rules: The catalogue.
        changed: Called when one was made.
    """

    def __init__(self, directory: Path, rules: Rules, changed: Callable[[], None]) -> None:
        self._directory = directory
        self._rules = rules
        self._changed = changed
        self._made: dict[str, Made] = {}
        self._lock = threading.Lock()
        self._under_way = False

    def of(self, mission: str) -> Made | None:
        """The report on one mission, `""` for all; None where it is being made."""
        with self._lock:
            made = self._made.get(mission)
            if (made is None or monotonic() - made.at > KEPT) and not self._under_way:
                self._under_way = True
                threading.Thread(
                    target=self._make, args=(mission,), name="console report", daemon=True
                ).start()
            return made

    def _make(self, mission: str) -> None:
        try:
            made = self._composed(mission)
        except (sqlite3.Error, PipelineError) as error:
            made = Made(Markup(""), monotonic(), 0, str(error))
        except Exception as error:  # a fault of ours; else it would be under way for ever
            _logger.exception("the console could not make its report")
            made = Made(Markup(""), monotonic(), 0, type(error).__name__)
        with self._lock:
            self._made[mission] = made
            self._under_way = False
        self._changed()

    def _composed(self, mission: str) -> Made:
        gathering = Gathering()
        connection = open_to_read(self._directory)
        try:
            journeys, verdicts = Lookups(connection).newest(JOURNEYS_MAX)
        finally:
            connection.close()
        for record in (*journeys, *verdicts):
            gathering.add(record)
        only = mission or None
        report = report_of(gathering.results(mission=only), self._rules, only)
        return Made(content_of(report, self._rules), monotonic(), len(journeys))


def gather(asked: Asked, reports: Reports) -> Made | None:
    """The report that was asked for, as far as it is made."""
    mission = asked.query.get("mission", "")
    return reports.of(mission if mission in asked.rules.missions.all else "")


def show(asked: Asked, made: Made | None) -> Page:
    """The page."""
    chosen = asked.query.get("mission", "")
    options = [("All missions", "/report", chosen not in asked.rules.missions.all)]
    options += [
        (asked.words.mission(name), address("/report", mission=name), name == chosen)
        for name in sorted(asked.rules.missions.all, key=asked.words.mission)
    ]
    head = choices("Mission", options)
    if made is None:
        body: Markup = joined(
            nothing("The report is being made. It will be shown here."),
            element("div", class_="waiting", aria_hidden="true"),
        )
    elif made.problem:
        body = nothing(f"No report could be made: {made.problem}")
    else:
        body = joined(
            element(
                "p",
                f"Of the latest {counted(made.journeys, 'journey')} that ended. Print it as it "
                "stands; as text or JSON it comes from touchpoints report."
                if made.journeys
                else "No journey has ended yet.",
                class_="soft small unprinted",
            ),
            made.content,
        )
    sections = (Section("choices", head), Section("report", body))
    return Page("Report", PLACE, sections)
