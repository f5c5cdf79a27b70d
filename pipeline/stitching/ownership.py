"""Ownership over time: who an identifier belongs to, as a sorted list of (from, owner).

The first owner also owns what came before. An empty owner stands for the identifier itself.
"""

from datetime import datetime

Owners = tuple[tuple[datetime, str], ...]
"""(from, owner) sorted by time."""


def owner_at(owners: Owners, at: datetime | None) -> str | None:
    """Who owns it at a time - None for the beginning of time; None where nobody ever does."""
    if not owners:
        return None
    owner = owners[0][1]
    for since, name in owners:
        if at is None or since > at:
            break
        owner = name
    return owner


def differences(
    before: Owners, after: Owners
) -> list[tuple[datetime | None, datetime | None, str, str]]:
    """The intervals [start, until) in which the owner differs, as (start, until, was, now)."""
    edges: list[datetime | None] = [None, *sorted({at for at, _ in (*before, *after)})]
    found = []
    for start, until in zip(edges, [*edges[1:], None], strict=True):
        was, now = owner_at(before, start) or "", owner_at(after, start) or ""
        if was != now:
            found.append((start, until, was, now))
    return found
