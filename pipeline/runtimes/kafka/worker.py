"""The partitions that a worker owns: taken over, fed with batches, told the time, let go.

Each is worked on by one thread at a time; a batch returns when all that follows from it is durable.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from time import monotonic, perf_counter
from typing import Any, Final, TypeVar

from faust.types import TP

from pipeline.runtimes.errors import StateUnusable, WorkerFailed
from pipeline.runtimes.kafka.batch import Batch, Fetched, Telling
from pipeline.runtimes.kafka.changelog import Changelog
from pipeline.runtimes.kafka.partition import StagePartition
from pipeline.runtimes.kafka.topics import changelogs
from pipeline.settings import WorkerSettings
from pipeline.stitching.rules import Rules
from pipeline.telemetry import PipelineTelemetry
from pipeline.topology import STAGES, Stage
from schemas.brokers import Brokers
from schemas.topics import VOTES

_logger: Final = logging.getLogger("touchpoints.pipeline")

T = TypeVar("T")

THREADS: Final = 8
"""Partitions worked on at once: while one waits for its commit, another computes."""

BATCH_MAX: Final = 300.0
"""Seconds after which a batch will not be done any more (P). A large one takes some, and its commit
at most `commit_timeout`."""


class Owned:
    """One stage's partition, and the right to write what follows from it."""

    def __init__(
        self, stage: Stage, number: int, partition: StagePartition, changelog: Changelog
    ) -> None:
        self.stage, self.number = stage, number
        self.partition, self.changelog = partition, changelog
        self.lock = asyncio.Lock()
        self.active_at: datetime | None = None
        self.busy_since: float | None = None


