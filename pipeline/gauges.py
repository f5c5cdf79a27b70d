"""What is read when somebody looks: how each partition stands, added up over a process.

Gauges that are set with every commit would lose track of partitions that went to another worker;
these are made, at each look, of the partitions that are here.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.books import SOURCES_MAX, Books, sum_of
from pipeline.stitching.rules import Rules
from pipeline.stitching.votes import SOURCE

ALL_MISSIONS: Final = "all"
"""The mission of what is said of a touchpoint, whatever customers come for."""

NO_MISSION: Final = "none"
"""The mission of verdicts on interactions that serve none."""

OTHER: Final = "other"
"""Under which all is counted that the catalogue does not know, or that exceeds a limit."""

PAIRS_MAX: Final = 600
"""Pairs of touchpoint and mission with labels of their own (P): with three verdicts each, 1,800
series. Further ones are counted under `OTHER`."""

ENTRIES: Final = (
    "accepted",
    "result",
    "dead_letter",
    "repeated",
    "identity_only",
    "erased",
    "in_flight",
)


class Labels:
    """Touchpoints and missions as labels: those of the catalogue, and no more than a cap.

    Sources that went quiet stand beside touchpoints, no more of them than have an account.

    Args:
        rules: The catalogue's; without one, everything is `OTHER`.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self._touchpoints = frozenset(rules.inventory.entries if rules else ())
        self._missions = frozenset(rules.missions.all if rules else ())
        self._known: set[tuple[str, str]] = set()
        self._sources: set[str] = set()

    def of(self, touchpoint: str, mission: str) -> tuple[str, str]:
        """The labels of one pair; `ALL_MISSIONS` and `NO_MISSION` are missions, too."""
        named = touchpoint in self._touchpoints or self._is_source(touchpoint)
        known = touchpoint if named else OTHER
        pair = (known, self.mission(mission))
        if pair not in self._known:
            if len(self._known) >= PAIRS_MAX:
                return (OTHER, OTHER)
            self._known.add(pair)
        return pair

    def _is_source(self, name: str) -> bool:
        if name.startswith(SOURCE) and len(self._sources) < SOURCES_MAX:
            self._sources.add(name)
        return name in self._sources

    def mission(self, mission: str) -> str:
        """The label of a mission."""
        known = mission in self._missions or mission in (ALL_MISSIONS, NO_MISSION)
        return mission if known else OTHER


class Stand(NamedTuple):
    """How one partition of a stage stands, as of its last commit."""

    books: Books
    watermark: datetime | None


class PartitionGauges(Collector):
    """The ledger, the alerts that stand, lag and event time, of the partitions in this process."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._stands: dict[tuple[str, int], Stand] = {}
        self._lags: dict[tuple[str, int], int] = {}
        self._restoring: dict[tuple[str, int], float] = {}

    def stands(self, stage: str, partition: int, stand: Stand) -> None:
        """A partition has committed."""
        self._stands[stage, partition] = stand

    def gone(self, stage: str, partition: int) -> None:
        """A partition is no longer this process's."""
        self._stands.pop((stage, partition), None)

    def lag(self, lags: Mapping[tuple[str, int], int]) -> None:
        """Records that wait, by topic and partition: all of this process's."""
        self._lags = dict(lags)

    def restoring(self, stage: str, partition: int, share: float | None) -> None:
        """How much of a partition's state has been read; None: it is taken over, or given up."""
        if share is None:
            self._restoring.pop((stage, partition), None)
        else:
            self._restoring[stage, partition] = share

    @property
    def books(self) -> Books:
        """Those of all partitions here, as one."""
        return sum_of(stand.books for stand in list(self._stands.values()))

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The families, without asking for figures."""
        return self._families().values()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families with their figures."""
        families, books = self._families(), self.books
        for source, account in books.accounts.items():
            counts = (account.accepted, account.results, account.dead, account.repeated)
            others = (account.identity_only, account.erased, account.in_flight)
            for entry, count in zip(ENTRIES, (*counts, *others), strict=True):
                families["accounted"].add_metric([source, entry], count)
            families["unaccounted"].add_metric([source], account.difference)
        for labels, firing in self._alerts(books).items():
            families["alerts_firing"].add_metric(list(labels), firing)
        for (topic, number), lag in list(self._lags.items()):
            families["lag_records"].add_metric([topic, str(number)], lag)
        for (stage, number), share in list(self._restoring.items()):
            families["restored_ratio"].add_metric([stage, str(number)], share)
        for (stage, number), stand in list(self._stands.items()):
            if stand.watermark is not None:
                families["watermark"].add_metric([stage, str(number)], stand.watermark.timestamp())
        yield from families.values()

    def _alerts(self, books: Books) -> dict[tuple[str, str, str], int]:
        """Both severities of each series that fired lately: the one that it has not is nought."""
        firing: dict[tuple[str, str, str], int] = {}
        for one in books.alerts.values():
            for severity in ("page", "ticket"):
                labels = (*self._labels.of(one.touchpoint, one.mission or ALL_MISSIONS), severity)
                stands = one.firing and one.severity == severity
                firing[labels] = max(firing.get(labels, 0), int(stands))
        return firing

    def _families(self) -> dict[str, GaugeMetricFamily]:
        partition = ("stage", "partition")
        return {
            name: GaugeMetricFamily(f"touchpoints_{metric}", text, labels=labels)
            for name, metric, text, labels in (
                ("accounted", "accounted", "The ledger", ("source", "entry")),
                ("unaccounted", "unaccounted", "What the ledger misses", ("source",)),
                (
                    "alerts_firing",
                    "alerts_firing",
                    "1 while an alert fires, 0 when it did",
                    ("touchpoint", "mission", "severity"),
                ),
                ("lag_records", "lag_records", "Records that wait", ("topic", "partition")),
                (
                    "restored_ratio",
                    "restored_ratio",
                    "How much of a state has been read; only while it is",
                    partition,
                ),
                (
                    "watermark",
                    "watermark_timestamp_seconds",
                    "Event time that is no longer waited for",
                    partition,
                ),
            )
        }
