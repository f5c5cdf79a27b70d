"""The ledger as a law: whatever arrives, in whatever order, every touchpoint is accounted for."""

from random import Random

from hypothesis import strategies as st

from pipeline.books import Books
from tests.builders import RULES, engine, process
from tests.oracle.contents import contents_of
from tests.properties.crossing import Crossing
from tests.properties.laws import law
from tests.properties.stories import Story, long_stories


def settled(books: Books) -> tuple[int, int]:
    """What is in flight, and what nobody can account for, over all sources."""
    accounts = books.accounts.values()
    return sum(one.in_flight for one in accounts), sum(abs(one.difference) for one in accounts)


@law()
def test_every_touchpoint_is_a_result_or_a_repeat_by_the_source_that_sent_it(story: Story) -> None:
    running = engine(RULES)
    for one in story.repeated:
        running.books.account(one.source).accepted += 1

    told = process(story.repeated, running=running)

    assert settled(running.books) == (0, 0)
    accounts = running.books.accounts
    assert sum(one.results for one in accounts.values()) >= len(told.verdicts)
    assert sum(one.accepted for one in accounts.values()) == len(story.repeated)
    assert {one.source for one in story.repeated} == set(accounts)


@law(story=long_stories())
def test_what_comes_after_days_is_accounted_for(story: Story) -> None:
    running = engine(RULES)

    for one in story.repeated:
        running.books.account(one.source).accepted += 1
    process(story.repeated, running=running)

    assert settled(running.books) == (0, 0)


@law(st.integers(0, 2**32))
def test_the_ledger_balances_at_every_moment_while_messages_cross(story: Story, seed: int) -> None:
    crossing = Crossing(RULES, Random(seed))

    for one in story.repeated:
        crossing.take(one)
        in_flight, difference = settled(crossing.books)
        assert in_flight == crossing.touchpoints_under_way()
        assert difference == 0
    told = crossing.results()

    assert settled(crossing.books) == (0, 0)
    assert len(told.verdicts) == len(contents_of(story.touchpoints, RULES).verdicts)
