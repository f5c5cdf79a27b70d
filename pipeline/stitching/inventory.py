"""The inventory: which touchpoint, as customers name them, a record shows.

An emitter may name a touchpoint by its inventory id; else the entries are tried in the order of
the file, so that the specific stands before the general. A record that none recognises is
`OTHER`: kept, counted and judged, never dropped.
"""

import re
from collections.abc import Mapping
from fnmatch import translate
from typing import Final

import msgspec

from schemas.records import Channel

OTHER: Final = "other"
"""The id of whatever the inventory does not know."""

REMEMBERED_MAX: Final = 20_000
"""Distinct (channel, name, location, intent) whose answer is kept; then it starts afresh."""


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One way to recognise a touchpoint: every pattern given must match.

    Patterns are globs (`*`, `?`, `[…]`), case-sensitive, over the whole value.
    """

    name: str | None = None
    location: str | None = None
    intent: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A touchpoint of the inventory.

    Attributes:
        id: How missions and results name it.
        name: The name a customer would use.
        channel: The channel it belongs to.
        owner: Who mends it.
        signs: The ways to recognise it; any one suffices.
        moment_of_truth: Here customer or company decides whether to go on.
        brand_moment: Here a positive surprise binds most.
        expects_success: Here even a refusal, `http_4xx`, is a failure: a login, a checkout.
        needs: Touchpoints without which it cannot work: what breaks there, breaks here.
    """

    id: str
    name: str
    channel: Channel
    owner: str = ""
    signs: tuple[Sign, ...] = ()
    moment_of_truth: bool = False
    brand_moment: bool = False
    expects_success: bool = False
    needs: tuple[str, ...] = ()


class Inventory:
    """The entries, compiled for recognising: one look-up for what was seen before."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries: Final = {entry.id: entry for entry in entries}
        self.moments_of_truth: Final = frozenset(e.id for e in entries if e.moment_of_truth)
        self.brand_moments: Final = frozenset(e.id for e in entries if e.brand_moment)
        self.expecting_success: Final = frozenset(e.id for e in entries if e.expects_success)
        self.needed_by: Final[dict[str, tuple[str, ...]]] = {}
        for entry in entries:
            for needed in _needed_by_way_of(entry, self.entries):
                self.needed_by[needed] = (*self.needed_by.get(needed, ()), entry.id)
        self._signs: Final[dict[str, list[tuple[str, tuple[re.Pattern[str] | None, ...]]]]] = {}
        for entry in entries:
            compiled = self._signs.setdefault(entry.channel, [])
            for sign in entry.signs:
                globs = (sign.name, sign.location, sign.intent)
                patterns = tuple(None if g is None else re.compile(translate(g)) for g in globs)
                compiled.append((entry.id, patterns))
        self._remembered: dict[tuple[str, str, str | None, str | None], str] = {}

    def touchpoint_of(
        self, channel: str, name: str, location: str | None, intent: str | None
    ) -> str:
        """The id of the touchpoint that such a record shows, `OTHER` where none is known."""
        seen = (channel, name, location, intent)
        known = self._remembered.get(seen)
        if known is None:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            known = self._remembered[seen] = self._recognise(channel, name, location, intent)
        return known

    def _recognise(self, channel: str, name: str, location: str | None, intent: str | None) -> str:
        entry = self.entries.get(name)
        if entry is not None and entry.channel == channel:
            return entry.id
        for touchpoint, patterns in self._signs.get(channel, ()):
            for pattern, value in zip(patterns, (name, location, intent), strict=True):
                if pattern is not None and (value is None or not pattern.match(value)):
                    break
            else:
                return touchpoint
        return OTHER


def _needed_by_way_of(entry: Entry, entries: Mapping[str, Entry]) -> list[str]:
    """What a touchpoint needs, and what that needs in its turn."""
    found = list(dict.fromkeys(entry.needs))
    for needed in found:  # grows as it goes
        beyond = entries[needed].needs if needed in entries else ()
        found += [name for name in beyond if name not in found and name != entry.id]
    return found
