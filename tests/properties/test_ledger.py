"""The ledger as a law: whatever arrives, in whatever order, every touchpoint is accounted for."""

from random import Random

from hypothesis import strategies as st

from pipeline.books import Books
from pipeline.stitching import keys
from pipeline.stitching.change import Message
from schemas.controls import Erase
from schemas.records import Touchpoint
from schemas.topics import LINKS
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
    assert sum(one.results for one in accounts.values()) >= len(told.judged)
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
    assert len(told.judged) == len(contents_of(story.touchpoints, RULES).verdicts)


@law(st.integers(0, 2**32), st.integers(0, 100))
def test_the_ledger_balances_at_every_moment_while_a_customer_is_erased(
    story: Story, seed: int, share: int
) -> None:
    chance = Random(seed)
    crossing = Crossing(RULES, chance)
    erase_at = len(story.repeated) * share // 101

    for number, one in enumerate(story.repeated):
        crossing.take(one)
        if number == erase_at:
            crossing._send("operator", erasure_of(one, chance.choice(story.repeated)))
        assert settled(crossing.books) == (crossing.touchpoints_under_way(), 0)
    crossing.results()

    assert settled(crossing.books) == (0, 0)


def erasure_of(shown: Touchpoint, last: Touchpoint) -> list[Message]:
    """All that one touchpoint shows is erased, with all that was received until another was."""
    names = tuple(f"{kind}:{value}" for kind, value in sorted(shown.identifiers.items()))
    return [
        Message(LINKS, name, Erase(identifier=name, names=names, at=last.received_at))
        for name in names
    ]


@law(st.integers(0, 2**32))
def test_what_comes_after_its_customer_was_erased_is_accounted_for_as_erased(
    story: Story, seed: int
) -> None:
    crossing = Crossing(RULES, Random(seed))
    ordered = max(one.received_at for one in story.repeated)
    names = {f"{kind}:{value}" for one in story.repeated for kind, value in one.identifiers.items()}
    for name in sorted(names):
        told = Erase(identifier=name, names=tuple(sorted(names)), at=ordered)
        crossing._send("operator", [Message(LINKS, name, told)])
    while crossing._read_one():
        pass

    for one in story.repeated:
        crossing.take(one)
    crossing.results()

    assert settled(crossing.books) == (0, 0)
    # What hangs on a supplied session alone, for want of an identifier that links, is nobody's.
    whole = sum(keys.read(one, RULES.identity)[0] in names for one in story.repeated)
    assert sum(one.erased for one in crossing.books.accounts.values()) >= whole
