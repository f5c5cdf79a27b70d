"""Instructions a touchpoint of `touchpoints replay`, counted: the same whatever else runs.

    python -m tests.benchmarks.instructions [--count 2000] [--profile | --functions]

Valgrind's callgrind counts every instruction of decode, identify, stitch and encode, start-up
apart. The same code gives the same figure, so half a per cent is a difference; what caches and
branches cost is not seen. Needs valgrind with its headers and a C compiler.
"""

import argparse
import ctypes
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from listeners import settings
from listeners.adapters import native
from pipeline import replay
from pipeline.catalogue import files
from pipeline.runtimes import memory
from schemas.topics import JOURNEY_OUTCOMES, SESSIONS, VERDICTS
from tests.benchmarks.load import regions
from tests.benchmarks.load.measuring import ROOT, machine, write_traffic

TOPICS = frozenset({SESSIONS, JOURNEY_OUTCOMES, VERDICTS})
SWITCH = """
#include <valgrind/callgrind.h>
void on(void) { CALLGRIND_START_INSTRUMENTATION; }
void off(void) { CALLGRIND_STOP_INSTRUMENTATION; }
"""


def counted(lines: list[bytes], switch: Path, *, functions: bool) -> None:
    """Replay the lines, counting; before that some of them, to warm the interpreter."""
    if functions:
        regions.wrap_all(switch.parent)
    context, rules = native.replay_context(settings.load(None)), files.load(ROOT / "seeds")
    count = ctypes.CDLL(str(switch))
    gc.disable()  # as `replay` runs
    for some, counts in ((lines[:300], False), (lines, True)):
        engine = memory.in_memory(rules, watching=False)
        read = (native.adapt_replay_line(line, context) for line in some)
        if counts:
            count.on()
        for _ in replay.results_of(read, engine, TOPICS):
            pass
    count.off()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000, help="touchpoints")
    parser.add_argument("--profile", action="store_true", help="by function of the interpreter")
    parser.add_argument("--functions", action="store_true", help="by function of ours, the top 60")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        path, switch = map(Path, options.inside)
        counted(path.read_bytes().splitlines(), switch, functions=options.functions)
        return
    print(machine())
    if not (shutil.which("valgrind") and Path("/usr/include/valgrind/callgrind.h").exists()):
        print("not measured: expected valgrind with its headers; found none")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_traffic(path := folder / "day.jsonl", options.count, options.count // 10)
        (source := folder / "switch.c").write_text(SWITCH)
        switch, found = folder / "switch.so", folder / "counts"
        subprocess.run(["cc", "-shared", "-fPIC", source, "-o", switch], check=True)
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
        command += ["--compress-strings=no", "--compress-pos=no"]  # so that it is read easily
        command += [f"--callgrind-out-file={found}", sys.executable, "-m", __spec__.name]
        if options.functions:
            regions.build(folder)
            command.append("--functions")
        ran = subprocess.run(
            [*command, "--inside", str(path), str(switch)],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            check=True,
            capture_output=True,
            text=True,
        )
        total = re.search(r"Collected : (\d+)", ran.stderr)
        assert total is not None, ran.stderr
        each = int(total[1]) / options.count
        print(f"{options.count:,} touchpoints: {each / 1000:,.1f} thousand instructions each")
        for name, calls, total in regions.told(folder, found)[:60] if options.functions else ():
            print(
                f"{total / options.count / 1000:8.2f} thousand of {calls / options.count:6.3f} "
                f"calls of {total / calls:9,.0f}  {name}"
            )
        if options.profile:
            subprocess.run(["callgrind_annotate", found], check=True)


if __name__ == "__main__":
    main()
