"""The state of one stage: a bounded cache of decoded states in front of a table.

States that change are written once a cycle, in the cycle's transaction, however often they changed
in it. `wake_at`, which the index is on, is never after `due_at`: a customer's `due_at` moves with
every touchpoint, nearly always to later, and the index is only touched when it moves to earlier or
when the old time has come.
"""

import sqlite3
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipeline.runtimes.runtime import StageCodec

STATES_MAX: Final = 50_000
"""States of a stage kept decoded between cycles."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class _Held:
    """One key in the cache. A state of None: the key has none."""

    __slots__ = ("dirty", "due_at", "id", "state", "wake_at")

    def __init__(self, number: int | None, wake_at: int | None) -> None:
        self.id = number  # None: not in the table
        self.wake_at = wake_at  # as the table has it
        self.state: Any = None
        self.due_at: datetime | None = None
        self.dirty = False


class Store:
    """Fulfils `StateStore` for the engine's thread, inside the driver's transaction.

    Attributes:
        accesses: How often the engine asked; tells which stage was at work when one failed.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        stage: str,
        codec: StageCodec,
        states_max: int = STATES_MAX,
    ) -> None:
        self._connection = connection
        self._codec = codec
        self._states_max = states_max
        table = f"state_{stage}"
        self._select = f"SELECT id, wake_at, due_at, state FROM {table} WHERE key = ?"
        self._insert = f"INSERT INTO {table} (id, key, wake_at, due_at, state) VALUES (?,?,?,?,?)"
        self._update = f"UPDATE {table} SET due_at = ?, state = ? WHERE id = ?"
        self._update_wake = f"UPDATE {table} SET wake_at = ?, due_at = ?, state = ? WHERE id = ?"
        self._delete = f"DELETE FROM {table} WHERE id = ?"
        self._due = (
            f"SELECT id, key, wake_at, due_at FROM {table} WHERE wake_at <= ?"
            " ORDER BY wake_at, id LIMIT ?"
        )
        self._postpone = f"UPDATE {table} SET wake_at = due_at WHERE id = ?"
        self._soonest_of_table = f"SELECT min(wake_at) FROM {table} WHERE wake_at IS NOT NULL"
        self._last_id = f"SELECT coalesce(max(id), 0) FROM {table}"
        self.accesses = 0
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._dirty: dict[str, _Held] = {}
        self._soonest = _NEVER
        self._next_id = 0
        self.rollback()

    def get(self, key: str) -> Any | None:
        """See `StateStore.get`. Raises what the stage's `decode` raises."""
        self.accesses += 1
        held = self._held.get(key)
        if held is None:
            held = self._load(key)
        else:
            self._held.move_to_end(key)
        return held.state

    def put(self, key: str, state: Any, due_at: datetime | None) -> None:
        """See `StateStore.put`. The state is encoded when the cycle is written, not now."""
        self.accesses += 1
        held = self._held.get(key) or self._load(key)
        held.state = state
        held.due_at = due_at
        if due_at is not None and due_at < self._soonest:
            self._soonest = due_at
        if not held.dirty:
            held.dirty = True
            self._dirty[key] = held

    def delete(self, key: str) -> None:
        """See `StateStore.delete`."""
        self.put(key, None, None)

    def due(self, until: datetime, limit: int) -> list[str]:
        """See `StateStore.due`. Costs nothing while nothing is due."""
        self.accesses += 1
        if until < self._soonest or limit <= 0:
            return []
        self.flush()  # the table then has it all
        while True:
            rows = self._connection.execute(self._due, (_microseconds(until), limit)).fetchall()
            early = [(row[0], row[1], row[3]) for row in rows if row[2] != row[3]]
            if not early:
                break
            self._connection.executemany(self._postpone, [(number,) for number, _, _ in early])
            for _, key, due_at in early:
                if (held := self._held.get(key)) is not None:
                    held.wake_at = due_at
        if len(rows) < limit:
            self._find_soonest()
        return [row[1] for row in rows]

    def flush(self) -> int:
        """Write what changed into the open transaction; returns how many states that were."""
        inserts: list[tuple[int, str, int | None, int | None, bytes]] = []
        updates: list[tuple[int | None, bytes, int]] = []
        wakes: list[tuple[int | None, int | None, bytes, int]] = []
        deletes: list[tuple[int]] = []
        for key, held in self._dirty.items():
            held.dirty = False
            if held.state is None:
                if held.id is not None:
                    deletes.append((held.id,))
                held.id = held.wake_at = None
                continue
            state = self._codec.encode(held.state)
            due_at = None if held.due_at is None else _microseconds(held.due_at)
            if held.id is None:
                self._next_id += 1
                held.id, held.wake_at = self._next_id, due_at
                inserts.append((held.id, key, due_at, due_at, state))
            elif _still_wakes(held.wake_at, due_at):
                updates.append((due_at, state, held.id))
            else:
                held.wake_at = due_at
                wakes.append((due_at, due_at, state, held.id))
        self._connection.executemany(self._delete, deletes)
        self._connection.executemany(self._insert, inserts)
        self._connection.executemany(self._update, updates)
        self._connection.executemany(self._update_wake, wakes)
        written = len(self._dirty)
        self._dirty.clear()
        return written

    def commit(self) -> None:
        """What was flushed is durable; the states that were longest unused leave the cache."""
        while len(self._held) > self._states_max:
            self._held.popitem(last=False)

    def rollback(self) -> None:
        """Nothing since the last commit was: the table alone knows what is."""
        self._held.clear()
        self._dirty.clear()
        self._next_id = self._connection.execute(self._last_id).fetchone()[0]
        self._find_soonest()

    def _load(self, key: str) -> _Held:
        row = self._connection.execute(self._select, (key,)).fetchone()
        if row is None:
            held = _Held(None, None)
        else:
            held = _Held(row[0], row[1])
            held.due_at = None if row[2] is None else _EPOCH + row[2] * _MICROSECOND
            held.state = self._codec.decode(row[3])
        self._held[key] = held
        return held

    def _find_soonest(self) -> None:
        (wake_at,) = self._connection.execute(self._soonest_of_table).fetchone()
        self._soonest = _NEVER if wake_at is None else _EPOCH + wake_at * _MICROSECOND


def _still_wakes(wake_at: int | None, due_at: int | None) -> bool:
    """Whether the index may stay as it is: it wakes the key in time, or rightly never."""
    if wake_at is None or due_at is None:
        return wake_at is due_at
    return wake_at <= due_at


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
