"""What an export costs: `python -m tests.benchmarks.export [--results N]`.

A log of journey outcomes, each said three times and with ids in no order, is exported by the
command itself in a process of its own: CPU seconds, user and system, and the most memory it held.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec

from pipeline.runtimes.embedded.database import open_writer
from pipeline.runtimes.embedded.log import Log
from pipeline.topology import STAGES
from schemas.codec import encode
from schemas.records import Counts, JourneyOutcome
from schemas.topics import JOURNEY_OUTCOMES
from tests.benchmarks.load.measuring import machine

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
REVISIONS = 3
APART = 20_000
"""Results that are begun before the first of them is said again."""


def outcomes(count: int) -> Iterator[JourneyOutcome]:
    """Every revision of every result, interleaved as open journeys are."""
    one = JourneyOutcome(
        journey_id="", revision=1, mission="upgrade-phone", customer="", outcome="completed",
        reason="completing_touchpoint", started_at=NOON, ended_at=NOON,
        phases=("choose", "order", "pay"), channels=("web", "app"), effort=5.5, count=9,
        microjourney=("home", "phones", "phone-detail", "basket", "checkout", "payment", "paid"),
        verdicts=Counts(functional=8, broken=1), moments_of_truth=("payment",), value=120.0,
        currency="EUR", objectives={"duration_max": True, "touchpoints_max": False},
    )  # fmt: skip
    for start in range(0, count, APART):
        for revision in range(1, REVISIONS + 1):
            for number in range(start, min(start + APART, count)):
                scattered = (number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128
                yield msgspec.structs.replace(
                    one,
                    journey_id=str(UUID(int=scattered)),
                    customer=f"c-{number // 4}",
                    revision=revision,
                    ended_at=NOON + timedelta(seconds=number + revision),
                )


def write(folder: Path, count: int) -> int:
    """Put them into a log; gives their bytes."""
    connection = open_writer(folder, [stage.name for stage in STAGES])
    log, size = Log(connection), 0
    connection.execute("BEGIN IMMEDIATE")
    for number, outcome in enumerate(outcomes(count), start=1):
        value = encode(outcome)
        size += len(value)
        log.append(JOURNEY_OUTCOMES, outcome.journey_id, value)
        if number % 50_000 == 0:
            log.write(NOON)
            log.commit()
    log.write(NOON)
    connection.execute("COMMIT")
    connection.close()
    return size


def measured(folder: Path, form: str) -> tuple[float, float, int]:
    """CPU seconds, MiB of memory at most, and bytes of the file, of one export."""
    command = [sys.executable, "-m", "pipeline.cli.main", "export", "--topic", JOURNEY_OUTCOMES]
    command += ["--format", form, "--data", str(folder), "--out", str(folder / "out")]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0
    written = folder / "out" / f"{JOURNEY_OUTCOMES}.{form}"
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, written.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    arguments = parser.parse_args()
    count = arguments.results // 10 if arguments.quick else arguments.results
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write(folder, count)
        print(f"{count:,} outcomes in {REVISIONS} revisions, {size / 2**20:,.0f} MiB of records")
        for form in ("csv", "parquet"):
            seconds, memory, written = measured(folder, form)
            print(
                f"{form}: {seconds:.1f} CPU-seconds ({seconds / count * 1e6:.1f} us a result), "
                f"{memory:,.0f} MiB of memory at most, {written / 2**20:,.0f} MiB written"
            )


if __name__ == "__main__":
    main()
