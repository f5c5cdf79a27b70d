"""The `[[example]]` cases of missions: touchpoints as one line each, and what is to become of them.

A line is `[+Nd] HH:MM[:SS] channel touchpoint`, then signals as bare words and `key=value`:

    +1d 09:00 ivr call-care no_match intent=pay-bill rating=ces:2 at=/menu/3 customer=anna

This module reads them and says what is wrong with them; running them is `trial`'s work.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast, get_args

import msgspec

from pipeline.catalogue.documents import Document
from pipeline.catalogue.suggestions import closest
from pipeline.catalogue.tables import ExampleTable, ExpectedOutcome, MissionFile
from pipeline.errors import Problem
from pipeline.stitching.journeys import REASONS
from pipeline.stitching.signals import KNOWN
from schemas.identifiers import blocked, normalise
from schemas.records import CHANNELS, Judgement, Rating, Scale, Touchpoint

DAY: Final = datetime(2026, 1, 5, tzinfo=UTC)
"""The day of every example, a Monday; `+1d` is the Tuesday after."""

SOURCE: Final = "example"
"""The source that examples' touchpoints carry."""

CUSTOMER: Final = "customer"
"""Whose touchpoints they are where a line names no `customer=`."""

RATINGS: Final[Mapping[str, tuple[float, float]]] = {"ces": (1, 7), "nps": (0, 10), "csat": (1, 5)}
"""The least and greatest answer of each scale."""

