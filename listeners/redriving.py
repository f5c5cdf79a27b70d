"""Redriving: a dead letter before the door that refused it, as the door is by now.

What a listener refused is adapted again by its own dialect and today's settings. What a stage
refused is a touchpoint already: it goes back on the log as it is, and the stage judges it again.
Either way what comes of one letter is the same however often it is sent - ids, times and bytes - so
that a repeat is absorbed as any repeat is.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec

from listeners.adapters.adapter import Context, Limits
from listeners.adapting import adapted, cut
from listeners.credentials import Credentials, fingerprint
from listeners.dialects import DIALECTS
from listeners.errors import ItemRefused, Refused, Unauthorised
from listeners.exchange import Delivery
from listeners.letters import door_of, letter_of, outgoing, refusal_of_body
from listeners.numbering import Numbered, in_turn
from listeners.publishers.publisher import Outgoing
from listeners.settings import ListenerSettings, SourceSettings
from schemas.codec import decode_touchpoint
from schemas.errors import ContractViolation
from schemas.identifiers import primary
from schemas.letters import CONTENT_BYTES_MAX, DeadLetter, Door
from schemas.topics import TOUCHPOINTS

Unsent = Literal["truncated", "empty", "partial", "no_source", "no_door"]
"""Why a letter cannot be sent again; see `UNSENT`."""

UNSENT: Final[Mapping[Unsent, str]] = {
    "truncated": f"cut after {CONTENT_BYTES_MAX} bytes, so that it is not what was sent",
    "empty": "without content",
    "partial": "whole bodies that are read only with headers or a query, which are not kept",
    "no_source": "of a source that the settings do not name (any more)",
    "no_door": "of a dialect that this version does not know",
}
"""The same for a person."""


class Judged(NamedTuple):
    """What became of one letter.

    Attributes:
        touchpoints: Those that it holds, on their way.
        letters: What is to be said on `dead-letters`: that it was sent again, and what was refused.
        refused: Why, for each item that was refused again, or the body.
    """

    touchpoints: list[Outgoing]
    letters: list[Outgoing]
    refused: Sequence[ContractViolation]


class Redriving:
    """Judges dead letters again.

    Args:
        settings: The listeners', as they are now.
    """

    def __init__(self, settings: ListenerSettings) -> None:
        self._limits = Limits.of(settings)
        self._bytes_max = settings.body_bytes_max
        self._hash_key = settings.hash_key
        self._named = {source.name: source for source in settings.sources}
        self._credentials = Credentials(settings)

    def unsent(self, letter: DeadLetter) -> Unsent | None:
        """Why it cannot be sent again; None where it can."""
        if letter.truncated:
            return "truncated"
        if not letter.content:
            return "empty"
        if letter.door is None:
            return None
        if letter.door.partial:
            return "partial"
        if letter.door.dialect not in DIALECTS:
            return "no_door"
        return "no_source" if self._source(letter.source) is None else None

    def same_key(self, letter: DeadLetter) -> bool:
        """Whether its personal identifiers would be hashed by the key of the door it came to.

        Another key makes another customer of the same person, and what is accepted stays so. Of a
        letter that does not say by which, only a key that is not everybody's is trusted to be it.
        """
        if letter.door is None:
            return True
        if letter.door.hashed_by is None:
            return not self._credentials.open
        return letter.door.hashed_by == fingerprint(self._hash_key)

    def judged(self, letter: DeadLetter, now: datetime) -> Judged:
        """Judge one that can be sent again.

        Args:
            letter: As it stands on the topic.
            now: When it is sent again.
        """
        if letter.door is None:
            return self._of_stage(letter, now)
        return self._of_door(letter, letter.door, now)

    def _of_stage(self, letter: DeadLetter, now: datetime) -> Judged:
        try:
            touchpoint = decode_touchpoint(letter.content)
        except ContractViolation as fault:
            return Judged([], [_said(letter, now, "refused")], [fault])
        key = primary(
            touchpoint.identifiers, touchpoint.source, touchpoint.session_hint, touchpoint.id
        )
        sent = [Outgoing(TOUCHPOINTS, key, letter.content)]
        return Judged(sent, [_said(letter, now, "accepted")], [])

    def _of_door(self, letter: DeadLetter, door: Door, now: datetime) -> Judged:
        adapter = DIALECTS[door.dialect].adapter
        context = self._context(letter, door)
        sent: list[Outgoing] = []
        faults: list[ItemRefused] = []
        refused: list[DeadLetter] = []

        def refuse(fault: ItemRefused, content: bytes, whence: Door) -> None:
            faults.append(fault)
            again = letter_of(fault, letter.source, content, letter.received_at, whence)
            refused.append(msgspec.structs.replace(again, redriven_at=now, redriven="refused"))

        try:
            for item in self._items(letter, door, context):
                try:
                    _, record = adapted(adapter, item, context)
                except ItemRefused as fault:
                    refuse(fault, item, door_of(door.dialect, context))
                else:
                    sent.append(record)
        except Refused as error:
            refuse(refusal_of_body(error), letter.content, door)
        letters = [outgoing(one) for one in refused]
        if all(one.id != letter.id for one in refused):
            letters.append(_said(letter, now, "refused" if refused else "accepted"))
        return Judged(sent, letters, faults)

    def _items(self, letter: DeadLetter, door: Door, context: Context) -> Iterable[bytes]:
        if not door.body:
            return [letter.content]
        delivery = Delivery(door.dialect, door.call, encoding=door.encoding)
        envelope = cut(letter.content, delivery, self._bytes_max, self._limits)
        context.shared = envelope.shared or door.shared
        return in_turn(envelope.items, context.new_id)

    def _context(self, letter: DeadLetter, door: Door) -> Context:
        source = self._source(letter.source)
        return Context(
            source=letter.source,
            channel=None if source is None else source.channel,
            received_at=letter.received_at,
            hash_key=self._hash_key,
            new_id=Numbered(letter.source, door.origin or letter.id, door.item),
            limits=self._limits,
            call=door.call,
            shared=door.shared,
            asked=source,
            shift=None if door.shift is None else timedelta(seconds=door.shift),
        )

    def _source(self, name: str) -> SourceSettings | None:
        if not self._credentials.open:
            return self._named.get(name)
        try:
            return self._credentials.source_of(name)
        except Unauthorised:  # never, of an open listener
            return None


def _said(letter: DeadLetter, now: datetime, what: Literal["accepted", "refused"]) -> Outgoing:
    """The letter once more, without its content, saying that it was sent again."""
    return outgoing(msgspec.structs.replace(letter, content=b"", redriven_at=now, redriven=what))
