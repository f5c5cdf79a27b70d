"""What is kept of people: bytes of an encoded state, memory of a decoded one.

    python -m tests.benchmarks.state [--quick] [--profile]

A customer in the middle of a journey: 10 touchpoints on the web, ids as UUIDs, a session id, one
mission, one device and one login. A million such customers are to fit in 4 GiB on disk.
"""

import argparse
import gc
import tracemalloc
from datetime import timedelta
from uuid import UUID

from pipeline.catalogue import files
from pipeline.runtimes.memory import in_memory
from pipeline.topology import IDENTIFY, STAGES, STITCH
from schemas.records import Touchpoint
from tests.benchmarks.load.measuring import ROOT, STARTS_AT, machine, resident_bytes

NAMES = (
    "view-bill-online", "search-help", "log-in", "view-bill-online", "pay-online", "search-help",
    "view-bill-online", "pay-online", "search-help", "pay-online",
)  # fmt: skip


def uuid(*parts: int) -> str:
    """A UUID as emitters send them; the same for the same numbers."""
    number = 0x9E3779B97F4A7C15F39CC0605CEDC834
    for part in parts:
        number = (number * 0x5851F42D4C957F2D14057B7EF767814F + part) % 2**128
    return str(UUID(int=number))


def touchpoint(customer: int, number: int) -> Touchpoint:
    at = STARTS_AT + timedelta(minutes=number, milliseconds=customer % 60_000)
    identifiers = {"anonymous_id": uuid(customer, 1_000)}
    if number > 1:
        identifiers["user_id"] = uuid(customer, 2_000)
    return Touchpoint(
        id=uuid(customer, number),
        source="shop",
        channel="web",
        name=NAMES[number],
        location="/account/bills",
        occurred_at=at,
        received_at=at,
        identifiers=identifiers,
        session_hint=uuid(customer, 3_000),
    )


def encoded() -> None:
    engine = in_memory(files.load(ROOT / "seeds"), watching=False)  # tallies are no customer's
    stores = dict(zip((stage.name for stage in STAGES), engine._stores.values(), strict=True))
    for number in range(len(NAMES)):
        engine.process(touchpoint(7, number))
        customers = [STITCH.encode(one) for one in stores[STITCH.name].states.values()]
        known = [IDENTIFY.encode(one) for one in stores[IDENTIFY.name].states.values()]
        if number + 1 in (1, 2, 5, 10):
            print(
                f"after {number + 1:2d} touchpoints: {sum(map(len, customers)):,} bytes in "
                f"{len(customers)} customer state(s), {sum(map(len, known)):,} bytes in "
                f"{len(known)} identifier state(s)"
            )


def resident(customers: int) -> None:
    engine = in_memory(files.load(ROOT / "seeds"), watching=False)  # tallies are no customer's
    gc.collect()
    gc.freeze()
    gc.disable()
    before = resident_bytes("self")
    for customer in range(customers):
        for number in range(len(NAMES)):
            engine.process(touchpoint(customer, number))
        engine.outbox.clear()
    held = resident_bytes("self") - before
    print(
        f"{customers:,} customers of {len(NAMES)} touchpoints in memory, both stages: "
        f"{held / customers:,.0f} bytes each (resident), {held / 2**20:,.0f} MiB in all"
    )


def by_file(customers: int) -> None:
    """Where that memory was allocated."""
    engine = in_memory(files.load(ROOT / "seeds"), watching=False)  # tallies are no customer's
    tracemalloc.start()
    for customer in range(customers):
        for number in range(len(NAMES)):
            engine.process(touchpoint(customer, number))
        engine.outbox.clear()
    for line in tracemalloc.take_snapshot().statistics("lineno")[:15]:
        frame = line.traceback[0]
        place = f"{frame.filename.removeprefix(f'{ROOT}/')}:{frame.lineno}"
        print(f"{line.size / customers:8,.0f} bytes a customer  {place}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the customers")
    parser.add_argument("--profile", action="store_true", help="where the memory is allocated")
    options = parser.parse_args()
    print(machine())
    if options.profile:
        by_file(2_000)
        return
    encoded()
    resident(10_000 if options.quick else 100_000)


if __name__ == "__main__":
    main()
