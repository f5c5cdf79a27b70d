"""States in memory: what `touchpoints replay`, backtests and tests keep them in."""

from datetime import datetime
from heapq import heappop, heappush
from typing import Any

from pipeline.runtimes.engine import Engine
from pipeline.stitching.rules import Rules
from pipeline.topology import STAGES


class MemoryStates:
    """A `StateStore` that forgets everything with its process.

    A key stands in the heap once at most; when its turn comes and it is due only later by then,
    it is put back. So a state that keeps being put off costs one entry a turn, not one a put.
    """

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}
        self._due: dict[str, datetime] = {}
        self._queued: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def get(self, key: str) -> Any | None:
        """The state, None where there is none."""
        return self.states.get(key)

    def put(self, key: str, state: Any, due_at: datetime | None) -> None:
        """Keep the state; `due` names the key from `due_at` on."""
        self.states[key] = state
        if due_at is None:
            self._due.pop(key, None)
            return
        self._due[key] = due_at
        queued = self._queued.get(key)
        if queued is None or due_at < queued:
            self._queued[key] = due_at
            heappush(self._heap, (due_at, key))

    def delete(self, key: str) -> None:
        """Forget the state."""
        self.states.pop(key, None)
        self._due.pop(key, None)

    def due(self, until: datetime, limit: int) -> list[str]:
        """Keys whose `due_at` has come, earliest first."""
        found: list[str] = []
        heap = self._heap
        while heap and heap[0][0] <= until and len(found) < limit:
            queued_at, key = heappop(heap)
            if self._queued.get(key) != queued_at:
                continue  # an earlier turn was queued since, and has been taken
            del self._queued[key]
            due_at = self._due.get(key)
            if due_at is None:
                continue
            if due_at > until:
                self._queued[key] = due_at
                heappush(heap, (due_at, key))
            else:
                found.append(key)
        return found


def in_memory(rules: Rules) -> Engine:
    """An engine whose states are kept in memory."""
    return Engine({stage.name: MemoryStates() for stage in STAGES}, rules)
