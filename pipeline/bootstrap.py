"""Bootstrap: settings become wired objects.

The only place that chooses real things, reads the clock and draws ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from listeners.credentials import hash_identifier
from listeners.errors import Unavailable
from listeners.listener import Listener
from listeners.settings import ListenerSettings
from listeners.telemetry import SpoolTelemetry, Telemetry
from pipeline.books import Books
from pipeline.catalogue import files
from pipeline.receipts import Seal
from pipeline.runtimes.embedded.driver import EmbeddedRuntime
from pipeline.runtimes.embedded.erasing import Erasing
from pipeline.runtimes.engine import Engine, StateStore
from pipeline.settings import PipelineSettings
from pipeline.stitching.rules import Rules
from pipeline.telemetry import PipelineTelemetry
from pipeline.topology import IDENTIFY, STAGES, STITCH
from schemas.brokers import Brokers

if TYPE_CHECKING:
    from listeners.publishers.kafka import KafkaPublisher
    from listeners.publishers.spooling import SpoolingPublisher
    from pipeline.runtimes.kafka.worker import Ownership

EXPIRE_AFTER: Final = 32
"""Moves of the watermark - 1,024 touchpoints - after which the embedded runtime looks for what is
due, beside once a second: each look writes the states that changed."""


def now() -> datetime:
    """The wall clock, aware and in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """An id for a touchpoint whose emitter gave none, nor a time to derive one from."""
    return str(uuid4())


@dataclass(frozen=True, kw_only=True)
class Wired:
    """Everything that `touchpoints up` runs, not yet started."""

    rules: Rules
    runtime: EmbeddedRuntime
    listener: Listener
    telemetry: Telemetry
    registry: CollectorRegistry
    books: Callable[[], Books]


def catalogue(directory: Path) -> Rules:
    """What a folder says of inventory, missions and rules.

    Raises:
        CatalogueInvalid: Names every problem.
    """
    return files.load(directory)


def worker(
    catalogue: Path, settings: PipelineSettings, brokers: Brokers, registry: CollectorRegistry
) -> Ownership:
    """The partitions of a worker on Kafka.

    Args:
        catalogue: Inventory, missions and rules.
        settings: The pipeline's.
        brokers: Where Kafka is.
        registry: Where the metrics are kept.

    Raises:
        CatalogueInvalid: Names every problem of the catalogue.
    """
    from pipeline.runtimes.kafka.worker import Ownership  # the embedded runtime needs no client

    rules = files.load(catalogue)
    return Ownership(
        brokers,
        rules,
        settings.pipeline,
        PipelineTelemetry(registry, rules),
        clock=now,
        stages=STAGES if settings.pipeline.watching else (IDENTIFY, STITCH),
    )


def embedded(
    directory: Path,
    catalogue: Path,
    settings: ListenerSettings,
    *,
    clock: Callable[[], datetime] = now,
) -> Wired:
    """Listeners and pipeline on one SQLite file.

    Args:
        directory: Where the file is kept.
        catalogue: Inventory, missions and rules.
        settings: The listeners'.
        clock: The wall clock; tests give their own.

    Raises:
        CatalogueInvalid: Names every problem of the catalogue.
    """
    rules = files.load(catalogue)
    registry = new_registry()
    telemetry = Telemetry(registry)
    counted = PipelineTelemetry(registry, rules)

    def unavailable(retry_after: timedelta, reason: str) -> Unavailable:
        return Unavailable(retry_after=retry_after, reason=reason)

    def engine(stores: Mapping[str, StateStore]) -> Engine:
        return Engine(stores, rules, expire_after=EXPIRE_AFTER)

    runtime = EmbeddedRuntime(
        directory,
        engine,
        {stage.name: (stage.encode, stage.decode) for stage in STAGES},
        clock=clock,
        unavailable=unavailable,
        telemetry=counted,
        erasing=erasing(rules, settings),
    )
    listener = Listener(settings, runtime, telemetry, clock=clock, new_id=new_id)
    return Wired(
        rules=rules,
        runtime=runtime,
        listener=listener,
        telemetry=telemetry,
        registry=registry,
        books=lambda: counted.books,
    )


def seal(settings: ListenerSettings) -> Seal:
    """What signs receipts, by the key of the settings."""
    return Seal(settings.hash_key)


def erasing(rules: Rules, settings: ListenerSettings) -> Erasing:
    """What erases customers from the embedded runtime's file."""
    return Erasing(rules, seal(settings), lambda value: hash_identifier(value, settings.hash_key))


@dataclass(frozen=True, kw_only=True)
class Doors:
    """Everything that `touchpoints listen` runs, not yet started."""

    kafka: KafkaPublisher
    publisher: SpoolingPublisher
    listener: Listener
    telemetry: Telemetry
    registry: CollectorRegistry


def listening(
    directory: Path,
    brokers: Brokers,
    settings: ListenerSettings,
    *,
    clock: Callable[[], datetime] = now,
) -> Doors:
    """Listeners that publish to Kafka, with a spool for the time when it is away.

    Args:
        directory: Where the spool is kept.
        brokers: Where Kafka is.
        settings: The listeners'.
        clock: The wall clock; tests give their own.
    """
    # Here, and not above: `up` needs no client of Kafka.
    from listeners.publishers.kafka import KafkaPublisher
    from listeners.publishers.spool import Spool
    from listeners.publishers.spooling import SpoolingPublisher

    registry = new_registry()
    telemetry = Telemetry(registry)
    spool_telemetry = SpoolTelemetry(registry)
    kafka = KafkaPublisher(brokers, patience=settings.kafka_patience)
    spool = Spool(
        directory,
        bytes_max=settings.spool_bytes_max,
        age_max=settings.spool_age_max,
        clock=clock,
        telemetry=spool_telemetry,
    )
    publisher = SpoolingPublisher(kafka, spool, spool_telemetry)
    listener = Listener(settings, publisher, telemetry, clock=clock, new_id=new_id)
    return Doors(
        kafka=kafka, publisher=publisher, listener=listener, telemetry=telemetry, registry=registry
    )


def new_registry() -> CollectorRegistry:
    """A registry that knows the process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
