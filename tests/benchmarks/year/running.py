"""The simulated year through the real pipeline, as `touchpoints replay` drives it."""

import gc
import resource
import time
from pathlib import Path
from typing import NamedTuple

from listeners import settings
from listeners.adapters.native import adapt_replay_line, replay_context
from pipeline.catalogue import files
from pipeline.runtimes.memory import in_memory
from schemas.letters import DeadLetter
from schemas.topics import JOURNEY_OUTCOMES, VERDICTS
from tests.benchmarks.year.scoring import Published, Score
from tests.benchmarks.year.world import World


class Year(NamedTuple):
    """A year that has been simulated, and its score.

    Attributes:
        touchpoints: Records that arrived, those that came twice counted twice.
        dead: Dead letters by reason.
        simulating, piping: CPU seconds of the simulation, and of the pipeline.
        memory: Bytes resident at most.
    """

    world: World
    score: Score
    customers: int
    days: int
    seed: int
    touchpoints: int
    dead: dict[str, int]
    simulating: float
    piping: float
    memory: int


def simulate(customers: int, days: int, seed: int, catalogue: Path | str) -> Year:
    """Simulate, replay, score. The same arguments give the same score."""
    world = World(customers, days, seed)
    context = replay_context(settings.load(None))
    engine = in_memory(files.load(Path(catalogue)), watching=False)
    published = Published(world.truth)
    dead: dict[str, int] = {}
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    wanted = frozenset({VERDICTS, JOURNEY_OUTCOMES})
    touchpoints, piping = 0, 0.0
    began = time.process_time()

    def drain() -> None:
        for message in engine.outbox:
            if message.topic in wanted:
                published.take(message.record)
            elif isinstance(message.record, DeadLetter):
                dead[message.record.reason] = dead.get(message.record.reason, 0) + 1
        engine.outbox.clear()

    clock = time.process_time
    for line in world.lines():
        touchpoints += 1
        before = clock()
        engine.process(adapt_replay_line(line, context))
        piping += clock() - before
        if engine.outbox:
            drain()
    engine.close()
    drain()
    spent = clock() - began
    score = Score(world.truth, published)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Year(
        world, score, customers, days, seed, touchpoints, dead, spent - piping, piping, most
    )
