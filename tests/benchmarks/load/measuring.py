"""What the benchmarks share: the machine in words, CPU seconds of processes, traffic, profiles.

Figures are events per CPU-second, user and system together, since other load on the machine
disturbs CPU time less than wall time.
"""

import cProfile
import os
import platform
import pstats
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from pipeline.demo.day import touchpoints_of

ROOT = Path(__file__).resolve().parents[3]
STARTS_AT = datetime(2026, 1, 5, tzinfo=UTC)
"""In the past: what claims to come from the future is set back to its arrival."""

_STORY = re.compile(rb'"id":"([^"]+)-\d+"')
_PERSON = re.compile(rb'"(?:u|a|d|acc)-\d+-(\d+)"')
TICKS = os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """Processor, cores and versions, in one line."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"machine: {cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, Python {platform.python_version()}"
    )


def cpu_seconds(pid: int | str) -> float:
    """CPU seconds that a running process, or a `pid/task/tid`, has used."""
    user, system = _times(pid)
    return user + system


def system_seconds(pid: int) -> float:
    """Those of a process in the kernel."""
    return _times(pid)[1]


def _times(pid: int | str) -> tuple[float, float]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def resident_bytes(pid: int | str) -> int:
    """Memory that a running process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def traffic(
    count: int, customers: int, length: timedelta = timedelta(hours=22), seed: int = 1
) -> Iterator[bytes]:
    """Lines of the demo's traffic, in the order in which they happen."""
    return touchpoints_of(seed, customers, count, STARTS_AT, length)


def bodies(count: int, batch: int, lanes: int) -> list[bytes]:
    """Requests with two busy hours' traffic, dealt to lanes in turn: the i-th is lane i % lanes'.

    A customer's touchpoints are all of one lane, and so come in order, as they would from a device.
    Traffic that is sped up so much and dealt at random would arrive hours out of order.
    """
    lines_of: list[tuple[bytes, bytes]] = []
    people: dict[bytes, int] = {}
    for line in traffic(count, max(lanes, count // 10), timedelta(hours=2)):
        story, person = _STORY.search(line), _PERSON.search(line)
        assert story is not None
        if person is not None:
            people[story[1]] = int(person[1])
        lines_of.append((story[1], line))
    waiting: list[list[bytes]] = [[] for _ in range(lanes)]
    for one, line in lines_of:
        waiting[people.get(one, 0) % lanes].append(line)
    made: list[list[bytes]] = [
        [b"[" + b",".join(lines[at : at + batch]) + b"]" for at in range(0, len(lines), batch)]
        for lines in waiting
    ]
    rounds = min(len(one) for one in made) - 1  # each lane as long as the others, each batch full
    return [one[number] for number in range(rounds) for one in made]


def write_traffic(path: Path, count: int, customers: int) -> None:
    with path.open("wb") as file:
        lines = traffic(count, customers)
        while some := list(islice(lines, 10_000)):
            file.write(b"\n".join(some) + b"\n")


def run(*arguments: object) -> tuple[float, int]:
    """CPU seconds and largest memory of one command run to its end; its output is thrown away."""
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli.main", *map(str, arguments)],
            cwd=ROOT,
            stdout=nowhere,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = f"expected the command to succeed; found exit code {process.returncode}"
        raise RuntimeError(message)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def profiled(arguments: Sequence[object]) -> None:
    """Run one command in this process and print where its time goes: by own time, the top 15."""
    from pipeline.cli.main import main

    profile = cProfile.Profile()
    kept, sys.stdout = sys.stdout, open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        profile.runcall(main, [str(argument) for argument in arguments])
    finally:
        sys.stdout.close()
        sys.stdout = kept
    pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(15)
