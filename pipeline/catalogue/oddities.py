"""What is odd in a valid catalogue, but may be meant: `touchpoints check` warns of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.catalogue.documents import Document, read
from pipeline.catalogue.globs import covers
from pipeline.catalogue.overlooked import EXPECTED, overlooked_in
from pipeline.errors import Problem
from pipeline.stitching.rules import Rules


def warnings(rules: Rules, directory: Path) -> list[Problem]:
    """Every oddity, by file.

    Args:
        rules: As `files.load(directory)` gives them.
        directory: Where the lines are looked up.
    """
    inventory, missions = documents(directory)
    path = directory / "inventory.toml"
    found = list(_missing(rules, str(path)))
    if inventory is not None:
        found += _unused(rules, inventory)
        found += _never_recognised(inventory)
    for document in missions:
        found += _after_the_end(document)
        found += _money(document)
        found += _plans(document, rules)
    return found


def documents(directory: Path) -> tuple[Document | None, list[Document]]:
    """The inventory and the missions, as far as they can be read."""
    paths = [directory / "inventory.toml", *sorted((directory / "missions").glob("*.toml"))]
    inventory, *missions = [read(path) for path in paths]
    return (
        None if isinstance(inventory, Problem) else inventory,
        [one for one in missions if isinstance(one, Document)],
    )


def _missing(rules: Rules, file: str) -> Iterator[Problem]:
    """Kinds of touchpoints that every company has and this inventory does not."""
    kinds = overlooked_in(rules.inventory.entries.values())
    for kind in EXPECTED:
        if not kinds[kind]:
            message = f"no touchpoint is about {kind}, which is often overlooked"
            yield Problem(file=file, line=None, message=message)


def _unused(rules: Rules, inventory: Document) -> Iterator[Problem]:
    """Touchpoints that no mission uses; where there are missions at all."""
    used = {touchpoint for expected in rules.missions.expects.values() for touchpoint in expected}
    if not rules.missions.all:
        return
    for text in inventory.texts("touchpoint", "*", "id"):
        # A survey is about an interaction and no part of the way, so no mission need name it.
        if text.text not in used and rules.inventory.entries[text.text].channel != "survey":
            decides = text.text in rules.inventory.moments_of_truth
            what = "moment of truth" if decides else "touchpoint"
            yield text.problem(f'{what} "{text.text}" is used by no mission')


def _never_recognised(inventory: Document) -> Iterator[Problem]:
    """Tables of `recognise` that an entry before them matches whole: they never decide."""
    before: list[tuple[str, dict[str, Any], str, int]] = []
    for place, sign in inventory.tables("touchpoint", "*", "recognise", "*"):
        entry = inventory.content["touchpoint"][place[1]]
        channel, own = str(entry.get("channel")), str(entry.get("id"))
        for other_channel, other, touchpoint, line in before:
            if (other_channel, touchpoint != own) == (channel, True) and _covers(other, sign):
                if other != sign:  # the same table twice is a problem, and told as one
                    message = (
                        f'"{own}" is never recognised by this: "{touchpoint}" in line {line} '
                        "matches all of it and stands before it; put the narrower one first"
                    )
                    at = inventory.line_of(*place)
                    yield Problem(file=inventory.file, line=at, message=message)
                break
        before.append((channel, sign, own, inventory.line_of(*place)))


def _covers(wide: dict[str, Any], narrow: dict[str, Any]) -> bool:
    return all(key in narrow and covers(glob, narrow[key]) for key, glob in wide.items())


def _after_the_end(mission: Document) -> Iterator[Problem]:
    """Steps of phases behind the last one that completes: by then the journey has ended."""
    completes = {text.text for text in mission.texts("completes", "*")}
    steps = list(mission.texts("phase", "*", "steps", "*"))
    ends = [text.place[1] for text in steps if text.text in completes]
    if not ends:
        return
    last = max(ends, key=_number)
    for text in steps:
        if _number(text.place[1]) > _number(last):
            message = (
                f'step "{text.text}" stands behind all that completes the mission, which has ended '
                "by then; let it complete the mission, or make it one of its own"
            )
            yield text.problem(message)


def _number(part: str | int) -> int:
    return int(part)


def _money(mission: Document) -> Iterator[Problem]:
    """A value in a currency that nobody wrote down, or a currency of nothing."""
    has_value, has_currency = "value" in mission.content, "currency" in mission.content
    if has_value and not has_currency:
        message = 'value without a currency: EUR is assumed; write currency = "EUR" if so'
        yield Problem(file=mission.file, line=mission.line_of("value"), message=message)
    if has_currency and not has_value:
        message = "currency without a value: the mission counts as worth nothing known"
        yield Problem(file=mission.file, line=mission.line_of("currency"), message=message)


def _plans(mission: Document, rules: Rules) -> Iterator[Problem]:
    """Planned changes of channel that the mission's own touchpoints cannot make."""
    known = rules.missions.expects.get(str(mission.content.get("name")), frozenset())
    entries = rules.inventory.entries
    channels = {entries[one].channel for one in known if one in entries}
    for text in mission.texts("planned_changes", "*"):
        for channel in text.text.split(">"):
            if channel not in channels:
                message = f'plans "{text.text}", but has no touchpoint on {channel}'
                yield text.problem(message)
