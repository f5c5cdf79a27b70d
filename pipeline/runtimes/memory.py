"""States in memory: what `touchpoints replay`, backtests and tests keep them in."""

from datetime import datetime
from heapq import heappop, heappush
from math import ceil
from typing import Any

import msgspec

from pipeline.runtimes.engine import Engine
from pipeline.stitching.rules import Rules
from pipeline.topology import STAGES


class _Kept(msgspec.Struct, gc=False):
    """All of one key in one place: with a million keys, each look-up waits for memory.

    Attributes:
        state: The state.
        due_at: When it is due; None for never.
        wakes_at: The time of the turn it waits for; None where it waits for none.
        turn: That turn, the first whole second from `wakes_at` on.
    """

    state: Any
    due_at: datetime | None = None
    wakes_at: datetime | None = None
    turn: int = 0


class MemoryStates:
    """A `StateStore` that forgets everything with its process.

    Keys that are due within the same second of event time wait together and are sorted only when
    that second is over. A key waits for one turn at most; when that comes and the key is due only
    later by then, it waits for a later one: putting a state off costs nothing.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._turns: dict[int, list[str]] = {}
        self._next: list[int] = []

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def states(self) -> dict[str, Any]:
        """All states by key, as of now."""
        return {key: kept.state for key, kept in self._kept.items()}

    def get(self, key: str) -> Any | None:
        """The state, None where there is none."""
        kept = self._kept.get(key)
        return None if kept is None else kept.state

    def put(self, key: str, state: Any, due_at: datetime | None) -> None:
        """Keep the state; `due` names the key from the first whole second from `due_at` on."""
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(state)
        else:
            kept.state = state
        kept.due_at = due_at
        if due_at is not None and (kept.wakes_at is None or due_at < kept.wakes_at):
            self._wait(key, kept, due_at, ceil(due_at.timestamp()))

    def replace(self, key: str, state: Any) -> None:
        """Keep another state of a key that has one, due when that one was."""
        self._kept[key].state = state

    def delete(self, key: str) -> None:
        """Forget the state."""
        self._kept.pop(key, None)

    def due(self, until: datetime, limit: int) -> list[str]:
        """Keys whose `due_at` has come, earliest first."""
        if not self._next:
            return []
        last = int(until.timestamp())
        found: list[tuple[datetime, str]] = []
        while self._next and self._next[0] <= last and len(found) < limit:
            turn = heappop(self._next)
            for key in self._turns.pop(turn):
                kept = self._kept.get(key)
                if kept is None or kept.turn != turn:
                    continue  # forgotten, or an earlier turn came and has been taken
                due_at = kept.due_at
                kept.wakes_at, kept.turn = None, 0
                if due_at is not None and due_at <= until:
                    found.append((due_at, key))
                elif due_at is not None:
                    self._wait(key, kept, due_at, ceil(due_at.timestamp()))
        if len(found) < 2:
            return [key for _, key in found]
        found.sort()
        for due_at, key in found[limit:]:
            self._wait(key, self._kept[key], due_at, last)
        return [key for _, key in found[:limit]]

    def _wait(self, key: str, kept: _Kept, due_at: datetime, turn: int) -> None:
        kept.wakes_at, kept.turn = due_at, turn
        waiting = self._turns.get(turn)
        if waiting is None:
            self._turns[turn] = [key]
            heappush(self._next, turn)
        else:
            waiting.append(key)


def in_memory(rules: Rules, *, watching: bool = True) -> Engine:
    """An engine whose states are kept in memory, without books; see `Engine` for `watching`."""
    stores = {stage.name: MemoryStates() for stage in STAGES}
    return Engine(stores, rules, watching=watching, counting=False)
