"""Timers: when each key is next due, by event time."""

from datetime import datetime
from heapq import heappop, heappush


class Timers:
    """Keys by when they are due.

    Keys that are due within the same second of event time wait together and are sorted only when
    that second is over. A key waits for one turn at most; when that comes and the key is due only
    later by then, it waits for a later one: putting a key off costs nothing.
    """

    def __init__(self) -> None:
        self._due: dict[str, datetime] = {}
        self._waits: dict[str, int] = {}
        self._turns: dict[int, list[str]] = {}
        self._next: list[int] = []

    def put(self, key: str, due_at: datetime | None) -> None:
        """Name the key from the first whole second after `due_at` on; never, for None."""
        if due_at is not None:
            self._due[key] = due_at
            turn = int(due_at.timestamp()) + 1
            waits = self._waits.get(key)
            if waits is None or turn < waits:
                self._wait(key, turn)
        elif self._due:
            self._due.pop(key, None)

    def drop(self, key: str) -> None:
        """Forget the key."""
        self._due.pop(key, None)

    def due(self, until: datetime, limit: int) -> list[str]:
        """Keys whose time has come, earliest first, at most `limit`. Each is named once."""
        last = int(until.timestamp())
        found: list[tuple[datetime, str]] = []
        while self._next and self._next[0] <= last and len(found) < limit:
            turn = heappop(self._next)
            for key in self._turns.pop(turn):
                if self._waits.get(key) != turn:
                    continue  # an earlier turn came, and has been taken
                del self._waits[key]
                due_at = self._due.get(key)
                if due_at is not None and due_at <= until:
                    found.append((due_at, key))
                elif due_at is not None:
                    self._wait(key, int(due_at.timestamp()) + 1)
        found.sort()
        for _, key in found[limit:]:
            self._wait(key, last)
        return [key for _, key in found[:limit]]

    def _wait(self, key: str, turn: int) -> None:
        self._waits[key] = turn
        waiting = self._turns.get(turn)
        if waiting is None:
            self._turns[turn] = [key]
            heappush(self._next, turn)
        else:
            waiting.append(key)
