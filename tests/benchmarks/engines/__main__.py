"""Sessions by different engines, like for like, on one broker.

    python -m tests.benchmarks.engines --bootstrap-servers HOST:PORT [--quick] [--engine NAME]

A million touchpoints of 100,000 customers in four partitions, keyed by customer: cut into sessions
by a gap of 30 minutes, with a changelog, one record published for each session that closes. Figures
are touchpoints per CPU-second of the engine's process; what it takes to start (a run with a single
touchpoint) is measured apart and taken off.
"""

import argparse
from collections.abc import Sequence

from tests.benchmarks.engines import faust_table, floor, harness, jvm, ours, quix
from tests.benchmarks.engines.jobs import PARTITIONS, Engine
from tests.benchmarks.engines.topics import PREFIX, Topics
from tests.benchmarks.engines.traffic import EACH, Session, arrivals, sessions_of
from tests.benchmarks.load.measuring import machine

ENGINES: Sequence[Engine] = (
    *floor.ENGINES,
    *ours.ENGINES,
    *jvm.ENGINES,
    *quix.ENGINES,
    *faust_table.ENGINES,
)
COLUMNS = (
    "engine",
    "touchpoints",
    "touchpoints a CPU-second",
    "us each",
    "second half",
    "CPU s",
    "of which start",
    "MiB",
    "sessions published",
    "of them right",
    "twice",
)


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


class Bench:
    """The input topics, and one engine after the other."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._inputs: dict[int, tuple[str, int, list[Session]]] = {}

    def input(self, count: int) -> tuple[str, int, list[Session]]:
        """Topic, time of the last touchpoint and expected sessions."""
        if count not in self._inputs:
            touchpoints = arrivals(count)
            name, size = self._topics.filled(touchpoints)
            found = f"{size / count:.0f} bytes each" if size else "there already"
            expected = sessions_of(touchpoints)
            print(
                f"input: {count:,} touchpoints of {-(-count // EACH):,} customers, {found}, "
                f"{PARTITIONS} partitions, {len(expected):,} sessions",
                flush=True,
            )
            self._inputs[count] = name, touchpoints[-1][0], expected
        return self._inputs[count]

    def line(self, engine: Engine, count: int) -> str:
        one, one_ms, _ = self.input(1)
        name, last_ms, expected = self.input(count)
        start = harness.run(engine, self._topics, one, 1, one_ms).cpu
        full = harness.run(engine, self._topics, name, count, last_ms)
        net = full.cpu - start
        later = (count // 2) / (full.cpu - full.half)
        cells = [
            engine.about,
            f"{count:,}",
            f"{count / net:,.0f}",
            f"{1e6 * net / count:.1f}",
            f"{later:,.0f}",
            f"{full.cpu:.1f}",
            f"{start:.1f}",
            f"{full.memory / 2**20:,.0f}",
        ]
        if engine.publishes:
            published = full.published
            cells += [
                f"{len(published):,} of {len(expected):,}",
                f"{len(published.keys() & set(expected)):,}",
                f"{published.total() - len(published):,}",
            ]
        else:
            cells += ["-"] * 3
        return row(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap-servers", required=True, help="of a broker of Kafka 4")
    parser.add_argument("--quick", action="store_true", help="a tenth of the touchpoints")
    names = list(dict.fromkeys(engine.name for engine in ENGINES))
    parser.add_argument("--engine", choices=names, action="append", help="only this one")
    parser.add_argument("--remove", action="store_true", help="remove the input topics and stop")
    options = parser.parse_args()
    topics = Topics(options.bootstrap_servers)
    if options.remove:
        topics.remove(PREFIX)
        return
    chosen = [one for one in ENGINES if options.engine is None or one.name in options.engine]
    print(machine())
    for versions in dict.fromkeys(engine.versions for engine in chosen):
        print(versions())
    bench = Bench(topics)
    count = 100_000 if options.quick else 1_000_000
    lines = []
    for engine in chosen:
        lines.append(bench.line(engine, min(count, engine.count_max or count)))
        print(lines[-1], flush=True)
    print("\n".join(("", row(COLUMNS), row(["---"] * len(COLUMNS)), *lines)))
    topics.close()


if __name__ == "__main__":
    main()
