"""The flow of microjourneys: step by step, the broader the more customers.

The most frequent touchpoints of each step stand in columns, joined by bands. Drawn for wide
screens; on a narrow one the ranked list below it says the same.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from pipeline.reporting.markup import Markup, element
from pipeline.reporting.wording import Words

STEPS: Final = 5
"""Steps that are drawn (P)."""

NODES_MAX: Final = 5
"""Touchpoints of one step that are drawn by name; the others are joined (P)."""

OTHERS: Final = "\x00others"
GOT: Final = "\x00got"
LOST: Final = "\x00lost"

_COLUMN: Final = 200
_NODE: Final = 14
_HEIGHT: Final = 300
_GAP: Final = 12
_LABEL: Final = 26
"""Characters of a name that fit between two columns."""

Way = tuple[Sequence[str], int, int]
"""A path, how many journeys on it got what they came for, and how many did not."""


def flow(ways: Sequence[Way], words: Words) -> Markup:
    """The drawing; nothing where there is no way."""
    bands, columns = _bands(ways)
    if not bands:
        return Markup("")
    whole = sum(columns[0].values())
    room = _HEIGHT - _GAP * max(len(column) for column in columns)
    tops: list[dict[str, float]] = []
    for column in columns:
        tops.append({})
        y = 0.0
        for name, count in _ordered(column):
            tops[-1][name] = y
            y += room * count / whole + _GAP
    shapes = _drawn_bands(bands, tops, room / whole)
    shapes += [
        shape
        for at, column in enumerate(columns)
        for name, count in column.items()
        for shape in _node(at, name, tops[at][name], room * count / whole, count, words)
    ]
    width = _COLUMN * len(columns)
    deepest = 4 + max(
        top + room * columns[at][name] / whole
        for at, each in enumerate(tops)
        for name, top in each.items()
    )
    drawing = element(
        "svg",
        *shapes,
        viewBox=f"0 0 {width} {deepest:.0f}",
        role="img",
        aria_label="The most frequent ways as a flow; the list below has them in words",
        focusable="false",
    )
    return element("figure", drawing, class_="flow")


def _bands(
    ways: Sequence[Way],
) -> tuple[Counter[tuple[int, str, str]], list[Counter[str]]]:
    """How many go from what to what at each step, and how many are where."""
    seen: list[Counter[str]] = [Counter() for _ in range(STEPS)]
    for path, got, lost in ways:
        for at, name in enumerate(path[:STEPS]):
            seen[at][name] += got + lost
    shown = [{name for name, _ in step.most_common(NODES_MAX)} for step in seen]
    bands: Counter[tuple[int, str, str]] = Counter()
    columns: list[Counter[str]] = [Counter() for _ in range(STEPS + 1)]
    for path, got, lost in ways:
        steps = [name if name in shown[at] else OTHERS for at, name in enumerate(path[:STEPS])]
        if not steps:
            continue
        for at, name in enumerate(steps):
            columns[at][name] += got + lost
        for at, (one, other) in enumerate(pairwise(steps)):
            bands[at, one, other] += got + lost
        last = len(steps) - 1
        for name, count in ((GOT, got), (LOST, lost)):
            if count:
                bands[last, steps[-1], name] += count
                columns[last + 1][name] += count
    return bands, [column for column in columns if column]


def _ordered(column: Counter[str]) -> list[tuple[str, int]]:
    """Touchpoints by how many, then how it ended."""
    last = {OTHERS: 1, GOT: 2, LOST: 3}
    return sorted(column.items(), key=lambda item: (last.get(item[0], 0), -item[1], item[0]))


def _drawn_bands(
    bands: Counter[tuple[int, str, str]], tops: Sequence[dict[str, float]], scale: float
) -> list[Markup]:
    leaves = [dict(column) for column in tops]
    enters = [dict(column) for column in tops]
    shapes = []
    order = sorted(
        bands.items(), key=lambda i: (i[0][0], tops[i[0][0]][i[0][1]], tops[i[0][0] + 1][i[0][2]])
    )
    for (at, one, other), count in order:
        height = count * scale
        x, to = at * _COLUMN + _NODE, (at + 1) * _COLUMN
        y, end = leaves[at][one], enters[at + 1][other]
        leaves[at][one] += height
        enters[at + 1][other] += height
        middle = (x + to) / 2
        path = (
            f"M{x} {y:.1f}C{middle} {y:.1f} {middle} {end:.1f} {to} {end:.1f}"
            f"V{end + height:.1f}C{middle} {end + height:.1f} {middle} {y + height:.1f} {x} "
            f"{y + height:.1f}Z"
        )
        kind = {GOT: "good", LOST: "bad"}.get(other, "even")
        shapes.append(element("path", d=path, class_=f"band {kind}"))
    return shapes


def _node(at: int, name: str, top: float, height: float, count: int, words: Words) -> list[Markup]:
    known = {OTHERS: "other touchpoints", GOT: "got it", LOST: "did not"}
    text = known.get(name) or words.touchpoint(name)
    cut = text if len(text) <= _LABEL else text[: _LABEL - 1] + "\N{HORIZONTAL ELLIPSIS}"
    kind = {GOT: "good", LOST: "bad"}.get(name, "blue")
    shown = [
        element(
            "rect",
            x=str(at * _COLUMN),
            y=f"{top:.1f}",
            width=str(_NODE),
            height=f"{max(1.5, height):.1f}",
            class_=kind,
        )
    ]
    if height >= 9:
        y = top + height / 2 + 4
        shown.append(
            element(
                "text",
                f"{cut} ",
                element("tspan", f"{count:,}", class_="soft"),
                x=str(at * _COLUMN + _NODE + 5),
                y=f"{y:.1f}",
            )
        )
    return shown
