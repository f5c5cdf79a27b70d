"""Bands: which answers of a survey say broken, and which excellent. They must not overlap.

An answer in both would be what the code happens to look at first. A mission has its own bands where
it sets them, else those of `rules.toml`, else the shipped ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from pipeline.catalogue.documents import Document
from pipeline.errors import Problem
from pipeline.stitching.rules import VerdictRules

SCALES: Final = ("ces", "nps", "csat")

_SHIPPED: Final[Mapping[str, float]] = {
    name: value
    for name, value in msgspec.structs.asdict(VerdictRules()).items()
    if name.startswith(SCALES)
}


def problems(rules: Document | None, missions: Sequence[Document]) -> Iterator[Problem]:
    """Every table `[verdicts]` by which an answer would be both broken and excellent."""
    common = _SHIPPED
    if rules is not None:
        common = {**_SHIPPED, **_given(rules)}
        yield from _overlaps(rules, common)
    for document in missions:
        yield from _overlaps(document, {**common, **_given(document)})


def _given(document: Document) -> dict[str, float]:
    """The bands that a file sets, as far as they are numbers; what is none is told elsewhere."""
    table: Any = document.content.get("verdicts")
    found = table.items() if isinstance(table, dict) else ()
    return {
        name: value
        for name, value in found
        if name in _SHIPPED and isinstance(value, int | float) and not isinstance(value, bool)
    }


def _overlaps(document: Document, bands: Mapping[str, float]) -> Iterator[Problem]:
    given = _given(document)
    for scale in SCALES:
        broken, excellent = f"{scale}_broken_max", f"{scale}_excellent_min"
        if bands[broken] < bands[excellent]:
            continue
        if broken in given:
            wrong, message = broken, f"expected below {excellent}, {bands[excellent]:g}"
            mended = _SHIPPED[broken] < bands[excellent]
        elif excellent in given:
            wrong, message = excellent, f"expected above {broken}, {bands[broken]:g}"
            mended = _SHIPPED[excellent] > bands[broken]
        else:
            continue  # told of the file that sets it
        yield Problem(
            file=document.file,
            line=document.line_of("verdicts", wrong),
            message=f"{wrong}: {message}; found {given[wrong]:g}",
            suggestion=f"{_SHIPPED[wrong]:g}" if mended else None,
        )
