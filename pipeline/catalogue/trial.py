"""Trying the catalogue's examples: each is run through the core, and has to turn out as it says."""

from datetime import UTC, datetime
from typing import Final, TypeVar

from pipeline.catalogue.examples import Example
from pipeline.errors import Problem
from pipeline.stitching import customer
from pipeline.stitching.change import Message
from pipeline.stitching.ids import customer_of
from pipeline.stitching.kept import CustomerState, interaction_of
from pipeline.stitching.rules import Rules
from schemas.records import JourneyOutcome, Verdict

T = TypeVar("T", JourneyOutcome, Verdict)

END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
"""Where an example ends that does not say `until`: everything has closed."""


def run(example: Example, rules: Rules) -> list[Problem]:
    """What of an example turned out otherwise than it says."""
    messages = _results_of(example, rules)
    verdicts = _latest(messages, Verdict)
    journeys = [
        outcome
        for outcome in _latest(messages, JourneyOutcome).values()
        if outcome.mission == example.mission and outcome.outcome not in ("absorbed", "open")
    ]
    seen = {v.journey_id for v in verdicts.values() if v.mission == example.mission}
    ended = {outcome.journey_id: outcome for outcome in journeys}
    last = _last_journey(example, verdicts)
    problems = []

    def expect(what: str, expected: object, found: object) -> None:
        if expected != found:
            message = f'example "{example.name}": expected {what} {expected}; found {found}'
            problems.append(Problem(file=example.file, line=example.line, message=message))

    expect("journeys", example.journeys, len(seen))
    outcome = ended.get(last) if last is not None else None
    found = "none" if last is None else "open" if outcome is None else outcome.outcome
    expect("outcome", example.outcome, found)
    if outcome is not None:
        if example.reason is not None:
            expect("reason", example.reason, outcome.reason)
        if example.broke_at is not None:
            expect("broke_at", example.broke_at, outcome.broke_at)
    for at, judgement in enumerate(example.verdicts or ()):
        one = example.touchpoints[at]
        expect(f"verdict on touchpoint {one.id}", judgement, verdicts[one.id].verdict)
    return problems


def _results_of(example: Example, rules: Rules) -> list[Message]:
    states: dict[str, CustomerState] = {}
    messages: list[Message] = []
    for touchpoint in example.touchpoints:
        who = f"user_id:{touchpoint.identifiers['user_id']}"
        state = states.get(who) or CustomerState(customer_of(who))
        one = interaction_of(touchpoint, who, ((who, 0),), rules)
        change = customer.observe(state, one, rules)
        states[who] = change.state
        messages += change.results
    until = END_OF_TIME
    if example.until is not None:
        until = example.touchpoints[-1].occurred_at + example.until
    for state in states.values():
        messages += customer.expire(state, until, rules).results
    return messages


def _latest(messages: list[Message], kind: type[T]) -> dict[str, T]:
    """The last revision of each record of a kind, by id."""
    found: dict[str, T] = {}
    for message in messages:
        record = message.record
        if isinstance(record, kind):
            found[record.journey_id if isinstance(record, JourneyOutcome) else record.id] = record
    return found


def _last_journey(example: Example, verdicts: dict[str, Verdict]) -> str | None:
    for touchpoint in reversed(example.touchpoints):
        verdict = verdicts.get(touchpoint.id)
        if verdict is not None and verdict.mission == example.mission:
            return verdict.journey_id
    return None
