"""Erased: whose results, and which, are not kept again though topics hold them still.

On Kafka what was appended before an erasure ends by retention alone. It comes again where the store
is filled anew, and where a topic is read behind the others; and with it an earlier revision, which
was another customer's. So it is remembered by digests, which name nobody: of customers, until when;
of results also the revision that went.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from schemas import codec
from schemas.records import JourneyOutcome, Session, Verdict
from schemas.topics import JOURNEY_OUTCOMES, SESSIONS, VERDICTS

AT_ONCE: Final = 500
"""Names that are asked for at once; SQLite takes some 32,000."""

_CUSTOMER: Final = "customer"


class Came(NamedTuple):
    """A record, and when it was appended, in milliseconds."""

    record: Any
    at: int


class _Results(NamedTuple):
    """Results of one kind: their table, and by column what names one there."""

    table: str
    kind: type[Any]
    names: dict[str, str]

    def name_of(self, record: Any) -> tuple[str, ...]:
        """What names a result among those of its kind."""
        return tuple(getattr(record, field) for field in self.names.values())


RESULTS: Final = {
    VERDICTS: _Results("verdicts", Verdict, {"id": "id", "source": "source"}),
    JOURNEY_OUTCOMES: _Results("journeys", JourneyOutcome, {"id": "journey_id"}),
    SESSIONS: _Results("sessions", Session, {"id": "session_id"}),
}
"""The topics of single customers' results, and how they are kept."""


class Erased:
    """What was erased; used within the transactions of whoever keeps.

    Args:
        connection: The writing one.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def customer(self, customer: str, at: int) -> None:
        """Forget a customer. Sums stay: they name nobody.

        Args:
            customer: Their id.
            at: When it was appended that they are erased: what they did later is new.
        """
        execute = self._connection.execute
        gone = [(_digest(_CUSTOMER, customer), at, 0)]
        for kept in RESULTS.values():
            rows = execute(f"SELECT record FROM {kept.table} WHERE customer = ?", (customer,))
            records = (codec.decode(record, kept.kind) for (record,) in rows)
            gone += [(_digest(kept.table, *kept.name_of(one)), at, one.revision) for one in records]
        for table in ("verdicts", "journeys", "sessions", "belongs", "merged"):
            execute(f"DELETE FROM {table} WHERE customer = ?", (customer,))
        execute("DELETE FROM merged WHERE survivor = ?", (customer,))
        self._remember(gone)

    def parted(self, came: Sequence[Came]) -> tuple[list[Came], list[Came]]:
        """Results of customers from before they were erased, as if of then; and the others."""
        names = {one.record.customer: _digest(_CUSTOMER, one.record.customer) for one in came}
        gone = self._of(names.values())
        theirs, others = list[Came](), list[Came]()
        for one in came:
            until, _ = gone.get(names[one.record.customer], (-1, 0))
            if one.at <= until:
                theirs.append(Came(one.record, until))
            else:
                others.append(one)
        return theirs, others

    def left(self, topic: str, came: Sequence[Came]) -> list[Any]:
        """The results that are none that went, and no earlier revision of one."""
        kept = RESULTS[topic]
        names = [_digest(kept.table, *kept.name_of(one.record)) for one in came]
        gone = self._of(names)
        left = []
        for one, name in zip(came, names, strict=True):
            until, revision = gone.get(name, (-1, 0))
            if one.at > until or one.record.revision > revision:
                left.append(one.record)
        return left

    def results(self, topic: str, came: Sequence[Came]) -> None:
        """Forget results of customers who were erased before these came."""
        kept = RESULTS[topic]
        self._remember(
            (_digest(kept.table, *kept.name_of(one.record)), one.at, one.record.revision)
            for one in came
        )
        named = "".join(f"{column} = ? AND " for column in kept.names)
        self._connection.executemany(
            f"DELETE FROM {kept.table} WHERE {named}customer = ?",
            [(*kept.name_of(one.record), one.record.customer) for one in came],
        )

    def _remember(self, gone: Iterable[tuple[bytes, int, int]]) -> None:
        self._connection.executemany(
            "INSERT INTO gone (name, until, revision) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
            " SET until = max(until, excluded.until), revision = max(revision, excluded.revision)",
            gone,
        )

    def _of(self, names: Iterable[bytes]) -> dict[bytes, tuple[int, int]]:
        """Of those that went, until when, and the revision."""
        found: dict[bytes, tuple[int, int]] = {}
        if self._connection.execute("SELECT 1 FROM gone LIMIT 1").fetchone() is None:
            return found
        wanted = list(names)
        for at in range(0, len(wanted), AT_ONCE):
            part = wanted[at : at + AT_ONCE]
            rows = self._connection.execute(
                "SELECT name, until, revision FROM gone"
                f" WHERE name IN ({','.join('?' * len(part))})",
                part,
            )
            found.update((name, (until, revision)) for name, until, revision in rows)
        return found


def _digest(what: str, *name: str) -> bytes:
    return blake2b(f"{what} {' '.join(name)}".encode(), digest_size=16).digest()
