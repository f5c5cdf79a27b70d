"""What the pipeline says about itself: every metric's name, and the log line that goes with it.

One call says once what happened; it counts and, where a person should know, logs. Labels come from
closed sets, or are capped: what exceeds the cap is counted under `other`.

Log levels: WARNING is odd but loses nothing; ERROR is for a person to act on.
"""

import logging
from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.books import UNKNOWN, Books
from pipeline.gauges import NO_MISSION, Labels, PartitionGauges, Stand
from pipeline.stitching.change import Message
from pipeline.stitching.rules import Rules
from schemas.letters import DeadLetter
from schemas.records import Alert, JourneyOutcome, Session, Verdict

EVERY_STAGE: Final = "all"
"""The stage of a partition that all of them share."""

_REVISED: Final = frozenset({Session, JourneyOutcome, Verdict})
"""Results that have revisions."""

_logger: Final = logging.getLogger("touchpoints.pipeline")

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_RECORDS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)


class PipelineTelemetry:
    """The pipeline's metrics, in a registry of the caller's choice; one object a process.

    Args:
        registry: Where the metrics are registered.
        rules: The catalogue's, whose touchpoints and missions become labels; without them all
            is `other`.
    """

    def __init__(self, registry: CollectorRegistry, rules: Rules | None = None) -> None:
        self._labels = Labels(rules)
        self._gauges = PartitionGauges(self._labels)
        registry.register(self._gauges)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"touchpoints_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"touchpoints_{name}", text, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"touchpoints_{name}", text, buckets=buckets, registry=registry)

        self._appended = counter("appended", "Records made durable, by topic", "topic")
        self._processed = counter("processed", "Touchpoints the stages have taken in")
        self._failed = counter(
            "processing_failed", "Touchpoints a stage failed on; see dead-letters", "stage"
        )
        self._ticks_failed = counter("ticks_failed", "Calls of the clock a stage failed on")
        self._buried = counter(
            "dead_lettered", "What stages put on dead-letters, but for failures", "reason"
        )
        self._refused = counter("publications_refused", "Publications not accepted", "reason")
        self._removed = counter("removed", "Records retention or compaction took", "topic")
        self._sessions = counter("sessions_closed", "Sessions closed, first time", "channel")
        self._journeys = counter(
            "journeys_ended", "Journeys ended, first time", "mission", "outcome"
        )
        self._verdicts = counter(
            "verdicts", "Verdicts given, first time", "touchpoint", "mission", "verdict"
        )
        self._lost = counter(
            "journeys_lost",
            "Journeys that a touchpoint cost their mission, first time",
            "touchpoint",
            "mission",
        )
        self._revised = counter("revised", "Results corrected by a later revision", "topic")
        self._alerts = counter("alerts", "Alerts that changed", "state")
        self._backlog = gauge("backlog_records", "Durable touchpoints not yet processed")
        self._lag = gauge("stitching_lag_seconds", "Age of the oldest touchpoint not yet processed")
        self._committed_at = gauge("last_commit_timestamp_seconds", "When a commit last returned")
        self._processed_at = gauge(
            "last_processed_timestamp_seconds", "When a touchpoint was last processed"
        )
        self._halted = gauge("processing_halted", "1 once too many failures stopped the line")
        self._ready = gauge("pipeline_ready", "1 where a publish would be accepted")
        self._commit_seconds = histogram("commit_seconds", "Write and fsync of a cycle", _SECONDS)
        self._cycle_seconds = histogram("cycle_seconds", "A whole cycle", _SECONDS)
        self._cycle_records = histogram(
            "cycle_records", "Records published that one fsync served", _RECORDS
        )
        self._owned = Gauge(
            "touchpoints_partitions_owned",
            "Partitions this worker owns, by stage",
            ("stage",),
            registry=registry,
        )
        self._restored_states = counter("states_restored", "States read from changelogs", "stage")
        self._restore_seconds = histogram(
            "restore_seconds", "Taking one partition over", (0.1, 0.5, 1.0, 5.0, 15.0, 60.0)
        )
        self._missed = counter("records_missed", "Records retention took before they were read")
        self._last_tick_failure = ""

    def started(self, where: str, backlog: int) -> None:
        """The runtime accepts records."""
        self._ready.set(1)
        _logger.info("pipeline started in %s; %d touchpoints to process", where, backlog)

    def partitions_owned(self, counts: Mapping[str, int]) -> None:
        """A rebalance ended; the worker owns so many partitions of each stage."""
        for stage, count in counts.items():
            self._owned.labels(stage).set(count)
        self._ready.set(1)
        owned = ", ".join(f"{count} of {stage}" for stage, count in counts.items())
        _logger.info("owning partitions: %s", owned)

    def partition_restored(self, stage: str, partition: int, states: int, seconds: float) -> None:
        """A partition was taken over, with what its changelog says."""
        self._restored_states.labels(stage).inc(states)
        self._restore_seconds.observe(seconds)
        _logger.info("took over %s %d: %d states in %.1f s", stage, partition, states, seconds)

    def records_missed(self, where: str, count: int) -> None:
        """Retention took records before a worker had read them; they are lost to the results."""
        self._missed.inc(count)
        _logger.error("%s: retention took up to %d records that nobody had read", where, count)

    def stopped(self) -> None:
        """The runtime has let go, all that was accepted being durable."""
        self._ready.set(0)
        _logger.info("pipeline stopped")

    def cycle_committed(
        self,
        *,
        appended: Mapping[str, int],
        published: int,
        processed: int,
        now: datetime,
        seconds: float,
        commit_seconds: float,
    ) -> None:
        """One transaction became durable."""
        for topic, count in appended.items():
            self._appended.labels(topic).inc(count)
        self._committed_at.set(now.timestamp())
        self._cycle_seconds.observe(seconds)
        self._commit_seconds.observe(commit_seconds)
        if published:
            self._cycle_records.observe(published)
        if processed:
            self._processed.inc(processed)
            self._processed_at.set(now.timestamp())

    def results_published(self, messages: Iterable[Message]) -> None:
        """Results became durable; what they say is counted."""
        tally: Tally[tuple[Counter, tuple[str, ...]]] = Tally()
        for message in messages:
            record: Any = message.record
            kind = type(record)
            if kind is DeadLetter:
                tally[self._buried, (record.reason,)] += 1
            elif kind is Alert:
                tally[self._alerts, (record.state,)] += 1
            elif kind in _REVISED:
                if record.revision > 1:
                    tally[self._revised, (message.topic,)] += 1
                if kind is Verdict:
                    if record.revision == 1 and record.verdict is not None:
                        pair = self._labels.of(record.touchpoint, record.mission or NO_MISSION)
                        tally[self._verdicts, (*pair, record.verdict)] += 1
                elif kind is JourneyOutcome:
                    if record.revision == 1:
                        mission = self._labels.mission(record.mission)
                        tally[self._journeys, (mission, record.outcome)] += 1
                        if record.broke_at is not None:
                            where = self._labels.of(record.broke_at, record.mission)
                            tally[self._lost, where] += 1
                elif record.state == "closed":
                    tally[self._sessions, (record.channel,)] += 1
        for (metric, labels), count in tally.items():
            metric.labels(*labels).inc(count)

    def backlog_is(self, records: int, oldest_at: datetime | None, now: datetime) -> None:
        """How much is durable but not yet processed, and since when."""
        self._backlog.set(records)
        self._lag.set(max(0.0, (now - oldest_at).total_seconds()) if oldest_at else 0.0)

    def lag_is(self, records: Mapping[tuple[str, int], int]) -> None:
        """How many records wait, by topic and partition: all that are this process's."""
        self._gauges.lag(records)

    def partition_stands(
        self,
        stage: str,
        partition: int,
        books: Books,
        watermark: datetime | None,
        waiting: int | None = None,
    ) -> None:
        """What a partition has committed.

        Args:
            stage: Which, or `EVERY_STAGE`.
            partition: Its number.
            books: What it keeps count of.
            watermark: How far its event time is.
            waiting: Touchpoints that stand on the topic and were not taken in, by their offsets,
                where that is known exactly; the books have to agree.
        """
        books = books.copy()
        if waiting is not None:
            counted = sum(one.accepted - one.taken for one in books.accounts.values())
            if counted != waiting:  # by no source: the log and the books disagree
                account = books.account(UNKNOWN)
                account.taken += counted - waiting
        self._gauges.stands(stage, partition, Stand(books, watermark))

    def partition_restoring(self, stage: str, partition: int, share: float | None) -> None:
        """So much of its state has been read; None once it is taken over, or that failed."""
        self._gauges.restoring(stage, partition, share)

    def partition_gone(self, stage: str, partition: int) -> None:
        """Another worker owns the partition now."""
        self._gauges.gone(stage, partition)

    @property
    def books(self) -> Books:
        """What the partitions of this process have kept count of, as one."""
        return self._gauges.books

    def publication_refused(self, reason: str) -> None:
        """A publication was not accepted: `queue_full`, `disk_full`, `stopping`, `failed`."""
        self._refused.labels(reason).inc()

    def processing_failed(self, stage: str, offset: int, error: BaseException) -> None:
        """A stage failed on one touchpoint, which went to `dead-letters`; the rest flows."""
        self._failed.labels(stage).inc()
        _logger.error(
            "stage %s failed on the touchpoint at offset %d, which is now in dead-letters",
            stage,
            offset,
            exc_info=error,
        )

    def tick_failed(self, stage: str, error: BaseException) -> None:
        """A stage failed when told the time; counted each time, logged when it is another fault."""
        self._ticks_failed.inc()
        failure = f"{stage}: {type(error).__name__}: {error}"
        if failure != self._last_tick_failure:
            self._last_tick_failure = failure
            _logger.error("stage %s failed when told the time", stage, exc_info=error)

    def processing_halted(self, failures: int) -> None:
        """Nearly everything fails: the fault is the program's, not the records'."""
        self._halted.set(1)
        _logger.error(
            "the stages failed on %d touchpoints more than they could take in and are halted; "
            "touchpoints are still accepted, to be processed after a restart with it mended",
            failures,
        )

    def disk_full(self, error: BaseException) -> None:
        """The disk takes no more. Nothing is acknowledged until it does."""
        self._ready.set(0)
        _logger.error("the disk takes no more (%s); publications are refused until it does", error)

    def disk_has_space(self) -> None:
        """The disk takes records again."""
        self._ready.set(1)
        _logger.warning("the disk takes records again")

    def failed(self, error: BaseException) -> None:
        """The engine has stopped for good."""
        self._ready.set(0)
        _logger.error("the pipeline has stopped: %s", error, exc_info=error)

    def order_obeyed(self, what: str, order: str, *, refused: bool) -> None:
        """An operator's order was carried out. Who it was about is not said anywhere."""
        _logger.info("order %s: %s %s", order, what, "refused" if refused else "done")

    def order_failed(self, what: str, order: str, error: Exception) -> None:
        """An operator's order could not be carried out. Its error may name whom it is about."""
        _logger.error("order %s: %s failed: %s", order, what, type(error).__name__)

    def records_removed(self, topic: str, count: int) -> None:
        """Retention or compaction took records of a topic."""
        if count:
            self._removed.labels(topic).inc(count)
