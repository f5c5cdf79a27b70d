"""The words of our Python emitter's tests: emitters that end with the test, and processes."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from listeners.emitters.python import Emitter
from tests.unit.listeners.doors import properties

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:1"
PATIENCE = 20.0
KEY = "shop-key"


def sent(door):
    """The numbers that arrived, in order."""
    return [properties(one)["n"] for one in door.touchpoints]


def track(emitter, first, last):
    for number in range(first, last):
        emitter.track("step", {"user_id": "u-1"}, properties={"n": number})


async def flushed(emitter):
    return await asyncio.to_thread(emitter.flush, PATIENCE)


@pytest.fixture
def made():
    """Makes emitters that are gone when the test is."""
    emitters = []

    def make(url, **options):
        emitters.append(Emitter(url, key=KEY, **{"flush_after": 0.05, **options}))
        return emitters[-1]

    yield make
    for emitter in emitters:
        emitter.close(0.0)


def script(text, *arguments):
    """A process of its own that has an emitter and does this."""
    head = "import gc, os, sys, time\nfrom listeners.emitters.python import Emitter\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + text, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def ended(process):
    """What a process said on stderr, once it has ended well."""
    try:
        _, said = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode == 0, said
    return said
