"""What a stage says, as records to publish; what it says to itself waits in its own partition."""

from typing import Any, Final

import msgspec

from pipeline.runtimes.kafka.changelog import Output
from pipeline.stitching.change import Message
from schemas import codec
from schemas.records import Votes
from schemas.topics import TOPICS

FRAME: Final = 64 * 1024
"""Bytes that a record's key and frame, and compressing what does not get shorter, may add."""

_ROOM: Final = {topic.name: topic.message_bytes_max - FRAME for topic in TOPICS.values()}
_ROOM_ANYWHERE: Final = min(_ROOM.values())

VERSION_HEADER: Final = "version"
"""Header of a touchpoint that goes to the owner of its identifier: `Message.version`."""

Mark = tuple[int, int]
"""How much there was to publish; what came since can be undone."""


class ResultTooLarge(Exception):
    """A result fits into no record of its topic; what it follows from is not taken in.

    The brokers would refuse it with all of its batch, and every worker after this one would end
    over it.
    """

    def __init__(self, *, topic: str, found: int) -> None:
        super().__init__(f"{topic}: expected at most {_ROOM[topic]} bytes; found {found}")


class Sending:
    """Gathers what follows from a batch.

    Args:
        inward: The topics of what the stage tells itself.
        number: The partition's: whose totals its votes are.

    Attributes:
        outputs: Records to publish, in order.
        results: The messages among them, for the metrics.
    """

    def __init__(self, inward: tuple[str, ...], number: int) -> None:
        self._topics, self._number = inward, number
        self.clear()

    def clear(self) -> None:
        """Begin anew; what was gathered is somebody else's by now, or nobody's."""
        self.outputs: list[Output] = []
        self.results: list[Message] = []
        self._inward: dict[str, list[Message]] = {}

    def send(self, messages: list[Message], as_they_came: dict[int, bytes] | None = None) -> None:
        """Take what a stage said.

        Args:
            messages: In order.
            as_they_came: The bytes of records that came in, by their ids: one that is sent on as
                it came is not written anew.

        Raises:
            ResultTooLarge: One fits into no record of its topic.
        """
        outputs, results, inward = self.outputs, self.results, self._topics
        for made in messages:
            topic = made.topic
            if topic in inward:
                self._inward.setdefault(made.key, []).append(made)
                continue
            record: Any = made.record
            value = as_they_came.get(id(record)) if as_they_came else None
            version: list[tuple[str, str | bytes | None]] | None = None
            if value is None:
                if type(record) is Votes:
                    record = msgspec.structs.replace(record, partition=self._number)
                value = codec.encode(record)
            elif made.version:
                version = [(VERSION_HEADER, b"%d" % made.version)]
            if len(value) > _ROOM_ANYWHERE and len(value) > _ROOM[topic]:
                raise ResultTooLarge(topic=topic, found=len(value))
            outputs.append(Output(topic, made.key.encode(), value, version))
            results.append(made)

    def take_inward(self) -> dict[str, list[Message]]:
        """What the stage told itself since, by key; it is the caller's from now on."""
        inward = self._inward
        if inward:
            self._inward = {}
        return inward

    def mark(self) -> Mark:
        """To be given to `undo`."""
        return len(self.outputs), len(self.results)

    def undo(self, mark: Mark) -> None:
        """Take back what came since."""
        del self.outputs[mark[0] :], self.results[mark[1] :]
        self._inward = {}
