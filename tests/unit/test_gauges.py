"""What the operations port shows: bounded whatever emitters send, and right after a change."""

from datetime import timedelta
from random import Random

from prometheus_client import CollectorRegistry

from pipeline.books import SOURCES_MAX, Account, Books, Stands
from pipeline.gauges import OTHER, PAIRS_MAX, Labels
from pipeline.stitching.change import Message
from pipeline.telemetry import PipelineTelemetry
from schemas.records import Counts, JourneyOutcome, Verdict
from schemas.topics import JOURNEY_OUTCOMES, VERDICTS
from tests.builders import RULES, at

BAITS = 1_000_000


def series(registry: CollectorRegistry) -> int:
    return sum(len(family.samples) for family in registry.collect())


def verdict(touchpoint: str, mission: str | None) -> Message:
    record = Verdict(
        id="t-1",
        revision=1,
        touchpoint=touchpoint,
        channel="web",
        customer="c",
        session_id="s",
        journey_id=None,
        mission=mission,
        phase=None,
        step=None,
        verdict="broken",
        reasons=(),
        occurred_at=at("10:00"),
    )
    return Message(VERDICTS, "t-1", record)


def outcome(mission: str, broke_at: str | None) -> Message:
    record = JourneyOutcome(
        journey_id="j",
        revision=1,
        mission=mission,
        customer="c",
        outcome="frustrated",
        reason="silence_after_broken",
        started_at=at("10:00"),
        ended_at=at("10:00"),
        phases=(),
        microjourney=(),
        channels=("web",),
        effort=4.0,
        verdicts=Counts(),
        broke_at=broke_at,
    )
    return Message(JOURNEY_OUTCOMES, "j", record)


def test_a_million_baits_leave_the_number_of_series_unchanged(capsys) -> None:
    registry = CollectorRegistry()
    telemetry, books, chance = PipelineTelemetry(registry, RULES), Books(), Random(1)

    def lure(count: int) -> None:
        for number in range(count):
            bait = f'{chance.random()}\n{{}}"'  # in every place that a label is made of
            books.account(bait).accepted += 1
            books.alerts[f"a-{number % 500}"] = Stands(bait, bait, "page", True)
            if number % 10 == 0:
                telemetry.results_published(
                    [verdict(bait, bait), verdict("pay-online", bait), outcome(bait, bait)]
                )
        telemetry.partition_stands("all", 0, books, at("10:00"))

    lure(200)
    before = series(registry)
    lure(BAITS)
    after = series(registry)

    assert after == before
    assert after < 2_000
    with capsys.disabled():
        print(f"\n{BAITS:,} baits: {before} series before, {after} after", end="")  # noqa: T201


def test_a_catalogue_larger_than_the_cap_is_folded() -> None:
    labels = Labels(RULES)
    labels._touchpoints = frozenset(f"t-{n}" for n in range(PAIRS_MAX + 10))

    pairs = {labels.of(f"t-{n}", "all") for n in range(PAIRS_MAX + 10)}

    assert len(pairs) == PAIRS_MAX + 1
    assert (OTHER, OTHER) in pairs
    assert labels.of("t-0", "all") == ("t-0", "all")


def test_an_alert_that_became_more_severe_or_ended_is_nought_where_it_was() -> None:
    registry = CollectorRegistry()
    telemetry, books = PipelineTelemetry(registry, RULES), Books()

    def shown(severity: str) -> float | None:
        telemetry.partition_stands("watch", 0, books, None)
        labels = {"touchpoint": "pay-online", "mission": "pay-bill", "severity": severity}
        return registry.get_sample_value("touchpoints_alerts_firing", labels)

    books.alerts["a"] = Stands("pay-online", "pay-bill", "ticket", True)
    first = shown("ticket"), shown("page")
    books.alerts["a"] = Stands("pay-online", "pay-bill", "page", True)
    second = shown("ticket"), shown("page")
    books.alerts["a"] = Stands("pay-online", "pay-bill", "page", False)

    assert first == (1, 0)
    assert second == (0, 1)
    assert (shown("ticket"), shown("page")) == (0, 0)


def test_a_source_that_went_quiet_is_named() -> None:
    registry = CollectorRegistry()
    telemetry = PipelineTelemetry(registry, RULES)

    telemetry.partition_stands(
        "watch", 0, Books({}, {"a": Stands("source shop", None, "page", True)}), None
    )

    labels = {"touchpoint": "source shop", "mission": "all", "severity": "page"}
    assert registry.get_sample_value("touchpoints_alerts_firing", labels) == 1


def test_of_sources_that_went_quiet_no_more_are_named_than_have_an_account() -> None:
    registry = CollectorRegistry()
    telemetry, books = PipelineTelemetry(registry, RULES), Books()

    for number in range(3 * SOURCES_MAX):
        books.alerts[str(number)] = Stands(f"source {number}", None, "page", True)
    telemetry.partition_stands("watch", 0, books, None)

    named = {
        sample.labels["touchpoint"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "touchpoints_alerts_firing"
    }
    assert named == {"other", *(f"source {number}" for number in range(SOURCES_MAX))}


def test_a_partition_that_went_to_another_worker_is_no_longer_counted_here() -> None:
    registry = CollectorRegistry()
    telemetry = PipelineTelemetry(registry, RULES)
    for number in range(2):
        telemetry.partition_stands("stitch", number, Books({"shop": Account(results=3)}), None)

    telemetry.partition_gone("stitch", 1)

    labels = {"source": "shop", "entry": "result"}
    assert registry.get_sample_value("touchpoints_accounted", labels) == 3


def test_lag_event_time_and_restoring_are_shown_by_partition() -> None:
    registry = CollectorRegistry()
    telemetry = PipelineTelemetry(registry, RULES)
    value = registry.get_sample_value

    telemetry.lag_is({("touchpoints", 3): 7})
    telemetry.partition_restoring("stitch", 3, 0.25)
    during = value("touchpoints_restored_ratio", {"stage": "stitch", "partition": "3"})
    telemetry.partition_restoring("stitch", 3, None)
    telemetry.partition_stands("stitch", 3, Books(), at("10:00") + timedelta(seconds=1))

    place = {"stage": "stitch", "partition": "3"}
    assert during == 0.25
    assert value("touchpoints_restored_ratio", place) is None
    assert value("touchpoints_lag_records", {"topic": "touchpoints", "partition": "3"}) == 7
    assert value("touchpoints_watermark_timestamp_seconds", place) == at("10:00:01").timestamp()
