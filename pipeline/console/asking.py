"""What a page is asked with: the window, the filters, whom it is for, and what answers."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pipeline.console.lookups import Lookups
from pipeline.console.pieces import address, choices
from pipeline.console.questions import LONG, SHORT, WHOLE, Hours, Questions
from pipeline.console.standing import Standing, Vitals
from pipeline.console.store import TALLY_HOURS, milliseconds, minute_of
from pipeline.reporting.markup import Markup
from pipeline.reporting.wording import Words
from pipeline.stitching.rules import Rules

HOURLY, DAILY = TALLY_HOURS


class Window(NamedTuple):
    """A stretch of time that ends with the newest event.

    Attributes:
        key: In addresses.
        name: For a person.
        length: How long.
        width: The spans by which the course of votes is shown in it, in minutes.
        sums: The spans by which votes are added up over all of it, and with one of which it
            begins: fewer rows, so that a page stays quick with ten thousand series.
    """

    key: str
    name: str
    length: timedelta
    width: int
    sums: int


HOUR: Final = Window("1h", "Last hour", timedelta(hours=1), SHORT, SHORT)
QUARTER: Final = Window("6h", "Last 6 hours", timedelta(hours=6), LONG, LONG)
DAY: Final = Window("24h", "Last 24 hours", timedelta(hours=24), LONG, WHOLE)
WEEK: Final = Window("7d", "Last 7 days", timedelta(days=7), LONG, WHOLE)
MONTH: Final = Window("28d", "Last 28 days", timedelta(days=28), LONG, WHOLE)

LATELY: Final = (HOUR, QUARTER, DAY)
"""Windows of pages about now."""

LOOKING_BACK: Final = (DAY, WEEK, MONTH)
"""Windows of pages about how it usually goes."""


class Asked(NamedTuple):
    """One question to the console.

    Attributes:
        path: The page's address as it stands in links, without query.
        query: Filters, as they were typed.
        operator: Whether single customers may be shown.
    """

    questions: Questions
    lookups: Lookups
    rules: Rules
    words: Words
    standing: Standing
    vitals: Vitals | None
    now: datetime
    path: str
    query: Mapping[str, str]
    operator: bool

    @property
    def until(self) -> datetime:
        """The newest event, from which windows are counted; now where there is none."""
        return self.standing.as_of or self.now

    def window(self, windows: tuple[Window, ...], usual: Window) -> Window:
        """The one that is asked for; the usual one where none, or none of these, is."""
        return next((one for one in windows if one.key == self.query.get("window")), usual)

    def other_windows(self, offered: tuple[Window, ...], chosen: Window) -> Markup:
        """Links to the same page, with the same filters, of other times."""
        return choices(
            "Time",
            (
                (
                    one.name,
                    address(self.path, **{**self.query, "window": one.key}),
                    one.key == chosen.key,
                )
                for one in offered
            ),
        )

    def first_minute(self, window: Window) -> int:
        """The minute with which a window's spans begin."""
        ends = minute_of(self.until)
        spans = int(window.length / timedelta(minutes=window.sums))
        return ends - ends % window.sums - (spans - 1) * window.sums

    def hours(self, window: Window) -> Hours:
        """The hours of a window, or its days of UTC where it has more than one."""
        first = self.first_minute(window) // 60
        if window.length <= DAY.length:
            return Hours(first, HOURLY)
        last = minute_of(self.until) // 60
        days = window.length // timedelta(days=1)
        return Hours(last - last % DAILY - (days - 1) * DAILY, DAILY)

    def since(self, window: Window) -> int:
        """When a window begins, in milliseconds."""
        return milliseconds(self.until - window.length)

    @property
    def here(self) -> str:
        """Address and filters, as a link back would have them."""
        return address(self.path, **self.query)
