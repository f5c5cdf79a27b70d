"""One stage's partition: batches of records in; results, changed states and progress out.

No Kafka here: who fetches and who commits is `worker`'s affair. What one batch does is undone
whole where any of it fails, and done again without the record to blame.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from pipeline.books import Books
from pipeline.runtimes.errors import ProcessingHalted
from pipeline.runtimes.failures import FAILURES_MAX, dead_letter, failures_after
from pipeline.runtimes.kafka.batch import Batch, Fetched, Known, Telling
from pipeline.runtimes.kafka.changelog import FORMAT, Output, Progress, Restored
from pipeline.runtimes.kafka.expiring import Expiring
from pipeline.runtimes.kafka.sending import VERSION_HEADER, Sending
from pipeline.runtimes.kafka.slices import SPAN, Slices
from pipeline.runtimes.kafka.states import PartitionStates
from pipeline.stitching import keys
from pipeline.stitching.change import Message
from pipeline.stitching.clock import Watermark
from pipeline.stitching.rules import Rules
from pipeline.topology import Stage
from schemas import codec
from schemas.controls import Reached
from schemas.records import Touchpoint
from schemas.topics import DEAD_LETTERS, LINKS, TOPICS, TOUCHPOINTS, VOTES

TOLD: Final = timedelta(seconds=1)
"""Event time after which the stage behind is told anew (P): with 8 partitions, 64 small records a
second in all."""

TOLD_WHILE_IDLE: Final = timedelta(seconds=10)
"""The same where only the wall clock moves it (P)."""


class _RecordFailed(Exception):
    def __init__(self, offset: int, cause: Exception) -> None:
        self.offset, self.cause = offset, cause


class StagePartition:
    """A stage at work on one partition of its input topics.

    Args:
        stage: Which.
        rules: The catalogue's.
        unpacked_max: See `PartitionStates`.
        number: The partition's: whose totals its votes are.
        telling: To whom it tells how far event time is; None for the last stage.
        watching: Whether what the stage tells itself is of use to anybody.
        follows: Whether its event time is what the stage before tells it, not what its own records
            show: a stage whose input others write.

    Attributes:
        offsets: By input topic, the offset to read next, as of the last commit.
    """

    def __init__(
        self,
        stage: Stage,
        rules: Rules,
        unpacked_max: int,
        number: int = 0,
        *,
        telling: Telling | None = None,
        follows: bool = False,
        watching: bool = True,
    ) -> None:
        self.offsets: dict[str, int] = {}
        self._number = number
        self._telling, self._follows = telling, follows
        self._stage = stage
        self._rules = rules if watching else msgspec.structs.replace(rules, votes=False)
        # Votes are counted or read here: hours of a backlog must not look like one moment.
        self._timely = self._rules.votes and bool(stage.inward or VOTES in stage.reads)
        self._states = PartitionStates(stage.encode, stage.decode, unpacked_max)
        self._known = Known(Watermark())
        self._committed = msgspec.msgpack.encode(self._known)
        self._sending = Sending(stage.inward, number)
        self._expiring = Expiring(self._states, self._sending, self._expire_one)
        self._poison: dict[tuple[str, int], Exception] = {}
        self._singly_until: dict[str, int] = {}

    @property
    def watermark(self) -> datetime | None:
        """Event time no longer waited for; None before the first."""
        return self._known.watermark.at

    @property
    def books(self) -> Books:
        """What is kept count of. Between batches, as of the last commit."""
        return self._known.books

    @property
    def size(self) -> int:
        """States that are kept."""
        return len(self._states)

    @property
    def overdue(self) -> bool:
        """Whether more may be due by event time than batches had room for; see `go_on`."""
        return self._expiring.overdue and self.watermark is not None  # a new one waits for a clock

    def restore(self, restored: Restored) -> None:
        """Begin with what the changelog says."""
        self._states.restore(restored.states)
        self._expiring.overdue = True  # who wrote it may have died over something
        if restored.progress is not None:
            self.offsets = dict(restored.progress.offsets)
            if restored.progress.snapshot:
                self._committed = restored.progress.snapshot
                self._known = msgspec.msgpack.decode(self._committed, type=Known)

    def take(self, topic: str, records: Sequence[Fetched], now: datetime) -> Batch | None:
        """Take in what was fetched of one input topic; None where all of it is known already.

        A batch ends before a record that fails, so that none is taken in more than twice: to be
        called with the same records, and committed, until nothing comes back.

        Args:
            topic: One of the stage's inputs.
            records: In order of offset.
            now: Stands in a dead letter that cannot be read.

        Raises:
            ProcessingHalted: Too many records failed.
        """
        begin = self.offsets.get(topic, 0)
        fresh = [one for one in records if one.offset >= begin]
        if not fresh:
            return None
        if self._known.failures >= FAILURES_MAX:
            self._try_again(topic, fresh[0])
        self._states.careful = False
        if self._stage.at_once is not None and begin >= self._singly_until.get(topic, 0):
            try:
                return self._batch_at_once(topic, fresh)
            except Exception:  # each by itself then, to find whose fault it is
                self.rollback()
                self._singly_until[topic] = fresh[-1].offset + 1
        try:
            return self._batch_of(topic, fresh, now)
        except Exception:  # not of one record: perhaps a state that cannot be packed
            self.rollback()
            self._states.careful = True  # each is looked at as it is put
            return self._batch_of(topic, fresh, now)

    def _try_again(self, topic: str, record: Fetched) -> None:
        """After a halt, and the restart that follows it: one more must do before any is buried."""
        self._states.careful = True
        try:
            self._take_one(topic, record)
        except _RecordFailed as failure:
            failures = self._known.failures
            self.rollback()
            raise ProcessingHalted(failures=failures, stage=self._stage.name) from failure
        self.rollback()
        self._known.failures = 0

    def _batch_at_once(self, topic: str, records: Sequence[Fetched]) -> Batch:
        """All records, key by key: each state is taken once, and says what holds in the end."""
        read = ((self._message_of(topic, one), one.value) for one in records)
        batch = Slices(read, SPAN if self._timely else None)
        for by_key in batch.slices:
            for key, messages in by_key.items():
                self._step(key, messages, batch.as_they_came)
            self._settle()
        moved = [self._known.hear(one) for one in batch.told]
        if not self._follows:
            disorder = self._rules.out_of_order
            moved += [self._known.observe(one, disorder) for one in batch.arrived]
        if any(moved) or self.overdue:
            self._expire()
        self._tell(TOLD)
        return self._batch({**self.offsets, topic: records[-1].offset + 1}, [], len(records))

    def _batch_of(self, topic: str, records: Sequence[Fetched], now: datetime) -> Batch:
        """All records, or those before the first that fails; one known to fail is buried."""
        until = len(records)
        failed: list[tuple[int, Exception]] = []
        for at, one in enumerate(records):
            cause = self._poison.get((topic, one.offset))
            try:
                if cause is None:
                    self._take_one(topic, one)
                else:
                    self._bury(topic, one.value or b"", cause, now)
                    failed.append((one.offset, cause))
            except _RecordFailed as failure:
                self.rollback()
                self._poison[topic, failure.offset] = failure.cause
                until = at
                break
        if until == 0:  # it is the first: bury it and go on
            return self._batch_of(topic, records, now)
        if until < len(records):  # what came before it is taken again, and committed without it
            return self._batch_of(topic, records[:until], now)
        if self.overdue:
            self._expire()
        self._tell(TOLD)
        offsets = {**self.offsets, topic: records[-1].offset + 1}
        return self._batch(offsets, failed, len(records))

    def tick(self, now: datetime, *, caught_up: bool) -> Batch | None:
        """The wall clock: when touchpoints stop coming, it carries the watermark.

        The stage behind is told, so that its silence, too, has consequences.

        Args:
            now: The wall clock's time.
            caught_up: Whether all that stands on the input topics has been taken in; what waits
                would come late behind a watermark that runs ahead.
        """
        if self._follows:
            return None  # the stage before tells it

        def carry() -> None:
            if caught_up and self._known.idle(now, self._rules.idle):
                self._known.watermark.advance(now - self._rules.out_of_order)

        return self._unasked(carry, TOLD_WHILE_IDLE)

    def go_on(self) -> Batch | None:
        """What is due still, and earlier batches had no room for; None where nothing is."""
        return self._unasked(lambda: None, TOLD) if self.overdue else None

    def _unasked(self, carry: Callable[[], None], told_after: timedelta) -> Batch | None:
        try:
            self._states.careful = False
            return self._due(carry, told_after)
        except Exception:  # a state that grew too large by it, perhaps: it is kept as it is then
            self.rollback()
            self._states.careful = True
            return self._due(carry, told_after)

    def _due(self, carry: Callable[[], None], told_after: timedelta) -> Batch | None:
        carry()
        if self.watermark is None:
            return None
        self._expire()
        self._tell(told_after)
        batch = self._batch(self.offsets, [], 0)
        return batch if batch.states or batch.outputs else None

    def commit(self, batch: Batch) -> None:
        """The batch is durable: memory follows."""
        self._states.commit(batch.states)
        self.offsets = batch.progress.offsets
        self._committed = batch.progress.snapshot
        if batch.failed:
            self._poison.clear()
        self._sending.clear()
        self._expiring.begin()

    def rollback(self) -> None:
        """Back to the last commit."""
        self._states.rollback()
        self._known = msgspec.msgpack.decode(self._committed, type=Known)
        self._sending.clear()
        self._expiring.begin()

    def _batch(
        self, offsets: dict[str, int], failed: list[tuple[int, Exception]], processed: int
    ) -> Batch:
        known, fine = self._known, processed - len(failed)
        known.failures = failures_after(known.failures, fine, len(failed))
        known.books.publish(self._sending.results)
        return Batch(
            outputs=self._sending.outputs,
            states=self._states.changes(),
            progress=Progress(FORMAT, offsets, msgspec.msgpack.encode(known)),
            results=self._sending.results,
            failed=failed,
            unexpired=self._expiring.errors,
            processed=processed,
        )

    def _take_one(self, topic: str, record: Fetched) -> None:
        try:
            message = self._message_of(topic, record)
            if message is None:
                return
            taken: Any = message.record
            if type(taken) is Reached:
                moved = self._known.hear(taken)
            else:
                self._step(message.key, [message], {id(taken): record.value or b""})
                self._settle()
                moved = (
                    type(taken) is Touchpoint
                    and not self._follows
                    and self._known.observe(taken, self._rules.out_of_order)
                )
        except Exception as error:
            raise _RecordFailed(record.offset, error) from error
        if moved:
            self._expire()

    def _message_of(self, topic: str, record: Fetched) -> Message | None:
        """The record as the stage takes it; None for one that had to be sent to another key."""
        if record.value is None and topic == LINKS:
            return None  # an erasure deleted the key
        value = record.value or b""
        key = (record.key or b"").decode()
        if topic != TOUCHPOINTS:
            told = codec.decode_control(value)
            if told is not None:
                return Message(topic, key, told)
            expected = TOPICS[topic].record if topic in TOPICS else Touchpoint
            if expected is not Touchpoint:
                return Message(topic, key, codec.decode(value, expected))
            version = 0
            if record.headers:
                version = next((int(v) for k, v in record.headers if k == VERSION_HEADER), 0)
            return Message(topic, key, codec.decode_touchpoint(value), version=version)
        touchpoint = codec.decode_touchpoint(value)
        by_rules, shown = keys.read(touchpoint, self._rules.identity)
        if by_rules != key:
            # The listener does not know the catalogue, which may block what it keyed by: the
            # states of one identifier must not stand in two partitions.
            self._sending.outputs.append(Output(TOUCHPOINTS, by_rules.encode(), value))
            return None
        self._known.books.account(touchpoint.source).accepted += 1
        return Message(topic, key, touchpoint, (key, shown))

    def _tell(self, after: timedelta) -> None:
        """Tell the stage behind how far this one is, where it has come on by so much.

        Not before all is sent that follows from it.
        """
        known, telling = self._known, self._telling
        at = None if self._expiring.owes else known.watermark.at
        if telling is None or at is None or (known.told is not None and at < known.told + after):
            return
        known.told = at
        self._sending.outputs += telling.told(at)

    def _step(self, key: str, messages: list[Message], as_they_came: dict[int, bytes]) -> None:
        """Take messages to one key.

        Args:
            key: Whose.
            messages: In their order; more than one where the stage takes them at once.
            as_they_came: The bytes of the records among them, by their ids, since a record that is
                sent on as it came is not written anew.
        """
        state, stage = self._states.get(key), self._stage
        if stage.at_once is not None:
            change = stage.at_once(state, key, messages, self.watermark, self._rules)
        else:
            (message,) = messages
            change = stage.step(state, key, message, self.watermark, self._rules)
        self._known.books.step(messages, change)
        self._keep(key, change.state)
        self._sending.send(change.results, as_they_came)

    def _settle(self) -> None:
        """Take what the stage told itself, and never sends."""
        while inward := self._sending.take_inward():
            for key, messages in inward.items():
                if self._stage.at_once is not None:
                    self._step(key, messages, {})
                else:
                    for message in messages:
                        self._step(key, [message], {})

    def _expire(self) -> None:
        if self.watermark is not None:
            self._expiring.run(self.watermark)

    def _expire_one(self, key: str, state: Any, watermark: datetime) -> datetime | None:
        change = self._stage.expire(state, watermark, self._rules)
        due_at = self._keep(key, change.state)
        self._sending.send(change.results)
        self._settle()
        return due_at

    def _keep(self, key: str, state: Any) -> datetime | None:
        """Keep it or forget it; tells when it is due."""
        if state is None:
            self._states.delete(key)
            return None
        due_at = self._stage.due_at(state, self._rules)
        self._states.put(key, state, due_at)
        return due_at

    def _bury(self, topic: str, value: bytes, error: Exception, now: datetime) -> None:
        books = self._known.books
        if topic == TOUCHPOINTS:
            books.accept(value)
        books.bury(topic, value)
        letter = dead_letter(value, self._stage.name, error, now)
        self._sending.outputs.append(
            Output(DEAD_LETTERS, letter.source.encode(), codec.encode(letter))
        )