class Ownership:
    """All partitions of a worker.

    Args:
        brokers: Where Kafka is.
        rules: The catalogue's.
        settings: The worker's.
        telemetry: Counts and logs what happened.
        clock: The wall clock.
        stages: The topology's.
    """

    def __init__(
        self,
        brokers: Brokers,
        rules: Rules,
        settings: WorkerSettings,
        telemetry: PipelineTelemetry,
        *,
        clock: Callable[[], datetime],
        stages: Sequence[Stage] = STAGES,
    ) -> None:
        self.stages = tuple(stages)
        self._brokers, self._rules, self._settings = brokers, rules, settings
        self._telemetry, self._clock = telemetry, clock
        self._readers = {topic: stage for stage in stages for topic in stage.reads}
        self._written = {topic for stage in stages for topic in stage.writes}
        self._owned: dict[tuple[str, int], Owned] = {}
        self._coming: dict[tuple[str, int], Future[Owned]] = {}
        self._restoring = asyncio.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="partition")

    @property
    def owned(self) -> list[Owned]:
        """Partitions that are owned now."""
        return list(self._owned.values())

    async def restore(self, assigned: set[TP]) -> dict[TP, int]:
        """Take over what is assigned and not owned yet; let go of what is no longer.

        What is owned already stays as it is. Should another worker have owned it in between, it
        has fenced us, and the next commit says so. May be cancelled, since a rebalance may come
        between: the next call goes on with what is under way, or gives it back.

        Returns:
            Where each input is to be read on from, where the state knows.

        Raises:
            WorkerFailed: The inputs of one stage are not assigned together.
            StateUnusable, KafkaException: A changelog cannot be read.
        """
        wanted = self._wanted(assigned)
        async with self._restoring:
            for at in [at for at in self._owned if at not in wanted]:
                await self._let_go(at)
            for at in [at for at in self._coming if at not in wanted]:
                await self._give_back(at)
            await self._take_over_all([at for at in wanted if at not in self._owned])
        now = self._clock()
        for one in self._owned.values():
            one.active_at = now
        names = [name for name, _ in self._owned]
        self._telemetry.partitions_owned(
            {stage.name: names.count(stage.name) for stage in self.stages}
        )
        return {
            TP(topic, number): offset
            for (_, number), one in self._owned.items()
            for topic, offset in one.partition.offsets.items()
        }

    async def take(self, tp: TP, records: Sequence[Fetched]) -> None:
        """Take in what was fetched of one partition; returns when all of it is durable.

        What was fetched of a partition that has gone to another worker since is that one's.

        Raises:
            TakenOver, KafkaException: It may not be; the worker must not go on.
        """
        at = (self._readers[tp.topic].name, tp.partition)
        one = self._owned.get(at)
        if one is None:
            return
        async with one.lock:
            if self._owned.get(at) is not one:
                return  # let go of while this waited
            now = self._clock()
            if tp.topic == one.stage.reads[0]:
                one.active_at = now  # links alone do not tell how far event time is
            take = one.partition.take
            while await self._worked(one, lambda: take(tp.topic, records, now)):
                pass

    def tell_lag(self, end_of: Callable[[TP], int | None]) -> None:
        """Count what waits.

        The markers of transactions behind the last record count, too: what has taken in all may
        seem a few short of it.

        Args:
            end_of: The offset behind the newest record, where it is known.
        """
        lags: dict[tuple[str, int], int] = {}
        for one in self.owned:
            for topic in one.stage.reads:
                end = end_of(TP(topic, one.number))
                if end is not None:
                    taken = one.partition.offsets.get(topic, 0)
                    lags[topic, one.number] = max(0, end - taken)
        self._telemetry.lag_is(lags)

    async def tick(
        self,
        now: datetime,
        exhausted: Callable[[TP, int], bool],
        going: Callable[[], bool] = lambda: True,
    ) -> None:
        """Go on with what is overdue, and let the wall clock carry event time where nothing comes.

        Args:
            now: The wall clock's time.
            exhausted: Of an input and the offset that is to be taken in next, whether nothing waits
                there: what does would come late behind event time that runs ahead.
            going: Whether to go on with the next partition: not once they may become another's.
        """
        for one in self.owned:
            if not going():
                return
            if one.lock.locked():
                continue
            one.active_at = min(one.active_at or now, now)  # our clock, too, may have been ahead
            if one.partition.overdue:
                await self._turn(one, one.partition.go_on)
            elif now - one.active_at >= self._rules.idle:
                topic = one.stage.reads[0]  # links alone do not tell how far event time is
                if exhausted(TP(topic, one.number), one.partition.offsets.get(topic, 0)):
                    await self.tell_time(one, now)

    async def settle(self) -> None:
        """Return once nothing is under way: whoever gets a partition next would fence it."""
        for one in self.owned:
            async with one.lock:
                pass

    async def tell_time(self, one: Owned, now: datetime) -> None:
        """Tell one partition, whose inputs are taken in, the time."""
        await self._turn(one, lambda: one.partition.tick(now, caught_up=True))

    async def _turn(self, one: Owned, made: Callable[[], Batch | None]) -> None:
        """One batch that no record asked for."""
        async with one.lock:
            if self._owned.get((one.stage.name, one.number)) is one:
                await self._worked(one, made)

    def stuck(self, now: float) -> WorkerFailed | None:
        """What is wrong where a batch is never done: others wait behind it, and nobody knows.

        Args:
            now: Seconds, of a clock that never jumps.
        """
        longest = max(BATCH_MAX, self.commit_max)
        for one in self.owned:
            if one.busy_since is not None and now - one.busy_since > longest:
                return WorkerFailed(
                    f"{one.stage.name}, partition {one.number}: expected a batch to be done within "
                    f"{longest:g} s; it is not. Another start takes it again"
                )
        return None

    @property
    def commit_max(self) -> float:
        """Seconds after which a commit under way has failed, and the one behind it, too."""
        return 2 * self._settings.commit_timeout.total_seconds()

    async def close(self) -> None:
        """Let go of all partitions. What was not committed is nobody's."""
        for at in list(self._owned):
            await self._let_go(at)
        for at in list(self._coming):
            await self._give_back(at)
        self._threads.shutdown()

    def _wanted(self, assigned: Iterable[TP]) -> set[tuple[str, int]]:
        known = {(tp.topic, tp.partition) for tp in assigned}
        wanted = {
            (self._readers[topic].name, number) for topic, number in known if topic in self._readers
        }
        stages = {stage.name: stage for stage in self.stages}
        for name, number in wanted:
            reads = stages[name].reads
            if any((topic, number) not in known for topic in reads):
                message = (
                    f"expected partition {number} of {' and '.join(reads)} on one worker; found "
                    f"them apart. Do they have equally many partitions? `touchpoints topics check` "
                    f"says."
                )
                raise WorkerFailed(message)
        return wanted

    async def _let_go(self, at: tuple[str, int]) -> None:
        one = self._owned.pop(at)
        self._telemetry.partition_gone(*at)
        async with one.lock:
            await self._in_thread(one.changelog.close)

    async def _take_over_all(self, missing: Iterable[tuple[str, int]]) -> None:
        stages = {stage.name: stage for stage in self.stages}
        for name, number in missing:
            if (name, number) not in self._coming:
                coming = self._threads.submit(self._take_over, stages[name], number)
                self._coming[name, number] = coming
        try:
            await asyncio.gather(*map(asyncio.wrap_future, self._coming.values()))
        except asyncio.CancelledError:
            # What has not begun must not: it would fence who may own the partition by then.
            begun = {at: one for at, one in self._coming.items() if not one.cancel()}
            self._coming = begun
            raise
        self._owned |= {at: one.result() for at, one in self._coming.items()}
        self._coming = {}

    async def _give_back(self, at: tuple[str, int]) -> None:
        """Let go of what was being taken over when a rebalance gave it to another."""
        try:
            one = await asyncio.wrap_future(self._coming[at])
        except Exception as error:  # the other has fenced it meanwhile
            _logger.debug("taking over %s %s was broken off: %s", *at, error)
        else:
            self._telemetry.partition_gone(*at)
            await self._in_thread(one.changelog.close)
        del self._coming[at]

    def _take_over(self, stage: Stage, number: int) -> Owned:
        started = perf_counter()
        topic = changelogs(self._brokers.application, self.stages)[stage.name]
        changelog = Changelog(
            self._brokers,
            topic,
            number,
            commit_timeout=self._settings.commit_timeout.total_seconds(),
        )
        telemetry = self._telemetry
        try:
            restored = changelog.take_over(
                lambda share: telemetry.partition_restoring(stage.name, number, share)
            )
        finally:
            telemetry.partition_restoring(stage.name, number, None)
        if restored.progress is not None:
            for topic, offset in restored.progress.offsets.items():
                self._check_offset(changelog, topic, offset)
        partition = StagePartition(
            stage,
            self._rules,
            self._settings.unpacked_states_max,
            number,
            telling=self._telling(stage, number, changelog),
            follows=stage.reads[0] in self._written,
            watching=VOTES in self._readers,
        )
        partition.restore(restored)
        self._telemetry.partition_restored(
            stage.name, number, partition.size, perf_counter() - started
        )
        self._tell_how_it_stands(stage, number, partition)
        return Owned(stage, number, partition, changelog)

    def _tell_how_it_stands(self, stage: Stage, number: int, partition: StagePartition) -> None:
        self._telemetry.partition_stands(stage.name, number, partition.books, partition.watermark)

    def _check_offset(self, changelog: Changelog, topic: str, offset: int) -> None:
        """What the state has read must fit the topic: else records would be skipped in silence."""
        low, high = changelog.bounds_of(topic)
        where = f"{topic}, partition {changelog.partition}"
        if offset > high:
            raise StateUnusable(
                where=where,
                expected=f"records up to offset {offset}, which its state has read already",
                found=f"a topic that ends at {high}; was it made anew?",
            )
        if offset < low:
            self._telemetry.records_missed(where, low - offset)

    def _telling(self, stage: Stage, number: int, changelog: Changelog) -> Telling | None:
        """To whom this partition tells how far event time is: the stages behind its own."""
        behind = [
            other.reads[0]
            for other in self.stages
            if other is not stage and other.reads[0] in stage.writes
        ]
        if not behind:
            return None
        topics = {topic: changelog.partitions_of(topic) for topic in behind}
        return Telling(number, changelog.partitions_of(stage.reads[0]), topics)

    def _work(self, one: Owned, made: Callable[[], Batch | None]) -> bool:
        """Make a batch and its consequences durable; tells whether there was one."""
        started = perf_counter()
        batch = made()
        if batch is None:
            return False
        wrote = perf_counter()
        one.changelog.commit(
            batch.outputs, [(key.encode(), value) for key, value in batch.states], batch.progress
        )
        ended = perf_counter()
        one.partition.commit(batch)
        for offset, error in batch.failed:
            self._telemetry.processing_failed(one.stage.name, offset, error)
        for error in batch.unexpired:
            self._telemetry.tick_failed(one.stage.name, error)
        self._telemetry.cycle_committed(
            appended=_tally(batch),
            published=batch.processed,
            processed=batch.processed,
            now=self._clock(),
            seconds=ended - started,
            commit_seconds=ended - wrote,
        )
        self._telemetry.results_published(batch.results)
        self._tell_how_it_stands(one.stage, one.number, one.partition)
        return True

    async def _worked(self, one: Owned, made: Callable[[], Batch | None]) -> bool:
        one.busy_since = monotonic()
        try:
            return await self._in_thread(self._work, one, made)
        finally:
            one.busy_since = None

    def _in_thread(self, function: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._threads, function, *arguments)


def _tally(batch: Batch) -> dict[str, int]:
    counts: dict[str, int] = {}
    for output in batch.outputs:
        counts[output.topic] = counts.get(output.topic, 0) + 1
    return counts
