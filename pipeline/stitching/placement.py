"""Placement: whose an interaction is, by what a customer was told of identifiers.

Keys are read at their own pace, so what one says may overtake what another sent before it. Two
things make up for that. Every interaction carries the hops by which it came, each with the version
of the timeline that sent it there; and every customer remembers the newest timelines it was told
of, so that what arrives by an older one is sent on. Versions only rise along a way, so that an
interaction comes to rest, and it rests where the newest timelines say.

Why nobody is missed: an identifier tells each owner that loses something, a customer tells those
to whom it passed things on, and it does so in the order in which it passed them. So the news
follows an interaction by the way it went, and meets it at rest, or is there before it.
"""

from datetime import datetime
from typing import Final

import msgspec

from pipeline.stitching.ids import customer_of
from pipeline.stitching.ownership import Owners, owner_at
from schemas.controls import Hop

Path = tuple[Hop, ...]


TOLD_MAX: Final = 1_000
"""Identifiers of which a customer remembers what it was told, and customers to whom it passed
things on; of more within a revision window the oldest go (P). Only what everybody shows gets there.
"""


HOPS_MAX: Final = 32
"""Identifiers, each the owner of the one before, over which an interaction travels at most; there
it stays (P). Types can own each other over eight steps; further only aliases lead, each naming the
one before, and every step costs each interaction a message."""


class Told(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The newest that is known of one identifier's timeline; as `controls.Recall` has it.

    It is remembered until then.
    """

    version: int
    owners: Owners
    since: datetime | None = None
    until: datetime | None = None


class Forwarding(msgspec.Struct, array_like=True, gc=False):
    """What a customer knows of whom things belong to instead. Most customers have none.

    Attributes:
        identifier: The identifier whose own customer this is, once a reroute has told it.
        version: Of the timeline of that identifier.
        owners: Where it belongs by now: (from, customer), sorted; empty where nothing more comes
            for it but what it sends there itself.
        told: By identifier, what others said of theirs.
        passed: Customers to whom was passed on what had come by others before.
        until: Event time until which `told` and `passed` can matter.
    """

    identifier: str = ""
    version: int = 0
    owners: Owners = ()
    told: dict[str, Told] = {}
    passed: list[str] = []
    until: datetime | None = None

    def place(self, customer: str, at: datetime, path: Path) -> tuple[str, Path]:
        """Whose an interaction of that time and path is, and by which path it gets there."""
        told = self.told
        for step, (identifier, version) in enumerate(path) if told else ():
            known = told.get(identifier)
            if known is None or known.version <= version:
                continue
            if known.since is not None and at < known.since:
                continue
            owner = owner_at(known.owners, at) or customer_of(identifier)
            here, following = (*path[:step], (identifier, known.version)), path[step + 1 :]
            if owner == (customer_of(following[0][0]) if following else customer):
                path = (*here, *following)
            elif owner == customer:  # straight, not by the hops that follow: they count no more
                path = here
                break
            else:
                return owner, here
        owner_now = owner_at(self.owners, at)
        if owner_now is None or owner_now == customer:
            return customer, path
        before = next((n for n, hop in enumerate(path) if hop[0] == self.identifier), len(path))
        if before >= HOPS_MAX:
            return customer, path
        return owner_now, (*path[:before], (self.identifier, self.version))

    def learn(self, identifier: str, told: Told, until: datetime) -> bool:
        """Remember what was told; tells whether it is news."""
        known = self.told.get(identifier)
        if known is not None and known.version >= told.version:
            return False
        self.told.pop(identifier, None)  # so that it goes to the end, with what is new
        self.told[identifier] = Told(told.version, told.owners, told.since, until)
        if len(self.told) > TOLD_MAX:
            del self.told[next(iter(self.told))]
        self.remember(until)
        return True

    def pass_on(self, owner: str, path: Path, until: datetime) -> None:
        """Note that something goes to `owner` by `path`.

        What the last hop's identifier thinks better of it tells its owners itself; what an earlier
        one does, whoever passed it on.
        """
        if len(path) > 1:
            if owner not in self.passed:
                self.passed.append(owner)
                if len(self.passed) > TOLD_MAX:
                    del self.passed[0]
            self.remember(until)

    def remember(self, until: datetime) -> None:
        """Keep what is remembered at least until then."""
        if self.until is None or until > self.until:
            self.until = until

    def forget(self, now: datetime) -> None:
        """Let go of what can matter no more."""
        if self.until is not None and now >= self.until:
            self.told, self.passed, self.until = {}, [], None
        elif self.told:
            past = [n for n, one in self.told.items() if one.until is not None and one.until <= now]
            for name in past:
                del self.told[name]

    @property
    def due_at(self) -> datetime | None:
        """When the first of what is remembered can matter no more."""
        oldest = next(iter(self.told.values()), None)
        return self.until if oldest is None or oldest.until is None else oldest.until

    @property
    def empty(self) -> bool:
        """Whether nothing has to be kept of it."""
        return not (self.owners or self.told or self.passed)
