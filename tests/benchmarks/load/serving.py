"""`touchpoints up` under measurement: started, loaded by other processes, its CPU time read off.

As a program it is `touchpoints` itself, with one thing changed by the first argument:

    accept-only   the stages do nothing, so that what is left is accepting durably
    profiled      what the engine's thread does is profiled, and printed at the end
"""

import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.books import Books
from pipeline.cli.main import main
from pipeline.runtimes.embedded.database import open_reader
from pipeline.runtimes.embedded.driver import EmbeddedRuntime
from tests.benchmarks.load.generator import packed
from tests.benchmarks.load.measuring import ROOT, cpu_seconds, system_seconds
from tests.integration.serving import COMMAND, Up

SHOWN = 15


class Loaded(NamedTuple):
    """What a load cost.

    Attributes:
        seconds: Until all was answered.
        drained: Until all was processed.
        cpu: CPU seconds of the process, until all was processed.
        doors: Those of its event loop: HTTP, listeners.
        system: Those in the kernel: sockets, files, fsync.
        waits: Seconds of each answer, sorted.
        refused: Answers of 503; sent again.
    """

    seconds: float
    drained: float
    cpu: float
    doors: float
    system: float
    waits: list[float]
    refused: int


class Served:
    """`up` on a temporary folder; a context manager."""

    def __init__(self, change: str | None = None) -> None:
        changed = (sys.executable, "-m", "tests.benchmarks.load.serving", str(change))
        self._folder = tempfile.TemporaryDirectory()
        self.up = Up(Path(self._folder.name) / "data", before=changed if change else COMMAND)

    def __enter__(self) -> "Served":
        self.up.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.up.stop()
        said = self.up.said.read_text()
        print(said[said.index("profile of") :] if "profile of" in said else "", end="")
        self._folder.cleanup()

    def load(
        self, bodies: Sequence[bytes], touchpoints: int, generators: int, lanes: int
    ) -> Loaded:
        """Send bodies by some processes with some connections each; wait until all is processed."""
        port = int(self.up.url.rpartition(":")[2])
        command = [sys.executable, "-m", "tests.benchmarks.load.generator", str(port), str(lanes)]
        until = self.processed() + touchpoints
        processes = [
            subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(generators)
        ]
        parts = [packed(bodies[one::generators], port) for one in range(generators)]
        pid = self.up.pid
        cpu, doors, system = cpu_seconds(pid), self._doors(), system_seconds(pid)
        started = time.perf_counter()
        feeding = [
            threading.Thread(target=_feed, args=(process, part))
            for process, part in zip(processes, parts, strict=True)
        ]
        for thread in feeding:
            thread.start()
        said: list[dict[str, Any]] = []
        for process, thread in zip(processes, feeding, strict=True):
            assert process.stdout is not None
            said.append(json.loads(process.stdout.read()))
            thread.join()
            process.wait()
            process.stdout.close()
        while self.processed() < until:
            time.sleep(0.05)
        drained = time.perf_counter() - started
        statuses = sum((Counter(one["statuses"]) for one in said), Counter[str]())
        if set(statuses) - {"200", "503"}:
            message = f"expected answers of 200; found {dict(statuses)}"
            raise RuntimeError(message)
        return Loaded(
            max(one["seconds"] for one in said),
            drained,
            cpu_seconds(pid) - cpu,
            self._doors() - doors,
            system_seconds(pid) - system,
            sorted(wait for one in said for wait in one["waits"]),
            statuses["503"],
        )

    def processed(self) -> int:
        """Touchpoints whose results are on the log."""
        connection = open_reader(self.up.data)
        try:
            (count,) = connection.execute("SELECT processed FROM progress").fetchone()
        finally:
            connection.close()
        return int(count)

    def _doors(self) -> float:
        return cpu_seconds(f"{self.up.pid}/task/{self.up.pid}")


def _feed(process: "subprocess.Popen[bytes]", content: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(content)
    process.stdin.close()


def at(share: float, waits: Sequence[float]) -> float:
    """A quantile in milliseconds."""
    return 1e3 * waits[min(len(waits) - 1, int(share * len(waits)))]


class Nothing:
    """An engine that does nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        self.outbox: list[object] = []
        self.failures: list[object] = []
        self.books = Books()
        self.watermark = None

    def process(self, touchpoint: object) -> None:
        pass

    def tick(self, now: object, *, caught_up: bool = True) -> None:
        pass

    def snapshot(self) -> bytes:
        return b""

    def restore(self, snapshot: bytes) -> None:
        pass


class Profiled(EmbeddedRuntime):
    """The runtime; where its engine's thread spends its time is printed at the end."""

    def _run(self) -> None:
        profile = cProfile.Profile()
        profile.runcall(super()._run)
        print("profile of the engine's thread", file=sys.stderr)
        stats = pstats.Stats(profile, stream=sys.stderr)
        stats.strip_dirs().sort_stats("tottime").print_stats(SHOWN)


if __name__ == "__main__":
    from pipeline import bootstrap

    if sys.argv[1] == "accept-only":
        bootstrap.Engine = Nothing  # type: ignore[assignment, misc]
    else:
        bootstrap.EmbeddedRuntime = Profiled  # type: ignore[misc]
    sys.exit(main(sys.argv[2:]))
