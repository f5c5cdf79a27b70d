"""The whole pipeline by `touchpoints replay`: decode, identify, stitch, encode; states in memory.

    python -m tests.benchmarks.replay [--quick] [--profile]

The demo's traffic: sessions of some channels, log-ins, merges, 8 missions. First a day of many
customers from nothing; then the same number of touchpoints where ever more customers are known
already, which should cost the same (flatness). Target: 40,000 touchpoints a CPU-second.
"""

import argparse
import gc
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from listeners import settings
from listeners.adapters.native import adapt_replay_line, replay_context
from pipeline.catalogue import files
from pipeline.demo.day import touchpoints_of
from pipeline.runtimes.memory import in_memory
from schemas.codec import encode
from tests.benchmarks.load.measuring import (
    ROOT,
    STARTS_AT,
    machine,
    profiled,
    resident_bytes,
    run,
    write_traffic,
)

WINDOW = 50_000


def whole(path: Path, count: int, customers: int) -> None:
    write_traffic(path, count, customers)
    (few := path.with_name("one.jsonl")).write_bytes(path.open("rb").readline())
    start, _ = run("replay", few)
    spent, most = run("replay", path)
    rate = count / (spent - start)
    print(
        f"replay by the command line, {count:,} touchpoints of {customers:,} customers: "
        f"{rate:,.0f} touchpoints a CPU-second ({1e6 / rate:.1f} us each; start-up of "
        f"{start:.2f} s apart; {most / 2**20:.0f} MiB at most)"
    )


def flatness(customers: int) -> float:
    """CPU microseconds of a touchpoint in a fixed window, once so many customers are known.

    Each customer is made known by one touchpoint that shows who they are. All of them then come
    by chance, within the revision window, so that every customer's state is kept.
    """
    context = replay_context(settings.load(None))
    engine = in_memory(files.load(ROOT / "seeds"), watching=False)  # as `replay` runs
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    before = resident_bytes("self")
    step = timedelta(hours=20) / customers
    for number in range(customers):
        at = STARTS_AT + number * step
        line = (
            b'{"id":"k-%d","channel":"app","name":"open-app","occurred_at":"%b","identifiers":'
            b'{"device_id":"d-9-%d","user_id":"u-9-%d"}}'
            % (number, at.isoformat().encode(), number, number)
        )
        engine.process(adapt_replay_line(line, context))
        engine.outbox.clear()
    held = resident_bytes("self") - before
    lines = list(
        touchpoints_of(9, customers, WINDOW, STARTS_AT + timedelta(hours=20), timedelta(hours=2))
    )
    started = time.process_time()
    for line in lines:
        engine.process(adapt_replay_line(line, context))
        for message in engine.outbox:
            encode(message.record)
        engine.outbox.clear()
    spent = 1e6 * (time.process_time() - started) / WINDOW
    print(
        f"{customers:>9,} customers known ({held / 2**20:,.0f} MiB): {spent:.1f} us CPU a "
        f"touchpoint ({1e6 / spent:,.0f} a CPU-second) in a window of {WINDOW:,}"
    )
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    parser.add_argument("--known", type=int, help="measure one number of known customers")
    options = parser.parse_args()
    if options.known:
        flatness(options.known)
        return
    part = 10 if options.quick else 1
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.jsonl"
        if options.profile:
            write_traffic(path, 50_000 // part, 5_000)
            profiled(["replay", path])
            return
        whole(path, 200_000 // part, 20_000)
    import subprocess
    import sys

    for customers in (10_000, 100_000, 1_000_000 // part):
        # A process each, so that none inherits the memory of the one before.
        command = [sys.executable, "-m", "tests.benchmarks.replay", "--known", str(customers)]
        subprocess.run(command, check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
