"""A runtime whose messages cross: what one key sends another keeps its order, nothing else does.

As on Kafka, where keys live on different partitions and each is read at its own pace, one by one or
several at once. Where asked, some messages are read twice, as after a crash without transactions.
"""

from collections import deque
from random import Random
from typing import Any

from pipeline.books import Books
from pipeline.runtimes.engine import END_OF_TIME
from pipeline.stitching import keys
from pipeline.stitching.change import Change, Message
from pipeline.stitching.rules import Rules
from pipeline.topology import STAGES, Stage
from schemas.controls import Handover
from schemas.records import Touchpoint
from schemas.topics import TOUCHPOINTS
from tests.builders import Results


class Crossing:
    """Drives the stages, choosing by chance whose message is read next."""

    def __init__(self, rules: Rules, chance: Random, *, repeats: bool = False) -> None:
        self.sent: list[Message] = []
        self.books = Books()
        self._repeats = repeats
        self._rules = rules
        self._chance = chance
        self._states: dict[tuple[str, str], Any] = {}
        self._roads: dict[tuple[str, str, str], deque[Message]] = {}
        self._readers = {topic: stage for stage in STAGES for topic in stage.reads}

    def take(self, touchpoint: Touchpoint) -> None:
        """One more arrives; a few messages, or none, are read before the next does."""
        key, _ = keys.read(touchpoint, self._rules.identity)
        self.books.account(touchpoint.source).accepted += 1
        self._send("emitter", [Message(TOUCHPOINTS, key, touchpoint)])
        for _ in range(self._chance.choice((0, 0, 1, 2, 5))):
            self._read_one()

    def touchpoints_under_way(self) -> int:
        """Touchpoints without a verdict in the messages that nobody has read yet."""
        count = 0
        for road in self._roads.values():
            for message in road:
                record = message.record
                if isinstance(record, Handover):
                    count += sum(not one.revision for one in record.interactions)
                elif isinstance(record, Touchpoint):
                    count += 1
        return count

    def results(self) -> Results:
        """Read all that is on its way, let all time pass, and tell what came of it."""
        while self._read_one():
            pass
        for (stage_name, key), state in list(self._states.items()):
            stage = next(stage for stage in STAGES if stage.name == stage_name)
            while state is not None and stage.due_at(state, self._rules) is not None:
                change = stage.expire(state, END_OF_TIME, self._rules)
                state = change.state
                self._send(key, change.results)
        return Results(self.sent)

    def _read_one(self) -> bool:
        if not self._roads:
            return False
        road = self._chance.choice(sorted(self._roads))
        _, topic, key = road
        stage: Stage = self._readers[topic]
        messages = [self._next_on(road)]
        while self._chance.random() < 0.5:
            alike = [one for one in sorted(self._roads) if one[1:] == (topic, key)]
            if not alike:
                break
            messages.append(self._next_on(self._chance.choice(alike)))
        at = (stage.name, key)
        if len(messages) == 1 or stage.at_once is None:
            for message in messages:
                change = stage.step(self._states.get(at), key, message, None, self._rules)
                self._keep(at, [message], change)
        else:
            change = stage.at_once(self._states.get(at), key, messages, None, self._rules)
            self._keep(at, messages, change)
        return True

    def _next_on(self, road: tuple[str, str, str]) -> Message:
        message = self._roads[road][0]
        if not self._repeats or self._chance.random() < 0.8:
            self._roads[road].popleft()
        if not self._roads[road]:
            del self._roads[road]
        return message

    def _keep(self, at: tuple[str, str], taken: list[Message], change: Change[Any]) -> None:
        self.books.step(taken, change)
        self._states[at] = change.state
        self._send(" ".join(at), change.results)

    def _send(self, sender: str, messages: list[Message]) -> None:
        for message in messages:
            self.sent.append(message)
            if message.topic in self._readers:
                road = (sender, message.topic, message.key)
                self._roads.setdefault(road, deque()).append(
                    Message(message.topic, message.key, message.record, version=message.version)
                )
