"""The engine: drives the topology's stages within one process, message by message.

It holds no I/O: states come from stores that a runtime gives it, results gather in `outbox` for
the runtime to write. One touchpoint is taken through every message it causes before the next, so
that the result does not depend on how touchpoints are cut into batches.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec

from pipeline.books import COUNTED, Books
from pipeline.stitching import keys
from pipeline.stitching.change import Message
from pipeline.stitching.clock import Watermark
from pipeline.stitching.rules import Rules
from pipeline.topology import IDENTIFY, STAGES, STITCH, Stage
from schemas.records import Touchpoint
from schemas.topics import TOUCHPOINTS

END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
"""A watermark behind which everything has closed."""

DUE_MAX: Final = 1_000
"""States that one look at the clock expires at most; the rest follow at the next."""


class StateStore(Protocol):
    """The states of one stage, by key. A state that was got is the engine's until it is put."""

    def get(self, key: str) -> Any | None:
        """The state, None where there is none."""

    def put(self, key: str, state: Any, due_at: datetime | None) -> None:
        """Keep the state; `due` names the key from `due_at` on."""

    def delete(self, key: str) -> None:
        """Forget the state."""

    def due(self, until: datetime, limit: int) -> list[str]:
        """Keys whose `due_at` has come, earliest first."""


class _Reader:
    """Who takes the messages of a topic: a stage and its store, their functions at hand."""

    __slots__ = ("counted", "delete", "due_at", "get", "inward", "put", "step")

    def __init__(self, stage: Stage, store: StateStore, topic: str, counting: bool) -> None:
        self.step, self.due_at = stage.step, stage.due_at
        self.get, self.put, self.delete = store.get, store.put, store.delete
        self.inward = topic in stage.inward
        self.counted = topic in COUNTED and counting


class Snapshot(msgspec.Struct, array_like=True):
    """What the engine knows beside the states."""

    watermark: Watermark
    arrived_at: datetime | None = None
    books: Books = msgspec.field(default_factory=Books)


class Engine:
    """Takes touchpoints, drives the stages, gathers what they send.

    Args:
        stores: One for each stage, by its name.
        rules: The catalogue's.
        expire_after: Moves of the watermark after which what is due expires. Stores that write
            before they can tell what is due want more than one; nothing but the moment of a
            result depends on it.
        watching: Whether votes are counted and watched. A replay that is asked for neither votes
            nor alerts need not; the other results do not depend on it.
        counting: Whether the books are kept. What ends with its process need not.

    Attributes:
        outbox: What was sent since it was last emptied, in order; the runtime empties it.
        failures: Stage, key and error of states that could not be expired; likewise. Such a state
            is kept and not tried again until something arrives for it.
    """

    def __init__(
        self,
        stores: Mapping[str, StateStore],
        rules: Rules,
        *,
        expire_after: int = 1,
        watching: bool = True,
        counting: bool = True,
    ) -> None:
        self.outbox: list[Message] = []
        self.failures: list[tuple[str, str, Exception]] = []
        self._expire_after = expire_after
        self._moves = 0
        self._rules = rules if watching else msgspec.structs.replace(rules, votes=False)
        self._stores = {stage.name: stores[stage.name] for stage in STAGES}
        self._readers = {
            topic: _Reader(stage, stores[stage.name], topic, counting)
            for stage in STAGES
            for topic in (*stage.reads, *stage.inward)
        }
        self._identifiers, self._customers = stores[IDENTIFY.name], stores[STITCH.name]
        self._known = Snapshot(Watermark())

    @property
    def books(self) -> Books:
        """What is kept count of; part of the snapshot."""
        return self._known.books

    @property
    def watermark(self) -> datetime | None:
        """Event time no longer waited for; None before the first."""
        return self._known.watermark.at

    def process(self, touchpoint: Touchpoint) -> None:
        """Take one touchpoint through all that it causes."""
        rules = self._rules
        route = keys.read(touchpoint, rules.identity)
        message = Message(TOUCHPOINTS, route[0], touchpoint, route)
        self._send(self._step(self._readers[TOUCHPOINTS], message))
        known = self._known
        if known.arrived_at is None or touchpoint.received_at > known.arrived_at:
            known.arrived_at = touchpoint.received_at  # what is redriven arrived long ago
        if known.watermark.observe(
            touchpoint.occurred_at, touchpoint.received_at, rules.out_of_order
        ):
            self._moves += 1
            if self._moves >= self._expire_after:
                self.expire()

    def tick(self, now: datetime, *, caught_up: bool = True) -> None:
        """Wall clock: when touchpoints stop coming, it carries the watermark.

        Args:
            now: The wall clock's time.
            caught_up: Whether all that came has been processed; what waits would come late behind
                a watermark that runs ahead.
        """
        known = self._known
        if known.arrived_at is not None:
            known.arrived_at = min(known.arrived_at, now)  # a listener's clock may run ahead
            if caught_up and now - known.arrived_at >= self._rules.idle:
                known.watermark.advance(now - self._rules.out_of_order)
        self.expire()

    def close(self) -> None:
        """Let event time run on until everything has closed."""
        self._known.watermark.advance(END_OF_TIME)
        while self.expire():
            pass

    def expire(self) -> int:
        """Expire what is due by the watermark; how many states there were."""
        watermark, expired = self.watermark, 0
        self._moves = 0
        if watermark is None:
            return 0
        for stage in STAGES:
            store = self._stores[stage.name]
            for key in store.due(watermark, DUE_MAX):
                state = store.get(key)
                expired += 1
                if state is None:
                    store.delete(key)
                    continue
                try:
                    change = stage.expire(state, watermark, self._rules)
                except Exception as error:
                    # One broken state must not keep all others from closing.
                    self.failures.append((stage.name, key, error))
                    store.put(key, state, None)
                    continue
                self._keep(stage, store, key, change.state)
                self._send(change.results)
        return expired

    def snapshot(self) -> bytes:
        """The watermark and all else that is not a state, as bytes."""
        return msgspec.msgpack.encode(self._known)

    def restore(self, snapshot: bytes) -> None:
        """Go on from such bytes. Raises `msgspec.DecodeError` for others."""
        self._known = msgspec.msgpack.decode(snapshot, type=Snapshot)
        self._moves = 0

    def _send(self, messages: list[Message]) -> None:
        """Take messages, and all that they cause, through the stages.

        In the order of sending, but for touchpoints, which wait until what they showed of
        identities has settled: so a customer has been handed the earlier ones before. The list
        is the engine's own from now on.
        """
        readers, outbox, taken = self._readers, self.outbox, 0
        waiting: list[tuple[_Reader, Message]] = []
        while True:
            for message in messages:  # it grows while it is walked
                reader = readers.get(message.topic)
                if reader is None:
                    outbox.append(message)
                    continue
                if not reader.inward:
                    outbox.append(message)
                    if type(message.record) is Touchpoint:
                        waiting.append((reader, message))
                        continue
                messages += self._step(reader, message)
            if taken == len(waiting):
                return
            messages = self._step(*waiting[taken])
            taken += 1

    def _step(self, reader: _Reader, message: Message) -> list[Message]:
        key, rules, known = message.key, self._rules, self._known
        change = reader.step(reader.get(key), key, message, known.watermark.at, rules)
        if reader.counted:
            known.books.step((message,), change)
        state = change.state
        if state is None:
            reader.delete(key)
        else:
            reader.put(key, state, reader.due_at(state, rules))
        return change.results

    def _keep(self, stage: Stage, store: StateStore, key: str, state: Any) -> None:
        if state is None:
            store.delete(key)
        else:
            store.put(key, state, stage.due_at(state, self._rules))
