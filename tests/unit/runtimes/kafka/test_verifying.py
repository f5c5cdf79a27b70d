"""Topics at a worker's start: what is missing is asked for again, what is wrong is not."""

from typing import Any

import pytest

from pipeline.runtimes.errors import TopicsUnfit
from pipeline.runtimes.kafka import administering
from pipeline.runtimes.kafka.topics import Difference
from schemas.brokers import Brokers

BROKERS = Brokers(bootstrap_servers="127.0.0.1:1")
MISSING = Difference(topic="links", what="", expected="a topic", found="none", stops=True)
WRONG = Difference(topic="links", what="partitions", expected="8", found="4", stops=True)


@pytest.fixture
def answers(monkeypatch):
    """What brokers answer, one after the other; the last one again and again."""
    given: list[list[Difference]] = []
    asked: list[list[Difference]] = []

    def check(*_: Any) -> list[Difference]:
        asked.append(given.pop(0) if len(given) > 1 else given[0])
        return asked[-1]

    monkeypatch.setattr(administering, "check", check)
    monkeypatch.setattr(administering, "ASK_AGAIN", 0.01)
    monkeypatch.setattr(administering, "MISSING_MAX", 0.5)
    return given, asked


def test_topics_that_a_broker_does_not_name_yet_are_waited_for(answers):
    given, asked = answers
    given += [[MISSING], [MISSING, WRONG], []]

    administering.verify(BROKERS)

    assert len(asked) == 3


def test_they_are_waited_for_however_long_the_first_answer_took(answers, monkeypatch):
    given, asked = answers
    given += [[MISSING], []]
    monkeypatch.setattr(administering, "monotonic", lambda: 6.0 * len(asked))

    administering.verify(BROKERS)

    assert len(asked) == 2


@pytest.mark.parametrize(("problem", "again"), [(MISSING, True), (WRONG, False)])
def test_topics_that_stay_so_are_told(answers, problem, again):
    given, asked = answers
    given.append([problem])

    with pytest.raises(TopicsUnfit, match=str(problem)):
        administering.verify(BROKERS)

    assert (len(asked) > 1) == again
