"""What a replay computes is what it is asked for, and the rest does not depend on it."""

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
