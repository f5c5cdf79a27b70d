"""The books: what became of every touchpoint, by source, and what they say when one is lost."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from listeners.settings import ListenerSettings
from pipeline import bootstrap
from pipeline.books import ALERTS_MAX, OTHER, SOURCES_MAX, UNKNOWN, Account, Books
from pipeline.cli.ordering import carry_out
from pipeline.runtimes.embedded.driver import EmbeddedRuntime
from pipeline.runtimes.embedded.orders import Erase
from pipeline.runtimes.engine import Engine, Snapshot
from pipeline.runtimes.kafka.batch import Known
from pipeline.runtimes.kafka.changelog import Restored
from pipeline.runtimes.kafka.partition import StagePartition
from pipeline.stitching.change import Change, Message
from pipeline.stitching.clock import Watermark
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.signals import IDENTITY_ONLY
from pipeline.telemetry import PipelineTelemetry
from pipeline.topology import IDENTIFY, STAGES, STITCH
from schemas import codec
from schemas.records import Alert, Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS, TOUCHPOINT_ALERTS, TOUCHPOINTS
from tests.builders import RULES, at, engine, touchpoint
from tests.unit.runtimes.counting import Unavailable
from tests.unit.runtimes.kafka.test_partition import Record, taken


def alert(**fields: Any) -> Alert:
    """A firing one, unless said otherwise."""
    told: dict[str, Any] = {
        "id": "a-1",
        "version": 1,
        "state": "firing",
        "touchpoint": "pay-online",
        "mission": None,
        "severity": "page",
        "since": at("10:00"),
        "at": at("10:05"),
        "usual_share": 0.02,
        "present_share": 0.5,
        "votes": 20,
        "customers": 10,
        "evidence": 20.0,
        "threshold": 14.2,
        "sentence": "Paying online is broken.",
    }
    return Alert(**told | fields)


def accounts(books: Books) -> dict[str, dict[str, int]]:
    """What is not nought, by source."""
    return {
        source: {
            name: count
            for name, count in msgspec.structs.asdict(one).items()
            if count and name not in ("taken", "sent", "arrived")
        }
        | {"in_flight": one.in_flight, "difference": one.difference}
        for source, one in books.accounts.items()
    }


def published(one: Touchpoint) -> tuple[str, str, bytes]:
    return (TOUCHPOINTS, "anonymous_id:browser", codec.encode(one))


def runtime(directory: Path, made: type[Engine] = Engine) -> tuple[EmbeddedRuntime, Any]:
    registry = CollectorRegistry()
    running = EmbeddedRuntime(
        directory,
        lambda stores: made(stores, RULES),
        {stage.name: (stage.encode, stage.decode) for stage in STAGES},
        clock=lambda: at("10:05"),
        unavailable=Unavailable,
        telemetry=PipelineTelemetry(registry, RULES),
    )
    return running, registry


def shown(registry: Any, source: str) -> dict[str, float]:
    found = {
        sample.labels["entry"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "touchpoints_accounted" and sample.labels["source"] == source
    }
    missing = registry.get_sample_value("touchpoints_unaccounted", {"source": source})
    return {entry: count for entry, count in found.items() if count} | {"missing": missing}


def test_each_fate_of_a_touchpoint_has_its_entry_and_each_source_its_account() -> None:
    running = engine()
    first, late = touchpoint("10:00"), touchpoint("08:00", id="late")
    told = touchpoint("10:01", IDENTITY_ONLY, id="told")
    later = touchpoint("10:00", day=2, source="kiosk", id="later")

    for one in (first, first, told, later, late):
        running.books.account(one.source).accepted += 1
        running.process(one)
        running.tick(one.received_at + timedelta(hours=1))  # event time goes on

    assert accounts(running.books) == {
        "shop": {
            "accepted": 4,
            "results": 1,
            "repeated": 1,
            "identity_only": 1,
            "dead": 1,
            "in_flight": 0,
            "difference": 0,
        },
        "kiosk": {"accepted": 1, "results": 1, "in_flight": 0, "difference": 0},
    }


def test_a_touchpoint_of_a_machine_or_a_test_source_is_a_result_though_nothing_is_judged() -> None:
    running = engine()

    running.process(touchpoint("10:00", source="test-robot"))

    assert running.books.accounts["test-robot"].results == 1
    assert running.books.accounts["test-robot"].difference == 0


def test_a_verdict_that_gets_lost_is_missed() -> None:
    books, one = Books(), touchpoint("10:00")

    books.step([Message(CUSTOMER_TOUCHPOINTS, "c", one)], Change(CustomerState("c"), []))

    assert books.accounts["shop"].difference == 1
    assert sum(one.difference for one in books.accounts.values()) == 1


def test_a_verdict_of_nothing_that_came_is_seen_too() -> None:
    running, books = engine(), Books()
    one, other = touchpoint("10:00"), touchpoint("10:01")
    running.process(one)

    books.step(
        [Message(CUSTOMER_TOUCHPOINTS, "c", other)], Change(CustomerState("c"), running.outbox)
    )

    assert sum(abs(one.difference) for one in books.accounts.values()) == 2


async def test_accepted_but_not_processed_is_in_flight(tmp_path: Path) -> None:
    class Slow(Engine):
        def process(self, touchpoint: Touchpoint) -> None:
            if touchpoint.name == "poison":
                raise LookupError
            super().process(touchpoint)

    running, registry = runtime(tmp_path, Slow)
    async with running:
        await running.publish([published(touchpoint("10:00", name="poison", id=f"{n}"))
                               for n in range(60)])  # fmt: skip
        await running.advance(at("10:00"))  # halted by now

        counts = shown(registry, "shop")

    assert counts["accepted"] == 60
    assert counts["dead_letter"] + counts.get("in_flight", 0) == 60
    assert counts["missing"] == 0


async def test_a_touchpoint_that_the_runtime_skips_is_missed(tmp_path: Path) -> None:
    class Skipping(Engine):
        """Loses one on purpose."""

        def process(self, touchpoint: Touchpoint) -> None:
            if touchpoint.id != "lost":
                super().process(touchpoint)

    running, registry = runtime(tmp_path, Skipping)
    async with running:
        await running.publish(
            [published(touchpoint("10:00", id=name)) for name in ("1", "lost", "3")]
        )
        await running.advance(at("10:00"))

        counts, missing = shown(registry, "shop"), shown(registry, UNKNOWN)

    assert counts["result"] == 2
    assert missing["missing"] == 1


async def test_the_books_outlive_the_process_with_the_state(tmp_path: Path) -> None:
    running, registry = runtime(tmp_path)
    async with running:
        await running.publish([published(touchpoint("10:00"))])
        await running.advance(at("10:00"))
    before = shown(registry, "shop")

    again, registry = runtime(tmp_path)
    async with again:
        await again.publish([published(touchpoint("10:00")), published(touchpoint("10:05"))])
        await again.advance(at("10:05"))

    assert before == {"accepted": 1, "result": 1, "missing": 0}
    assert shown(registry, "shop") == {"accepted": 3, "result": 2, "repeated": 1, "missing": 0}


class Halted(Engine):
    """Fails on every touchpoint, so that they wait."""

    def process(self, touchpoint: Touchpoint) -> None:
        raise LookupError


async def test_what_waits_in_a_file_that_has_no_books_yet_is_counted_first(tmp_path: Path) -> None:
    running, _ = runtime(tmp_path, Halted)
    async with running:
        await running.publish([published(touchpoint("10:00", id=f"{n}")) for n in range(80)])
        await running.advance(at("10:00"))
        waiting = running._processing.waiting
        running._processing._engine._known.books = Books()  # type: ignore[attr-defined]

    again, registry = runtime(tmp_path)
    async with again:
        await again.advance(at("10:00"))

    assert waiting > 0
    assert shown(registry, "shop") == {"accepted": waiting, "result": waiting, "missing": 0}


async def test_what_waited_and_was_erased_is_in_the_account_of_its_source(tmp_path: Path) -> None:
    running, _ = runtime(tmp_path, Halted)
    async with running:
        await running.publish([published(touchpoint("10:00", id=f"{n}")) for n in range(80)])
        await running.advance(at("10:00"))
        waiting = running._processing.waiting
    erasing = bootstrap.erasing(RULES, ListenerSettings())
    carry_out(tmp_path, Erase("order", "anonymous_id:browser"), erasing, 30)

    again, registry = runtime(tmp_path)
    async with again:
        await again.advance(at("10:00"))

    assert waiting > 0
    counts = shown(registry, "shop")
    assert counts == {
        **{"accepted": 80, "dead_letter": 80 - waiting, "identity_only": waiting},
        "missing": 0,
    }
    assert shown(registry, "erased") == {"missing": None}  # there is no such source


def test_partitions_apart_add_up_and_what_one_sent_is_in_flight_until_it_arrives() -> None:
    identify = StagePartition(IDENTIFY, RULES, 100)
    stitch = StagePartition(STITCH, RULES, 100)
    came = [touchpoint("10:00"), touchpoint("10:01"), touchpoint("10:00")]
    (batch,) = taken(
        identify,
        *(Record(n, b"anonymous_id:browser", codec.encode(one)) for n, one in enumerate(came)),
        topic=TOUCHPOINTS,
    )
    sent = [one for one in batch.outputs if one.topic == CUSTOMER_TOUCHPOINTS]
    under_way = identify.books.accounts["shop"].in_flight

    taken(stitch, *(Record(n, one.key, one.value) for n, one in enumerate(sent)))

    here, there = identify.books.accounts["shop"], stitch.books.accounts["shop"]
    assert under_way == 3
    assert (here.accepted, here.difference, there.difference) == (3, 0, 0)
    assert here.in_flight + there.in_flight == 0
    assert (there.results, there.repeated) == (2, 1)


def test_a_batch_that_was_not_committed_is_in_no_books() -> None:
    stitch = StagePartition(STITCH, RULES, 100)
    one = Record(0, b"c", codec.encode(touchpoint("10:00")))
    assert stitch.take(CUSTOMER_TOUCHPOINTS, [one], at("10:00")) is not None

    stitch.rollback()
    again = StagePartition(STITCH, RULES, 100)
    (batch,) = taken(stitch, one)
    again.restore(_after(batch))

    assert stitch.books.accounts["shop"].results == 1
    assert again.books == stitch.books


def _after(batch: Any) -> Any:
    return Restored({key.encode(): value for key, value in batch.states}, batch.progress)


def test_a_record_that_cannot_be_read_is_a_dead_letter_of_the_books() -> None:
    stitch, identify = StagePartition(STITCH, RULES, 100), StagePartition(IDENTIFY, RULES, 100)

    taken(stitch, Record(0, b"c", b'{"id": 1, "source": "shop"}'))
    taken(identify, Record(0, b"c", b"\xff"), topic=TOUCHPOINTS)

    assert accounts(stitch.books)["shop"] == {"dead": 1, "in_flight": -1, "difference": 0}
    assert accounts(identify.books)[UNKNOWN] == {
        "accepted": 1, "dead": 1, "in_flight": 0, "difference": 0,
    }  # fmt: skip


def test_states_of_a_version_without_books_are_read() -> None:
    known = msgspec.msgpack.decode(msgspec.msgpack.encode((Watermark(), None)), type=Snapshot)
    partition = msgspec.msgpack.decode(
        msgspec.msgpack.encode((Watermark(), None, {}, None, 3)), type=Known
    )

    assert known.books == Books()
    assert (partition.failures, partition.books) == (3, Books())


def test_sources_beyond_the_cap_share_an_account_so_that_the_sum_stays_right() -> None:
    books = Books()

    for number in range(SOURCES_MAX + 20):
        books.account(f"source-{number}").accepted += 1

    assert len(books.accounts) == SOURCES_MAX + 1
    assert books.accounts[OTHER].accepted == 20
    assert sum(one.accepted for one in books.accounts.values()) == 120


@pytest.mark.parametrize("state", ["resolved", "retracted"])
def test_an_alert_stands_until_it_is_resolved_or_retracted(state: Any) -> None:
    books = Books()
    fired = alert(id="a-1", touchpoint="pay-online", mission="pay-bill", severity="page")

    books.publish([Message(TOUCHPOINT_ALERTS, "k", fired)])
    before = books.alerts["a-1"].firing
    ended = msgspec.structs.replace(fired, state=state, version=2)
    books.publish([Message(TOUCHPOINT_ALERTS, "k", ended)])

    assert before
    assert not books.alerts["a-1"].firing


def test_of_too_many_alerts_those_that_ended_are_forgotten_first() -> None:
    books = Books()
    fired = alert(id="fires")

    books.publish([Message(TOUCHPOINT_ALERTS, "k", fired)])
    for number in range(ALERTS_MAX + 5):
        ended = alert(id=f"a-{number}", state="resolved")
        books.publish([Message(TOUCHPOINT_ALERTS, "k", ended)])

    assert len(books.alerts) == ALERTS_MAX
    assert books.alerts["fires"].firing


def test_an_account_adds_up() -> None:
    total = Account(accepted=2, taken=1)

    total.add(Account(accepted=3, taken=3, sent=2))

    assert total == Account(accepted=5, taken=4, sent=2)