_TIME: Final = re.compile(r"(?:\+(\d{1,4})d\s+)?([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?=\s|$)")
_KEYS: Final = ("intent", "rating", "at", "customer")


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A case of a mission: what happens, and what is expected of it.

    Attributes:
        file: Where it stands …
        line: … and the line of its `[[example]]`.
        name: What it shows.
        mission: The mission that it belongs to.
        touchpoints: In order of time, with the ids "1", "2", … and a `user_id` each.
        touchpoint_lines: The line of each of them in the file.
        until: How far event time runs on after the last one; None: until everything has closed.
        outcome: What becomes of the mission's last journey; `none`: there is no such journey.
        reason: The outcome's reason; None where the example does not say.
        broke_at: The touchpoint that cost the mission; None where the example does not say.
        verdicts: One per touchpoint, None for one without a verdict; None where not said at all.
        journeys: How many journeys of this mission there are.
    """

    file: str
    line: int
    name: str
    mission: str
    touchpoints: tuple[Touchpoint, ...]
    touchpoint_lines: tuple[int, ...]
    until: timedelta | None
    outcome: ExpectedOutcome
    reason: str | None
    broke_at: str | None
    verdicts: tuple[Judgement | None, ...] | None
    journeys: int


def examples_of(document: Document, file: MissionFile) -> list[Example]:
    """The examples of a mission file in which `problems` finds nothing."""
    return [
        _example(document, at, table, mission=file.name) for at, table in enumerate(file.example)
    ]


def problems(document: Document, channels: Mapping[str, str] | None) -> Iterator[Problem]:
    """What is wrong with the examples of a mission file beyond the shape of its tables.

    Args:
        document: The mission file, valid or not.
        channels: Each touchpoint of the inventory with its channel; None: the inventory is not
            known, and nothing is said about touchpoints.
    """
    for place, table in document.tables("example", "*"):
        before: datetime | None = None
        for text in document.texts("example", "*", "touchpoints", "*"):
            if text.place[:2] != place:
                continue
            line = _Line(text.text)
            yield from (text.problem(*wrong) for wrong in line.problems(channels))
            if before and line.at and line.at < before:
                yield text.problem(f'"{text.text}" happens before the line above it')
            before = line.at or before
        yield from _expectations(document, place, table, channels)


def _expectations(
    document: Document,
    place: tuple[str | int, ...],
    table: dict[str, Any],
    channels: Mapping[str, str] | None,
) -> Iterator[Problem]:
    def problem(key: str, message: str, suggestion: str | None = None) -> Problem:
        line = document.line_of(*place, key)
        return Problem(file=document.file, line=line, message=message, suggestion=suggestion)

    broke_at, verdicts, lines = (table.get(k) for k in ("broke_at", "verdicts", "touchpoints"))
    if channels is not None and isinstance(broke_at, str) and broke_at not in channels:
        message = f'broke_at "{broke_at}" is not in the inventory'
        yield problem("broke_at", message, closest(broke_at, channels))
    reason, reasons = table.get("reason"), sorted(REASONS.values())
    if isinstance(reason, str) and reason not in reasons:
        message = f'reason: expected one of {", ".join(reasons)}; found "{reason}"'
        yield problem("reason", message, closest(reason, reasons))
    if isinstance(verdicts, list) and isinstance(lines, list) and len(verdicts) != len(lines):
        message = f"verdicts: expected one per touchpoint, {len(lines)}; found {len(verdicts)}"
        yield problem("verdicts", message)
    journeys, outcome = table.get("journeys"), table.get("outcome")
    if outcome not in get_args(ExpectedOutcome):
        return
    if isinstance(journeys, int) and (journeys == 0) != (outcome == "none"):
        message = f'journeys: {journeys} does not go with the outcome "{outcome}"'
        yield problem("journeys", message)


class _Line:
    """A touchpoint's line: its words, and when it happens where that can be read."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self.at: datetime | None = None
        time = _TIME.match(self._text)
        if time is not None:
            days, hours, minutes, seconds = (int(part or 0) for part in time.groups())
            self.at = DAY + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        words = self._text[time.end() :].split() if time else []
        self.channel = words[0] if words else ""
        self.touchpoint = words[1] if len(words) > 1 else ""
        self.signals = tuple(word for word in words[2:] if "=" not in word)
        self._pairs = [word.partition("=")[::2] for word in words[2:] if "=" in word]
        self.said = dict(self._pairs)

    def problems(self, channels: Mapping[str, str] | None) -> Iterator[tuple[str, str | None]]:
        """Messages with suggestions."""
        if self.at is None:
            expected = 'a time such as "10:00", "10:00:30" or "+1d 09:00" first'
            yield f'expected {expected}; found "{self._text}"', None
            return
        if not self.touchpoint:
            yield f'expected a time, a channel and a touchpoint; found "{self._text}"', None
            return
        if self.channel not in CHANNELS:
            message = f'expected one of {", ".join(CHANNELS)}; found "{self.channel}"'
            yield message, closest(self.channel, CHANNELS)
        if channels is not None and self.touchpoint not in channels:
            message = f'touchpoint "{self.touchpoint}" is not in the inventory'
            yield message, closest(self.touchpoint, channels)
        elif channels is not None and self.channel in CHANNELS:
            its = channels[self.touchpoint]
            if its in CHANNELS and its != self.channel:
                yield f'"{self.touchpoint}" is of channel {its}; found "{self.channel}"', its
        for signal in self.signals:
            if signal not in KNOWN:
                yield f'signal "{signal}" is not known', closest(signal, KNOWN)
        yield from self._wrong_pairs()

    def _wrong_pairs(self) -> Iterator[tuple[str, str | None]]:
        for key, value in self._pairs:
            if key not in _KEYS:
                message = f'unknown key "{key}"; expected one of {", ".join(_KEYS)}'
                yield message, closest(key, _KEYS)
            elif not value:
                yield f'expected something after "{key}="; found nothing', None
            elif key == "rating" and self.rating is None:
                scales = ", ".join(f"{name}:{a:g}-{b:g}" for name, (a, b) in RATINGS.items())
                yield f'rating: expected one of {scales}; found "{value}"', None
            elif key == "customer" and (why := blocked(normalise("user_id", value))):
                yield f'customer "{value}" identifies nobody ({why}); expected a name', None
        if len(self.said) < len(self._pairs):
            yield f'expected each key once; found "{self._text}"', None

    @property
    def rating(self) -> Rating | None:
        """The customer's answer; None where there is none, or none on its scale."""
        scale, _, value = self.said.get("rating", "").partition(":")
        if scale not in RATINGS or not re.fullmatch(r"\d{1,2}(\.\d)?", value):
            return None
        least, greatest = RATINGS[scale]
        if not least <= float(value) <= greatest:
            return None
        return Rating(scale=cast("Scale", scale), value=float(value))

    def as_touchpoint(self, touchpoint_id: str) -> Touchpoint:
        """The value of a line without problems."""
        occurred_at = self.at or DAY
        return Touchpoint(
            id=touchpoint_id,
            source=SOURCE,
            channel=next(channel for channel in CHANNELS if channel == self.channel),
            name=self.touchpoint,
            occurred_at=occurred_at,
            received_at=occurred_at,
            location=self.said.get("at"),
            identifiers={"user_id": self.said.get("customer", CUSTOMER)},
            signals=self.signals,
            intent=self.said.get("intent"),
            rating=self.rating,
        )


def _example(document: Document, at: int, table: ExampleTable, *, mission: str) -> Example:
    lines = [_Line(text) for text in table.touchpoints]
    verdicts = None
    if table.verdicts is not None:
        verdicts = tuple(None if word == "-" else word for word in table.verdicts)
    journeys = table.journeys
    if journeys is None:
        journeys = 0 if table.outcome == "none" else 1
    return Example(
        file=document.file,
        line=document.line_of("example", at),
        name=table.name,
        mission=mission,
        touchpoints=tuple(one.as_touchpoint(str(n)) for n, one in enumerate(lines, start=1)),
        touchpoint_lines=tuple(
            document.line_of("example", at, "touchpoints", n) for n in range(len(lines))
        ),
        until=table.until,
        outcome=table.outcome,
        reason=table.reason,
        broke_at=table.broke_at,
        verdicts=verdicts,
        journeys=journeys,
    )
