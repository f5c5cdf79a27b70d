"""End to end: HTTP in, results on the log out; everything durable, one process.

    python -m tests.benchmarks.up [--quick] [--profile]

First at full speed: batches until the results of all are on the log. Then at an easy rate: how long
a single touchpoint takes from its post to its verdict, read from the log by another process.
Few touchpoints are under way at a time, so that they arrive in about the order they happened in, as
live ones do. Targets: 20,000 touchpoints a CPU-second; a verdict within 2 s.
"""

import argparse
import threading
import time
from itertools import islice

from pipeline.runtimes.embedded.reader import LogReader
from schemas.topics import VERDICTS
from tests.benchmarks.load.measuring import bodies, machine, resident_bytes, traffic
from tests.benchmarks.load.serving import Served, at

GENERATORS = 1
LANES = 16
BATCH = 20
RATE = 100.0
"""Touchpoints a second of the easy rate."""


def at_full_speed(served: Served, count: int) -> None:
    lanes = GENERATORS * LANES
    made = bodies(count, BATCH, lanes)
    served.load(made[:lanes], lanes * BATCH, GENERATORS, LANES)
    sent = (len(made) - lanes) * BATCH
    cost = served.load(made[lanes:], sent, GENERATORS, LANES)
    size = sum(one.stat().st_size for one in served.up.data.iterdir())
    print(
        f"{sent:,} touchpoints in batches of {BATCH}, until all results are on the log: "
        f"{sent / cost.cpu:,.0f} a CPU-second ({1e6 * cost.cpu / sent:.1f} us each: "
        f"{1e6 * cost.doors / sent:.1f} in the event loop, {1e6 * cost.system / sent:.1f} in the "
        f"kernel), {sent / cost.drained:,.0f}/s; acknowledged at {sent / cost.seconds:,.0f}/s; "
        f"{size / (sent + lanes * BATCH):,.0f} bytes on disk each, "
        f"{resident_bytes(served.up.pid) / 2**20:.0f} MiB resident"
    )


def at_an_easy_rate(served: Served, count: int) -> None:
    posted: dict[str, float] = {}
    seen: dict[str, float] = {}
    lines = [line.replace(b'"id":"', b'"id":"easy-') for line in islice(traffic(count, 500), count)]
    ids = [line.split(b'"id":"')[1].split(b'"')[0].decode() for line in lines]

    def follow() -> None:
        with LogReader(served.up.data) as reader:
            offset = reader.latest_offset(VERDICTS) + 1
            while len(seen) < count:
                for record in reader.read(VERDICTS, offset, 1000):
                    offset = record.offset + 1
                    touchpoint = record.value.split(b'"id":"')[1].split(b'"')[0].decode()
                    if touchpoint.startswith("easy-"):
                        seen.setdefault(touchpoint, time.perf_counter())
                time.sleep(0.002)

    following = threading.Thread(target=follow, daemon=True)
    following.start()
    started = time.perf_counter()
    for number, (name, line) in enumerate(zip(ids, lines, strict=True)):
        time.sleep(max(0.0, started + number / RATE - time.perf_counter()))
        posted[name] = time.perf_counter()
        answer = served.up.post(line)
        if answer.status != 200:
            message = f"expected 200; found {answer.status}"
            raise RuntimeError(message)
    following.join(60)
    waits = sorted(seen[name] - posted[name] for name in posted if name in seen)
    print(
        f"{count:,} singles at {RATE:.0f}/s, from post to verdict: p50 {at(0.5, waits):.0f} ms, "
        f"p99 {at(0.99, waits):.0f} ms, most {1e3 * waits[-1]:.0f} ms ({len(waits):,} seen)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the work")
    parser.add_argument("--profile", action="store_true", help="where the engine's time goes")
    options = parser.parse_args()
    part = 5 if options.quick else 1
    print(machine())
    print(
        f"the demo's traffic of two busy hours, {GENERATORS} generators of {LANES} connections, "
        "10 touchpoints a customer"
    )
    with Served("profiled" if options.profile else None) as served:
        at_full_speed(served, 50_000 // part)
        if not options.profile:
            at_an_easy_rate(served, 1_000 // part)


if __name__ == "__main__":
    main()
