"""What a touchpoint of the demo's traffic makes the pipeline do, counted: an account, no timing.

    python -m tests.benchmarks.account [--count 20000]

Messages by kind as the engine sends them, and how often the functions are called that stand for a
kind of work. The same traffic gives the same counts.
"""

import argparse
import cProfile
import pstats
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

from listeners import settings
from listeners.adapters.native import adapt_replay_line, replay_context
from pipeline.catalogue import files
from pipeline.runtimes.memory import in_memory
from schemas.codec import encode
from schemas.records import JourneyOutcome, Link, Session, Verdict
from tests.benchmarks.load.measuring import ROOT, write_traffic

WORK: Final = {
    "steps of all stages": "engine.py:_step",
    "of these that fold one customer": "topology.py:stitch",
    "states that time moved": "engine.py:_keep",
    "interactions taken in order": "picture.py:step",
    "customers folded again from the start": "unions.py:fold_again",
    "hand-overs and late ones united with what is there": "unions.py:unite",
    "verdicts written": "outcomes.py:verdict_record",
    "sessions written": "outcomes.py:session_record",
    "outcomes written": "outcomes.py:outcome_record",
    "states put": "memory.py:put",
    "timers set": "memory.py:_wait",
    "asked when it is due": "customer.py:due_at",
    "of these of one who is quiet": "sealing.py:settled_at",
    "ids derived by a hash": "ids.py:derived",
    "efforts reckoned": "outcomes.py:effort_of",
}
"""Kinds of work, and the function whose calls count them."""


def kind_of(record: Any) -> str:
    """A record's kind, with what tells apart those of one kind."""
    name = type(record).__name__
    if isinstance(record, Link):
        return f"{name}, {record.reason}"
    if isinstance(record, Verdict):
        return f"{name}, {'first' if record.revision == 1 else 'revised'}"
    if isinstance(record, Session):
        return f"{name}, {record.state}"
    if isinstance(record, JourneyOutcome):
        return f"{name}, {'first' if record.revision == 1 else 'revised'}"
    return name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="touchpoints")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as name:
        write_traffic(path := Path(name) / "day.jsonl", count, count // 10)
        lines = path.read_bytes().splitlines()
    context, rules = replay_context(settings.load(None)), files.load(ROOT / "seeds")
    engine = in_memory(rules, watching=False)
    sent: Counter[str] = Counter()
    written = 0
    profile = cProfile.Profile()
    for line in [*lines, None]:
        profile.enable()
        if line is None:
            engine.close()
        else:
            engine.process(adapt_replay_line(line, context))
        profile.disable()
        for message in engine.outbox:
            sent[kind_of(message.record)] += 1
            written += len(encode(message.record))
        engine.outbox.clear()
    called: Counter[str] = Counter()
    for (file, _, function), (_, calls, *_) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        called[f"{Path(file).name}:{function}"] += calls
        called["all"] += calls if file != "~" else 0
    print(f"a touchpoint of {count:,}, of {count // 10:,} customers:")
    for what, times in sorted(sent.items()):
        print(f"  {times / count:8.3f}  {what}")
    print(f"  {sum(sent.values()) / count:8.3f}  messages, {written / count:,.0f} bytes as JSON")
    for what, function in WORK.items():
        print(f"  {called[function] / count:8.3f}  {what}")
    print(f"  {called['all'] / count:8.1f}  calls of functions written in Python")


if __name__ == "__main__":
    main()
