"""The full pipeline, everything committed, CPU of the workers: with and without watching."""

from tests.benchmarks.load.measuring import resident_bytes, traffic
from tests.benchmarks.workers.processes import PARTITIONS, fill, until_done, workers
from tests.brokers.broker import Broker
from tests.brokers.topics import fresh

TARGET = 25_000


def more_customers(broker: Broker, quick: bool) -> None:
    """One worker; the same number of touchpoints of ever more customers."""
    count = 20_000 if quick else 200_000
    for customers, watching in ((count // 20, False), (count // 2, False), (count // 20, True)):
        cost, held = _run(broker, count, customers, 1, watching=watching)
        print(
            f"identify and stitch{', and watch' if watching else ''}, 1 worker, {count:,} "
            f"touchpoints of {customers:,} customers: "
            f"{count / sum(cost):,.0f} a CPU-second ({1e6 * sum(cost) / count:.1f} us each; "
            f"target {TARGET:,}), {held / 2**20:.0f} MiB resident"
        )


def two_workers(broker: Broker, quick: bool) -> None:
    """The same work by one worker and by two."""
    count = 20_000 if quick else 100_000
    for number in (1, 2):
        cost, _ = _run(broker, count, count // 10, number, watching=False)
        each = " and ".join(f"{one:.1f}" for one in cost)
        print(
            f"identify and stitch, {number} worker{'s' * (number > 1)}, {count:,} touchpoints: "
            f"{count / sum(cost):,.0f} a CPU-second ({each} s)"
        )


def _run(
    broker: Broker, count: int, customers: int, number: int, *, watching: bool
) -> tuple[list[float], int]:
    """CPU seconds of each worker, without its start; the most memory that one holds at the end."""
    brokers = fresh(broker, partitions=PARTITIONS)
    with workers(brokers, number, watching=watching) as pids:
        idle = until_done(brokers, pids, 0)
        fill(brokers, traffic(count, customers))
        spent = until_done(brokers, pids, count)
        held = max(resident_bytes(pid) for pid in pids)
    return [after - before for before, after in zip(idle, spent, strict=True)], held
