"""The differences as text, for whoever tries a rule before it is live."""

from collections.abc import Iterator, Sequence
from typing import Final

from pipeline.backtest.differences import AlertShown, Change, Differences, Example, OfMission

OUTCOMES: Final = ("completed", "frustrated", "abandoned")
VERDICTS: Final = ("broken", "functional", "excellent")
IDS_MAX: Final = 4
"""Touchpoints of a journey that an example names."""


def text_of(found: Differences, before: str, after: str) -> str:
    """All of it, ending in a line break; `before` and `after` name the catalogues."""
    return "\n".join(_lines(found, before, after)) + "\n"


def _lines(found: Differences, before: str, after: str) -> Iterator[str]:
    yield f"{found.touchpoints:,} interactions, under {before} and under {after}"
    if found.nothing:
        yield ""
        yield "Nothing would change."
        return
    sessions = found.sessions
    yield ""
    yield (
        f"sessions: {sessions.before:,} -> {sessions.after:,} ({sessions.gone:,} gone, "
        f"{sessions.new:,} new, {sessions.cut_otherwise:,} cut otherwise)"
    )
    yield from _examples(sessions.examples)
    if found.recognised:
        yield ""
        yield "recognised as another touchpoint:"
        yield from _changes(found.recognised)
    for mission in found.missions:
        yield from _mission(mission)
    yield from _alerts("alerts that would be raised", found.raised)
    yield from _alerts("alerts that would not be raised", found.gone)
    if found.moved:
        yield ""
        yield "alerts that would say something else:"
        for one in found.moved:
            yield f"  - {one.before.sentence}"
            yield f"  + {one.after.sentence}"


def _mission(one: OfMission) -> Iterator[str]:
    if not (one.outcomes or one.verdicts or one.moved):
        return
    yield ""
    yield one.mission if one.mission != "-" else "of no mission"
    if one.outcomes_before or one.outcomes_after:
        yield f"  journeys:     {_counts(one.outcomes_before, one.outcomes_after, OUTCOMES)}"
    yield f"  interactions: {_counts(one.verdicts_before, one.verdicts_after, VERDICTS)}"
    if one.moved:
        yield f"  {abs(one.moved):,} interactions {'more' if one.moved > 0 else 'fewer'} than now"
    if one.outcomes:
        yield "  outcomes that change (touchpoints of the journey: why -> why):"
        yield from _changes(one.outcomes)
    if one.verdicts:
        yield "  verdicts that change (touchpoint: why -> why):"
        yield from _changes(one.verdicts)


def _counts(before: dict[str, int], after: dict[str, int], words: Sequence[str]) -> str:
    return ", ".join(
        f"{word} {before.get(word, 0):,} -> {after.get(word, 0):,}"
        if before.get(word, 0) != after.get(word, 0)
        else f"{word} {before.get(word, 0):,}"
        for word in words
    )


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    for one in changes:
        yield f"    {one.count:,} x {_word(one.before)} -> {_word(one.after)}"
        yield from _examples(one.examples)


def _examples(examples: Sequence[Example]) -> Iterator[str]:
    for one in examples:
        ids = " ".join(one.id[:IDS_MAX]) + (" …" if len(one.id) > IDS_MAX else "")
        was, now = _said(one.before, one.why_before), _said(one.after, one.why_after)
        yield f"        {ids}: {was} -> {now}"


def _said(word: str, why: str) -> str:
    return _word(word) if why == "-" else f"{_word(word)} ({why})"


def _word(word: str) -> str:
    return "none" if word == "-" else word


def _alerts(title: str, alerts: Sequence[AlertShown]) -> Iterator[str]:
    if alerts:
        yield ""
        yield f"{title}: {len(alerts):,}"
        for one in alerts:
            yield f"  {one.sentence}"
