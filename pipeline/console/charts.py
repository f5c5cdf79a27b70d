"""Charts as SVG made here: shapes alone, stretched to their place; their words are HTML beside it.

So they need no script, print well, and their labels stay readable at any width. Each says in words
what it shows; the table below it has the figures.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from pipeline.console.pieces import time_of
from pipeline.reporting.markup import Markup, element
from pipeline.reporting.wording import percent

WIDTH: Final = 1000
HEIGHT: Final = 200

FOOT: Final = 4
"""The height of what stands for a share of nought: nobody came is something else."""


class Stack(NamedTuple):
    """A column of parts on top of each other, from the bottom up."""

    at: datetime
    parts: tuple[float, ...]


class Level(NamedTuple):
    """A line across a chart, with what it stands for."""

    share: float
    name: str
    kind: str


def spark(values: Sequence[float | None], most: float) -> Markup:
    """A small trend; None where nothing was counted. Decoration: the number stands beside it."""
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return Markup("")
    step, top = 100 / (len(values) - 1), max(most, 1e-9)
    points = " ".join(f"{at * step:.1f},{22 - 20 * min(1, v / top):.1f}" for at, v in known)
    return element(
        "svg",
        element("polyline", points=points),
        class_="spark",
        viewBox="0 0 100 24",
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )


def shares(
    columns: Sequence[tuple[datetime, float | None]],
    levels: Sequence[Level],
    lasted: tuple[datetime, datetime | None] | None,
    label: str,
) -> Markup:
    """Shares over time as columns, with lines to hold them against.

    Args:
        columns: When each begins, and its share; None where nothing was counted.
        levels: What the shares are held against.
        lasted: From when until when columns stand out; all do where it is None.
        label: What it shows, in words.
    """
    if not columns:
        return Markup("")
    known = [share for _, share in columns if share is not None]
    most = _nice(max([*known, *(level.share * 1.5 for level in levels), 0.05]))
    width = WIDTH / len(columns)
    shapes = [
        _rect(
            f"{at * width + width * 0.1:.1f}",
            f"{HEIGHT * (1 - share / most):.1f}",
            f"{width * 0.8:.1f}",
            f"{HEIGHT * share / most:.1f}",
            "bad" if _within(when, lasted) else "even",
        )
        for at, (when, share) in enumerate(columns)
        if share
    ]
    whole = [at for at, (_, share) in enumerate(columns) if share == 0]
    shapes += [
        _rect(
            f"{at * width + width * 0.1:.1f}",
            str(HEIGHT - FOOT),
            f"{width * 0.8:.1f}",
            str(FOOT),
            "good",
        )
        for at in whole
    ]
    for level in levels:
        y = f"{HEIGHT * (1 - level.share / most):.1f}"
        shapes.append(element("line", x1="0", x2=str(WIDTH), y1=y, y2=y, class_=level.kind))
    keys = [
        element("li", element("i", class_=f"key {one.kind}"), f"{one.name}: {percent(one.share)}")
        for one in levels
    ]
    if whole:
        keys.append(element("li", element("i", class_="key foot"), "visits, and none broke"))
    return _framed(shapes, [percent(most), percent(most / 2), "0"], _ends(columns), label, keys)


def _within(at: datetime, lasted: tuple[datetime, datetime | None] | None) -> bool:
    if lasted is None:
        return True
    since, until = lasted
    return at >= since and (until is None or at < until)


def stacks(columns: Sequence[Stack], names: Sequence[tuple[str, str]], label: str) -> Markup:
    """Counts over time, their parts on top of each other.

    Args:
        columns: In the order of time.
        names: Of each part its name and kind.
        label: What it shows, in words.
    """
    if not columns:
        return Markup("")
    most = max(1.0, *(sum(one.parts) for one in columns))
    width = WIDTH / len(columns)
    shapes = []
    for at, one in enumerate(columns):
        bottom = float(HEIGHT)
        for part, (_, kind) in zip(one.parts, names, strict=True):
            if part > 0:
                height = HEIGHT * part / most
                bottom -= height
                shapes.append(
                    _rect(
                        f"{at * width + width * 0.1:.1f}",
                        f"{bottom:.1f}",
                        f"{width * 0.8:.1f}",
                        f"{height:.1f}",
                        kind,
                    )
                )
    keys = [element("li", element("i", class_=f"key {kind}"), name) for name, kind in names]
    ends = [(one.at, None) for one in columns]
    return _framed(shapes, [f"{most:,.0f}", "", "0"], _ends(ends), label, keys)


def _framed(
    shapes: Sequence[str],
    scale: Sequence[str],
    ends: Sequence[Markup],
    label: str,
    keys: Sequence[str],
) -> Markup:
    """Shapes with their scale, times and key around them."""
    drawing = element(
        "svg",
        *shapes,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        focusable="false",
    )
    return element(
        "figure",
        element(
            "div", *(element("span", one) for one in scale), class_="scale", aria_hidden="true"
        ),
        element("div", drawing, class_="drawing"),
        element("div", *ends, class_="times"),
        element("ul", *keys, class_="keys") if keys else "",
        class_="chart",
    )


def _ends(columns: Sequence[tuple[datetime, object]]) -> list[Markup]:
    first, middle, last = columns[0][0], columns[len(columns) // 2][0], columns[-1][0]
    form = "minute" if first.date() != last.date() else "clock"
    if len(columns) < 3:
        return [time_of(first, form)]
    return [time_of(first, form), time_of(middle, form), time_of(last, form)]


def _nice(share: float) -> float:
    """The least of some round shares that is not exceeded."""
    return next((one for one in (0.05, 0.1, 0.2, 0.3, 0.5, 0.75) if share <= one), 1.0)


def _rect(x: str, y: str, width: str, height: str, kind: str) -> Markup:
    return element("rect", x=x, y=y, width=width, height=height, class_=kind)
