"""A catalogue held against a log: what it waits for and nobody emits, and what it does not know."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pipeline.catalogue.documents import Document
from pipeline.catalogue.oddities import documents
from pipeline.catalogue.overlooked import overlooked_in
from pipeline.catalogue.suggestions import closest
from pipeline.errors import Problem
from pipeline.stitching.inventory import OTHER
from pipeline.stitching.rules import Rules
from schemas.records import Touchpoint

UNKNOWN_SHOWN_MAX: Final = 5
"""Kinds of unknown records that are named, the most frequent first (P)."""


class Seen:
    """What was emitted.

    Attributes:
        touchpoints: By id in the inventory, how often.
        unknown: Channel, name and location of what the inventory does not know, how often.
        intents: What emitters say that customers want, how often.
    """

    def __init__(self, touchpoints: Iterable[Touchpoint], rules: Rules) -> None:
        """Recognise every touchpoint of a log; nothing is stitched."""
        self.touchpoints: Final[Counter[str]] = Counter()
        self.unknown: Final[Counter[tuple[str, str, str]]] = Counter()
        self.intents: Final[Counter[str]] = Counter()
        recognise = rules.inventory.touchpoint_of
        for one in touchpoints:
            found = recognise(one.channel, one.name, one.location, one.intent)
            self.touchpoints[found] += 1
            if one.intent is not None:
                self.intents[one.intent] += 1
            if found == OTHER:
                self.unknown[one.channel, one.name, one.location or ""] += 1


def warnings(rules: Rules, directory: Path, seen: Seen) -> list[Problem]:
    """What of a catalogue a log does not show, and of a log the catalogue does not know."""
    inventory, missions = documents(directory)
    found: list[Problem] = []
    if inventory is not None:
        found += _quiet(rules, inventory, seen)
        found += _unknown(inventory.file, seen)
    for document in missions:
        found += _never_begins(document, rules, seen)
        found += _never_completes(document, seen)
    return found


def _quiet(rules: Rules, inventory: Document, seen: Seen) -> Iterator[Problem]:
    kinds = overlooked_in(rules.inventory.entries.values())
    for text in inventory.texts("touchpoint", "*", "id"):
        if not seen.touchpoints[text.text]:
            kind = next((kind for kind, ids in kinds.items() if text.text in ids), None)
            hint = "" if kind is None else f", about {kind}: often overlooked"
            channel = rules.inventory.entries[text.text].channel
            emitted = (name for on, name, _ in seen.unknown if on == channel)
            yield text.problem(f'nobody emits "{text.text}"{hint}', closest(text.text, emitted))


def _unknown(file: str, seen: Seen) -> Iterator[Problem]:
    ordered = sorted(seen.unknown.items(), key=lambda one: (-one[1], one[0]))
    for (channel, name, location), count in ordered[:UNKNOWN_SHOWN_MAX]:
        at = f' at "{location}"' if location else ""
        message = f'no touchpoint is recognised by {channel} "{name}"{at}, emitted {count:,} times'
        yield Problem(file=file, line=None, message=message)


def _never_begins(mission: Document, rules: Rules, seen: Seen) -> Iterator[Problem]:
    starts = list(mission.texts("starts", "*"))
    silent = [text for text in starts if not seen.touchpoints[text.text]]
    name = str(mission.content.get("name"))
    intents = [intent for intent, of in rules.missions.by_intent.items() if of == name]
    if starts and len(silent) == len(starts) and not any(seen.intents[one] for one in intents):
        message = "nobody emits any of its starts nor its intents, so the mission never begins"
        line = mission.line_of("starts")
        yield Problem(file=mission.file, line=line, message=message)
        return
    for text in silent:
        yield text.problem(f'nobody emits the start "{text.text}"')


def _never_completes(mission: Document, seen: Seen) -> Iterator[Problem]:
    completes = list(mission.texts("completes", "*"))
    if completes and not any(seen.touchpoints[text.text] for text in completes):
        message = "nobody emits anything that completes it, so every journey fails"
        line = mission.line_of("completes")
        yield Problem(file=mission.file, line=line, message=message)
