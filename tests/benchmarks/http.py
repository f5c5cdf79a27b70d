"""Accepting durably over HTTP: touchpoints a CPU-second of `touchpoints up`, in batches and singly.

    python -m tests.benchmarks.http [--quick] [--profile]

A 200 is an fsynced touchpoint. Two servers: one whose stages do nothing, which is the cost of the
door (HTTP, checks, log, fsync, reading it back for the stages), and `up` as it is, stages
included. The load comes from processes of their own; only the server's CPU counts. Targets:
60,000 touchpoints a CPU-second in batches of 20 and 8,000 singles, for the door.
"""

import argparse

from tests.benchmarks.load.measuring import bodies, machine
from tests.benchmarks.load.serving import Served, at

GENERATORS = 2
LANES = 16


def measure(change: str | None, what: str, count: int, batch: int) -> None:
    lanes = GENERATORS * LANES
    made = bodies(count, batch, lanes)
    with Served(change) as served:
        served.load(made[:lanes], lanes * batch, GENERATORS, LANES)  # caches, connections
        sent = (len(made) - lanes) * batch
        cost = served.load(made[lanes:], sent, GENERATORS, LANES)
    print(
        f"{what}, {'batches of ' + str(batch) if batch > 1 else 'singles'}: "
        f"{sent / cost.cpu:,.0f} touchpoints a CPU-second ({1e6 * cost.cpu / sent:.1f} us each, of "
        f"them {1e6 * cost.doors / sent:.1f} in the event loop), {sent / cost.seconds:,.0f}/s "
        f"acknowledged; answers p50 {at(0.5, cost.waits):.1f} ms, p99 {at(0.99, cost.waits):.1f} "
        f"ms; {cost.refused} refused"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the work")
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    options = parser.parse_args()
    part = 5 if options.quick else 1
    print(machine())
    print(f"the demo's traffic, {GENERATORS} generators of {LANES} connections each")
    if options.profile:
        measure("profiled", "profiled", 40_000 // part, 20)
        return
    for change, what in (("accept-only", "the door alone"), (None, "up as it is")):
        measure(change, what, 60_000 // part, 20)
        measure(change, what, 10_000 // part, 1)


if __name__ == "__main__":
    main()
