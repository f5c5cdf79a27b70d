"""What a replay computes is what it is asked for, and the rest does not depend on it."""

import gc
from pathlib import Path

from listeners import settings
from listeners.adapters.native import replay_context
from pipeline.catalogue import files
from pipeline.cli import reading
from pipeline.cli.progress import Progress
from pipeline.cli.replay import MADE
from pipeline.replay import results_of
from pipeline.runtimes.memory import in_memory
from schemas.topics import JOURNEY_OUTCOMES, SESSIONS, TOUCHPOINT_ALERTS, VERDICTS, VOTES
from tests.builders import RULES, touchpoint

RESULTS = frozenset({SESSIONS, JOURNEY_OUTCOMES, VERDICTS})
VISITS = [
    touchpoint(f"10:{minute:02d}", id=f"t-{minute}", anonymous_id=f"a-{minute}")
    for minute in range(20)
]


def test_results_are_the_same_whether_votes_are_counted_or_not() -> None:
    watched = list(results_of(VISITS, in_memory(RULES), RESULTS))

    assert list(results_of(VISITS, in_memory(RULES, watching=False), RESULTS)) == watched


def test_no_vote_is_cast_where_nobody_watches() -> None:
    topics = frozenset({VOTES, TOUCHPOINT_ALERTS})

    assert list(results_of(VISITS, in_memory(RULES), topics))
    assert not list(results_of(VISITS, in_memory(RULES, watching=False), topics))


def test_a_replay_leaves_nothing_to_collect_even_of_lines_that_it_refuses(tmp_path: Path) -> None:
    stories = sorted(map(str, Path("seeds/journeys").glob("*.jsonl")))
    (bad := tmp_path / "bad.jsonl").write_bytes(b'{"name":"n"}\nno json\n{"channel":"fax"}\n')
    context, rules = replay_context(settings.load(None)), files.load(Path("seeds"))
    refused: list[str] = []
    gc.collect()

    with reading.uncollected():
        for story in stories:  # each by itself: their times have nothing to do with each other
            read = reading.touchpoints_of([story, str(bad)], context, refused, Progress("lines"))
            assert list(results_of(read, in_memory(rules), MADE))
        left = gc.collect()

    assert len(refused) == 3 * len(stories)
    assert left == 0
