"""Many silences that end at one moment: so many a batch, in the order in which they ended."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from pipeline.runtimes.kafka.batch import TIME_KEY, Batch, Telling
from pipeline.runtimes.kafka.changelog import Restored
from pipeline.runtimes.kafka.expiring import EXPIRED_MAX
from pipeline.runtimes.kafka.partition import StagePartition
from pipeline.runtimes.kafka.states import STATE_BYTES_MAX, unpacked
from pipeline.runtimes.kafka.worker import Owned, Ownership
from pipeline.settings import WorkerSettings
from pipeline.stitching.change import Change, Message
from pipeline.telemetry import PipelineTelemetry
from pipeline.topology import Stage
from schemas import codec
from schemas.brokers import Brokers
from schemas.topics import CUSTOMER_TOUCHPOINTS
from tests.builders import NO_MISSIONS
from tests.unit.runtimes.counting import GAP, NOON, Clock, touchpoint
from tests.unit.runtimes.kafka.test_partition import Record, counts, record, restored, taken
from tests.unit.runtimes.stages import STITCH, keep, session

LATE = NOON + GAP + timedelta(hours=3)
MANY = 2 * EXPIRED_MAX + 1_000
BROKEN = "c-000001"
INWARD = "ballots"
TELLING = Telling(0, 1, {"votes": 1})


def met(customers: int) -> list[Record]:
    return [record(0, customer=f"c-{one:06}")._replace(offset=one) for one in range(customers)]


@pytest.fixture(scope="module")
def before() -> list[Batch]:
    """What stands on the changelog once very many have been met at nearly the same time."""
    return taken(StagePartition(STITCH, NO_MISSIONS, 100), *met(MANY))


def waiting(before: list[Batch], stage: Stage = STITCH) -> StagePartition:
    partition = StagePartition(stage, NO_MISSIONS, 100, telling=TELLING)
    partition.restore(restored(before))
    return partition


def committed(partition: StagePartition, batch: Batch | None) -> Batch:
    assert batch is not None
    partition.commit(batch)
    return batch


def told(batches: list[Batch]) -> list[bool]:
    """Of each batch, whether it tells the stage behind the time."""
    return [any(one.key == TIME_KEY for one in batch.outputs) for batch in batches]


def test_one_batch_expires_so_many_and_the_next_ones_go_on_until_nothing_is_due(
    before: list[Batch],
) -> None:
    partition = waiting(before)

    batches = [committed(partition, partition.tick(LATE, caught_up=True))]
    while partition.overdue:
        batches.append(committed(partition, partition.go_on()))

    assert [len(counts([one])) for one in batches] == [EXPIRED_MAX, EXPIRED_MAX, 1_000]
    assert partition.size == 0
    assert partition.go_on() is None


def test_the_stage_behind_is_told_the_time_once_all_that_follows_from_it_is_sent(
    before: list[Batch],
) -> None:
    partition = waiting(before)

    batches = [committed(partition, partition.tick(LATE, caught_up=True))]
    while partition.overdue:
        batches.append(committed(partition, partition.go_on()))

    assert told(batches) == [False, False, True]


def at_once(state: Any, key: str, messages: list[Message], *rest: Any) -> Any:
    (message,) = messages
    return STITCH.step(state, key, message, *rest)


@pytest.mark.parametrize("taking", [None, at_once], ids=["singly", "at once"])
def test_records_that_come_meanwhile_are_taken_in_and_take_some_of_it_along(
    before: list[Batch], taking: Any
) -> None:
    partition = waiting(before, stage=STITCH._replace(at_once=taking))
    committed(partition, partition.tick(LATE, caught_up=True))

    (batch,) = taken(partition, record(0, customer="c-new")._replace(offset=MANY))

    assert len(counts([batch])) == EXPIRED_MAX + 1
    assert partition.overdue


def test_a_batch_that_was_undone_leaves_nothing_out(before: list[Batch]) -> None:
    partition = waiting(before)
    assert partition.tick(LATE, caught_up=True) is not None

    partition.rollback()

    batches = [committed(partition, partition.tick(LATE, caught_up=True))]
    while partition.overdue:
        batches.append(committed(partition, partition.go_on()))
    assert len(counts(batches)) == MANY


def test_a_worker_that_died_over_it_is_followed_by_one_that_goes_on(before: list[Batch]) -> None:
    first = waiting(before)
    half = [committed(first, first.tick(LATE, caught_up=True))]

    second = StagePartition(STITCH, NO_MISSIONS, 100)
    second.restore(restored([*before, *half]))

    assert second.overdue
    assert len(counts([committed(second, second.go_on())])) == EXPIRED_MAX


def test_states_that_time_does_not_move_are_left_until_it_moves_on(before: list[Batch]) -> None:
    seen: list[Any] = []

    def unmoved(state: Any, until: datetime, rules: Any) -> Change[Any]:
        seen.append(state)
        return keep(state, until, rules)

    partition = waiting(before, STITCH._replace(expire=unmoved))

    committed(partition, partition.tick(LATE, caught_up=True))

    assert not partition.overdue
    assert len(seen) < EXPIRED_MAX


class Durable:
    """A changelog that takes everything, and keeps nothing."""

    def __init__(self) -> None:
        self.commits = 0

    def commit(self, *_: Any) -> None:
        self.commits += 1

    def close(self) -> None:
        return


def owning(partition: StagePartition) -> tuple[Ownership, Durable]:
    """A worker that has this partition, of which something was fetched at noon."""
    ownership = Ownership(
        Brokers(bootstrap_servers="127.0.0.1:1"),
        NO_MISSIONS,
        WorkerSettings(),
        PipelineTelemetry(CollectorRegistry()),
        clock=Clock(),
        stages=(STITCH,),
    )
    durable: Any = Durable()
    one = Owned(STITCH, 0, partition, durable)
    one.active_at = NOON
    ownership._owned = {(STITCH.name, 0): one}
    return ownership, durable


def everywhere(*_: Any) -> bool:
    return True


async def test_a_worker_goes_on_with_what_is_overdue_though_records_have_just_come(
    before: list[Batch],
) -> None:
    partition = waiting(before)
    committed(partition, partition.tick(LATE, caught_up=True))
    ownership, durable = owning(partition)

    await ownership.tick(NOON, lambda *_: False)
    await ownership.tick(NOON, lambda *_: False)
    await ownership.tick(NOON, lambda *_: False)
    await ownership.close()

    assert (durable.commits, partition.size) == (2, 0)


async def test_silence_is_believed_only_where_nothing_waits_on_the_input() -> None:
    partition = StagePartition(STITCH, NO_MISSIONS, 100)
    taken(partition, *met(3))
    ownership, durable = owning(partition)
    asked: list[tuple[TP, int]] = []

    def something(tp: TP, offset: int) -> bool:
        asked.append((tp, offset))
        return False

    await ownership.tick(LATE, something)
    waited = durable.commits
    await ownership.tick(LATE, everywhere)
    await ownership.close()

    assert asked == [(TP(CUSTOMER_TOUCHPOINTS, 0), 3)]
    assert (waited, durable.commits) == (0, 1)
    assert partition.size == 0


async def test_the_wall_clock_carries_a_new_partition_that_nothing_ever_came_to() -> None:
    partition = StagePartition(STITCH, NO_MISSIONS, 100, telling=TELLING)
    partition.restore(Restored({}, None))
    ownership, durable = owning(partition)

    await ownership.tick(LATE, everywhere)
    await ownership.close()

    assert partition.watermark == LATE - NO_MISSIONS.out_of_order
    assert durable.commits == 1  # the stage behind is told


async def test_a_partition_that_is_worked_on_is_left_alone(before: list[Batch]) -> None:
    partition = waiting(before)
    ownership, durable = owning(partition)
    (one,) = ownership.owned

    async with one.lock, asyncio.timeout(10):
        await ownership.tick(LATE, everywhere)
    await ownership.close()

    assert durable.commits == 0


def swell(state: Any, until: datetime, rules: Any) -> Change[Any]:
    """Closes all but one, which it spoils, and which grows beyond what a record holds."""
    if state["key"] != BROKEN:
        return STITCH.expire(state, until, rules)
    state["ids"].append("x" * STATE_BYTES_MAX)
    return Change(state, [session(state, "spoilt")])


def spoil(state: Any, until: datetime, rules: Any) -> Change[Any]:
    """As `swell`, but it fails half-way."""
    if state["key"] != BROKEN:
        return STITCH.expire(state, until, rules)
    state["ids"].append("half of it")
    message = "cannot be expired"
    raise LookupError(message)


def grow(state: Any, until: datetime, rules: Any) -> Change[Any]:
    """As `swell`, but only what it tells another state makes that too large."""
    if state["key"] != BROKEN:
        return STITCH.expire(state, until, rules)
    huge = codec.decode_touchpoint(touchpoint(7, name="huge")[2])
    return Change(None, [Message(INWARD, "c-000000", huge), Message(INWARD, "c-9", huge)])


@pytest.mark.parametrize("expire", [swell, spoil, grow])
@pytest.mark.parametrize("how", ["tick", "go on"])
def test_a_state_that_time_breaks_is_kept_as_it_is_and_all_others_close(
    expire: Any, how: str
) -> None:
    stage = STITCH._replace(expire=expire, inward=(INWARD,))
    first = StagePartition(stage, NO_MISSIONS, 100)
    done = taken(first, *met(3))
    if how == "tick":
        done.append(committed(first, first.tick(LATE, caught_up=True)))
    else:  # another goes on, by the time that the first had come to
        first._known.watermark.advance(LATE)
        (batch,) = taken(first, record(3, customer="c-9"))
        done.append(batch._replace(states=[], outputs=[]))
        second = StagePartition(stage, NO_MISSIONS, 100)
        second.restore(restored(done))
        done.append(committed(second, second.go_on()))

    assert len(done[-1].unexpired) == 1
    assert done[-1].states[0] == ("c-000000", None)
    states = restored(done).states
    assert states.keys() == {BROKEN.encode()}
    assert msgspec.json.decode(unpacked(states[BROKEN.encode()]))["ids"] == ["t-0"]
    assert counts(done[-1:]) == [1, 1]


async def test_a_workers_clock_that_was_ahead_keeps_silence_from_closing_for_no_longer() -> None:
    partition = StagePartition(STITCH, NO_MISSIONS, 100)
    taken(partition, *met(3))
    ownership, durable = owning(partition)
    ownership.owned[0].active_at = NOON + timedelta(days=2)

    await ownership.tick(NOON + GAP, everywhere)
    before = durable.commits
    await ownership.tick(LATE, everywhere)
    await ownership.close()

    assert (before, durable.commits, partition.size) == (0, 1, 0)
