"""Vitals: what the process that listens and stitches says of itself, gathered from its metrics."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry

from pipeline.books import Books
from pipeline.console.standing import Vitals

_COUNTED: Final = {
    "touchpoints_received": "channel",
    "touchpoints_rejected": "reason",
}
"""Counters that are told, with the label that they are told by."""


def vitals_of(
    registry: CollectorRegistry,
    counts: Mapping[str, int],
    books: Books,
    readiness: tuple[bool, str],
    now: datetime,
) -> Vitals:
    """How it stands.

    Args:
        registry: The listeners' and the pipeline's metrics.
        counts: Records by topic.
        books: The ledger.
        readiness: Whether it works, and if not, why.
        now: The wall clock.
    """
    counted: dict[str, dict[str, int]] = {name: {} for name in _COUNTED}
    for family in registry.restricted_registry([f"{name}_total" for name in _COUNTED]).collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                name = sample.name.removesuffix("_total")
                counted[name][sample.labels[_COUNTED[name]]] = int(sample.value)
    processed = _value(registry, "touchpoints_last_processed_timestamp_seconds")
    ready, reason = readiness
    return Vitals(
        at=now,
        ready=ready,
        reason=reason,
        backlog=int(_value(registry, "touchpoints_backlog_records")),
        processed_at=datetime.fromtimestamp(processed, UTC) if processed else None,
        lag=_value(registry, "touchpoints_stitching_lag_seconds"),
        appended=dict(counts),
        received=counted["touchpoints_received"],
        rejected=counted["touchpoints_rejected"],
        accounts={
            source: (
                one.accepted,
                one.results,
                one.dead,
                one.repeated,
                one.identity_only,
                one.erased,
                one.in_flight,
                one.difference,
            )
            for source, one in books.accounts.items()
        },
    )


def _value(registry: CollectorRegistry, name: str) -> float:
    return registry.get_sample_value(name) or 0.0


Telling = Callable[[], Vitals]
"""Asks the process how it stands."""
