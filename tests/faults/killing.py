"""Processes that tell what was acknowledged, killed in the middle of it."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable

from tests.integration.serving import ROOT

Process = subprocess.Popen[str]


def started(script: str, *arguments: object) -> Process:
    """A script of Python that prints a line for each thing that was acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_rounds(start: Callable[[int], Process], rounds: int, chance: random.Random) -> list[str]:
    """What was acknowledged before each kill; each start is told from which number to go on."""
    acknowledged: list[str] = []
    for one in range(rounds):
        acknowledged += _kill_after(start(one * 10_000_000), chance.uniform(0.05, 0.3))
    return acknowledged


def _kill_after(process: Process, seconds: float) -> list[str]:
    """A line that the kill cut short was not acknowledged to us."""
    assert process.stdout is not None
    first = process.stdout.readline()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    whole = [line for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]
    return [line.strip() for line in whole]
