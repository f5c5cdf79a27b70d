"""The states of one stage's partition: packed as the changelog has them, unpacked while in use.

A packed state begins with when it is due, so that a restart sets its timers without unpacking
millions of states.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from pipeline.runtimes.memory import MemoryStates

RECORD_BYTES_MAX: Final = 8 * 1024**2
"""Bytes of the largest record that a stage writes: a hand-over, or a state."""

STATE_BYTES_MAX: Final = RECORD_BYTES_MAX - 64 * 1024
"""Bytes of the largest state: the record's key and frame come on top, and what compressing adds to
bytes that do not get shorter. A stage bounds its states far below; see `stitching.sealing`."""

_DUE: Final = struct.Struct(">q")
_NEVER: Final = -1
_MICROSECOND: Final = 1e-6


class StateTooLarge(Exception):
    """A state fits into no record of the changelog; what made it so large is not taken in.

    Attributes:
        found: Its bytes. Whose it is stands in no message: a key may name a person.
    """

    def __init__(self, *, found: int) -> None:
        self.found = found
        super().__init__(
            f"state of one key: expected at most {STATE_BYTES_MAX} bytes, the most that a record "
            f"of the changelog holds (RECORD_BYTES_MAX); found {found}"
        )


class _Before(NamedTuple):
    """A state as it was: its bytes, and when it was due; whether the batch had changed it."""

    encoded: bytes | None
    due_at: datetime | None
    changed: bool


class PartitionStates:
    """A `StateStore` of one partition, whose changes are taken batch by batch.

    Args:
        encode, decode: A state as bytes and back.
        unpacked_max: States that stay unpacked after a batch; an unpacked one takes some ten times
            the memory, and saves its unpacking.

    Attributes:
        careful: Whether a state that cannot be packed, or is too large for a record, is refused as
            it is put, to find whose it is.
    """

    careful = False

    def __init__(
        self,
        encode: Callable[[Any], bytes],
        decode: Callable[[bytes], Any],
        unpacked_max: int,
    ) -> None:
        self._encode, self._decode = encode, decode
        self._unpacked_max = unpacked_max
        self._packed = MemoryStates()
        self._unpacked: dict[str, Any] = {}
        self._changed: dict[str, datetime | None] = {}
        self._named: list[str] = []
        self._before: dict[str, _Before] | None = None

    def __len__(self) -> int:
        return len(self._packed)

    def restore(self, states: dict[bytes, bytes]) -> None:
        """Begin with what a changelog says."""
        for key, packed in states.items():
            self._packed.put(key.decode(), packed, _due_in(packed))

    def get(self, key: str) -> Any | None:
        """The state, None where there is none."""
        state = self._unpacked.get(key)
        if state is None and key not in self._changed:
            packed = self._packed.get(key)
            if packed is not None:
                state = self._unpacked[key] = self._decode(packed[_DUE.size :])
        if self._before is not None and key not in self._before:
            self._before[key] = self._as_it_is(key, state)
        return state

    def put(self, key: str, state: Any, due_at: datetime | None) -> None:
        """Keep the state; `due` names the key from `due_at` on."""
        if self.careful:
            self._fitting(state)
        self._unpacked.pop(key, None)  # so that it goes to the end, with those in use
        self._unpacked[key] = state
        self._changed[key] = due_at
        self._packed.put(key, self._packed.get(key), due_at)

    def delete(self, key: str) -> None:
        """Forget the state."""
        self._unpacked.pop(key, None)
        self._changed[key] = None
        self._packed.put(key, self._packed.get(key), None)

    def due(self, until: datetime, limit: int) -> list[str]:
        """Keys whose `due_at` has come, earliest first; each is named once, or after a rollback."""
        named = self._packed.due(until, limit)
        self._named += named
        return named

    def changes(self) -> list[tuple[str, bytes | None]]:
        """What changed since the last commit, packed; None for what was forgotten.

        Raises:
            StateTooLarge: One of them fits into no record.
        """
        packed: list[tuple[str, bytes | None]] = []
        for key, due_at in self._changed.items():
            state = self._unpacked.get(key)
            if state is not None:
                packed.append((key, packed_state(self._fitting(state), due_at)))
            elif self._packed.get(key) is not None:
                packed.append((key, None))
        return packed

    @contextmanager
    def undoing(self, key: str) -> Iterator[None]:
        """What fails within leaves no trace: neither on this state nor on any that is got then."""
        before = self._before = {}
        try:
            self.get(key)
            yield
        except Exception:
            for one, was in before.items():
                self._put_back(one, was)
            raise
        finally:
            self._before = None

    def _as_it_is(self, key: str, state: Any) -> _Before:
        encoded = None if state is None else self._encode(state)
        if key in self._changed:
            return _Before(encoded, self._changed[key], changed=True)
        packed = self._packed.get(key)
        return _Before(encoded, None if packed is None else _due_in(packed), changed=False)

    def _put_back(self, key: str, before: _Before) -> None:
        self._unpacked.pop(key, None)
        if before.encoded is not None:
            self._unpacked[key] = self._decode(before.encoded)
        if before.changed:
            self._changed[key] = before.due_at
        else:
            self._changed.pop(key, None)
        packed = self._packed.get(key)
        if packed is None and not before.changed:
            self._packed.delete(key)
        else:
            self._packed.put(key, packed, before.due_at)

    def _fitting(self, state: Any) -> bytes:
        encoded = self._encode(state)
        if len(encoded) > STATE_BYTES_MAX:
            raise StateTooLarge(found=len(encoded))
        return encoded

    def commit(self, changes: list[tuple[str, bytes | None]]) -> None:
        """The changes are durable: memory follows."""
        for key, packed in changes:
            if packed is not None:
                self._packed.replace(key, packed)
                del self._changed[key]
        for key in self._changed:  # forgotten
            self._packed.delete(key)
        self._changed.clear()
        self._named.clear()
        excess = len(self._unpacked) - self._unpacked_max
        if excess > 0:
            for key in list(islice(self._unpacked, excess)):  # those longest not changed go first
                del self._unpacked[key]

    def rollback(self) -> None:
        """Back to the last commit."""
        self._unpacked.clear()  # a step that failed may have spoilt what it only read
        for key in (*self._changed, *self._named):
            packed = self._packed.get(key)
            if packed is None:
                self._packed.delete(key)
            else:
                self._packed.put(key, packed, _due_in(packed))
        self._changed.clear()
        self._named.clear()


def packed_state(encoded: bytes, due_at: datetime | None) -> bytes:
    """A state as the changelog has it: when it is due, then the state."""
    return _DUE.pack(_number(due_at)) + encoded


def _number(due_at: datetime | None) -> int:
    return _NEVER if due_at is None else int(due_at.timestamp() * 1_000_000)


def _due_in(packed: bytes) -> datetime | None:
    (number,) = _DUE.unpack_from(packed)
    return None if number == _NEVER else datetime.fromtimestamp(number * _MICROSECOND, UTC)


def unpacked(packed: bytes) -> bytes:
    """A state of the changelog without when it is due."""
    return packed[_DUE.size :]
