"""Keeping: records of the result topics go into the store, whatever their order and repeats.

The last revision of each result is kept, with the sums that follow from it, in the transaction that
also says how far the topics were read: after a crash it goes on there, and nothing counts twice.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, NamedTuple

from pipeline.console.erased import AT_ONCE, RESULTS, Came, Erased
from pipeline.console.store import SPAN_MINUTES, milliseconds, minute_of
from pipeline.console.tallies import NO_MISSION, Tallies
from pipeline.stitching.votes import SOURCE
from schemas import codec
from schemas.errors import ContractViolation
from schemas.letters import DeadLetter
from schemas.records import (
    Alert,
    IdentityChange,
    JourneyOutcome,
    Record,
    Session,
    Verdict,
    Votes,
)
from schemas.topics import (
    DEAD_LETTERS,
    IDENTITY_CHANGES,
    JOURNEY_OUTCOMES,
    SESSIONS,
    TOPICS,
    TOUCHPOINT_ALERTS,
    VERDICTS,
    VOTES,
)

READ: Final = (
    TOUCHPOINT_ALERTS,
    IDENTITY_CHANGES,
    JOURNEY_OUTCOMES,
    VERDICTS,
    VOTES,
    SESSIONS,
    DEAD_LETTERS,
)
"""The topics that are read: results, and nothing that emitters sent."""


_ref_of: Final = attrgetter("ref")
_journey_id_of: Final = attrgetter("journey_id")
_session_id_of: Final = attrgetter("session_id")


class Arrived(NamedTuple):
    """A record as it came: a value of None says that its key was deleted.

    `at` is when it was appended, in milliseconds.
    """

    key: str
    value: bytes | None
    at: int


class Keeper:
    """The writing end of the store; used by one thread.

    Attributes:
        latest: The newest event that was kept since this was made.
        erased: Whether something was erased since somebody last set this to False.
        unreadable: Values that were passed over.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._series: dict[tuple[str, str], int] = {
            (touchpoint, mission): number
            for number, touchpoint, mission in connection.execute(
                "SELECT id, touchpoint, mission FROM series"
            )
        }
        self._erased = Erased(connection)
        self._keep: Final[dict[str, Callable[[list[Any]], None]]] = {
            VERDICTS: self._verdicts,
            JOURNEY_OUTCOMES: self._journeys,
            SESSIONS: self._sessions,
            VOTES: self._votes,
            TOUCHPOINT_ALERTS: self._alerts,
            DEAD_LETTERS: self._letters,
        }
        self.latest: datetime | None = None
        self.erased = False
        self.unreadable = 0

    def take(
        self, topic: str, records: Sequence[Arrived], offsets: Mapping[int, int], now: datetime
    ) -> None:
        """Keep records of one topic, and remember how far it was read.

        Args:
            topic: One of `READ`.
            records: In the order of their partitions.
            offsets: By partition, the offset that is next.
            now: Wall clock; no event is believed to be later than a few minutes ahead of it.

        A value that is no record of this topic is passed over and counted.

        Raises:
            sqlite3.Error: The store takes no more; nothing of the batch was kept.
        """
        kind = TOPICS[topic].record
        came = list(self._decoded(records, kind))
        deleted = [one.key for one in records if one.value is None]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            if came:
                self._take(topic, came)
            if deleted:
                self._delete(topic, deleted)
            self._note_latest(topic, came, now)
            self._connection.executemany(
                "INSERT INTO offsets VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET next = excluded.next",
                [(topic, partition, following) for partition, following in offsets.items()],
            )
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def _take(self, topic: str, came: Sequence[Came]) -> None:
        if topic == IDENTITY_CHANGES:
            self._identities(came)
        elif topic not in RESULTS:
            self._keep[topic]([one.record for one in came])
        else:
            theirs, others = self._erased.parted(came)
            if theirs:  # as if they had come before the erasure: their sums stay
                self._keep[topic](self._erased.left(topic, theirs))
                self._erased.results(topic, theirs)
                self.erased = True
            self._keep[topic](self._erased.left(topic, others))

    def _decoded(self, records: Sequence[Arrived], kind: type[Record]) -> Iterator[Came]:
        for one in records:
            if one.value is None:
                continue
            try:
                record = codec.decode_either(one.value, kind)
            except ContractViolation:
                self.unreadable += 1
            else:
                if isinstance(record, kind):  # what touchpoints tell each other is not shown
                    yield Came(record, one.at)

    def offsets(self, topic: str) -> dict[int, int]:
        """By partition, the offset from which the topic is to be read."""
        return dict(
            self._connection.execute(
                "SELECT partition, next FROM offsets WHERE topic = ?", (topic,)
            )
        )

    def _verdicts(self, records: list[Verdict]) -> None:
        newest = _newest(records, _ref_of)
        known = self._known("verdicts", {one.id for one in newest.values()}, Verdict, _ref_of)
        tallies, rows = Tallies(), []
        for ref, one in newest.items():
            before = known.get(ref)
            if before is not None:
                if before.revision >= one.revision:
                    continue
                tallies.verdict(before, -1)
            tallies.verdict(one, 1)
            rows.append(
                (
                    one.id,
                    one.source,
                    one.customer,
                    one.touchpoint,
                    one.mission or NO_MISSION,
                    one.journey_id,
                    milliseconds(one.occurred_at),
                    int(one.verdict == "broken"),
                    codec.encode(one),
                )
            )
        self._connection.executemany(
            "INSERT INTO verdicts (id, source, customer, touchpoint, mission, journey, occurred,"
            " broken, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, source) DO UPDATE"
            " SET customer = excluded.customer, touchpoint = excluded.touchpoint,"
            " mission = excluded.mission, journey = excluded.journey,"
            " occurred = excluded.occurred, broken = excluded.broken, record = excluded.record",
            rows,
        )
        tallies.add_to(self._connection)

    def _journeys(self, records: list[JourneyOutcome]) -> None:
        newest = _newest(records, _journey_id_of)
        known = self._known("journeys", newest, JourneyOutcome, _journey_id_of)
        tallies, rows = Tallies(), []
        for id_, one in newest.items():
            before = known.get(id_)
            if before is not None:
                if before.revision >= one.revision:
                    continue
                tallies.journey(before, -1)
            tallies.journey(one, 1)
            ended = milliseconds(one.ended_at)
            rows.append((id_, one.customer, one.mission, one.broke_at, ended, codec.encode(one)))
        self._connection.executemany(
            "INSERT INTO journeys (id, customer, mission, broke_at, ended, record)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " customer = excluded.customer, mission = excluded.mission,"
            " broke_at = excluded.broke_at, ended = excluded.ended, record = excluded.record",
            rows,
        )
        tallies.add_to(self._connection)

    def _sessions(self, records: list[Session]) -> None:
        newest = _newest(records, _session_id_of)
        known = self._known("sessions", newest, Session, _session_id_of)
        rows = [
            (id_, one.customer, milliseconds(one.ended_at), codec.encode(one))
            for id_, one in newest.items()
            if id_ not in known or known[id_].revision < one.revision
        ]
        self._connection.executemany(
            "INSERT INTO sessions (id, customer, ended, record) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET customer = excluded.customer,"
            " ended = excluded.ended, record = excluded.record",
            rows,
        )

    def _alerts(self, records: list[Alert]) -> None:
        for one in records:
            record = codec.encode(one)
            self._connection.execute(
                "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " version = excluded.version, state = excluded.state, since = excluded.since,"
                " happened = excluded.happened, record = excluded.record"
                " WHERE excluded.version >= version",
                (
                    one.id,
                    one.version,
                    one.state,
                    one.touchpoint,
                    milliseconds(one.since),
                    milliseconds(one.at),
                    record,
                ),
            )
            self._connection.execute(
                "INSERT OR REPLACE INTO alert_versions VALUES (?, ?, ?)",
                (one.id, one.version, record),
            )

    def _votes(self, records: list[Votes]) -> None:
        """Totals of a minute replace what was there; what they differ by goes into the spans."""
        newest: dict[tuple[int, int, int], Votes] = {}
        for one in records:
            if one.touchpoint.startswith(SOURCE):
                continue  # of what a source sends, all is shown at its touchpoints
            series = self._series_of(one.touchpoint, one.mission or NO_MISSION)
            newest[series, minute_of(one.minute), one.partition] = one
        spans: dict[tuple[int, int, int], list[int]] = {}
        rows = []
        execute = self._connection.execute
        for (series, minute, partition), one in newest.items():
            before = execute(
                "SELECT votes, broken, customers FROM minutes"
                " WHERE series = ? AND minute = ? AND partition = ?",
                (series, minute, partition),
            ).fetchone() or (0, 0, 0)
            rows.append((series, minute, partition, one.votes, one.broken, one.customers))
            for width in SPAN_MINUTES:
                sums = spans.setdefault((width, minute - minute % width, series), [0, 0, 0])
                sums[0] += one.votes - before[0]
                sums[1] += one.broken - before[1]
                sums[2] += one.customers - before[2]
        self._connection.executemany("INSERT OR REPLACE INTO minutes VALUES (?,?,?,?,?,?)", rows)
        self._connection.executemany(
            "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " votes = votes + excluded.votes, broken = broken + excluded.broken,"
            " customers = customers + excluded.customers",
            [(*key, *sums) for key, sums in spans.items()],
        )

    def _identities(self, came: Sequence[Came]) -> None:
        execute = self._connection.execute
        one: IdentityChange
        for one, at in came:
            if one.change == "erased":
                self._erased.customer(one.customer, at)
                self.erased = True
            elif one.change == "merged" and one.into is not None:
                execute("INSERT OR REPLACE INTO merged VALUES (?, ?)", (one.customer, one.into))
            elif one.change == "linked" and one.identifier is not None:
                execute(
                    "INSERT OR IGNORE INTO belongs VALUES (?, ?, ?)",
                    (one.identifier, milliseconds(one.at), one.customer),
                )
            elif one.change == "unlinked" and one.identifier is not None:
                execute(
                    "DELETE FROM belongs WHERE identifier = ? AND customer = ?",
                    (one.identifier, one.customer),
                )

    def _letters(self, records: list[DeadLetter]) -> None:
        """What was refused why; never what stood in it."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO letters (id, source, reason, place, expected, received)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    one.id,
                    one.source,
                    one.reason,
                    one.where,
                    one.expected,
                    milliseconds(one.received_at),
                )
                for one in records
            ],
        )

    def _delete(self, topic: str, keys: list[str]) -> None:
        """What a topic deleted by its key."""
        table = {JOURNEY_OUTCOMES: "journeys", SESSIONS: "sessions"}.get(topic)
        if table is not None:
            self._connection.executemany(
                f"DELETE FROM {table} WHERE id = ?", [(key,) for key in keys]
            )
            self.erased = True

    def _known(
        self, table: str, ids: Iterable[str], kind: type[Any], name_of: Callable[[Any], str]
    ) -> dict[str, Any]:
        """The records that are kept already, of those ids, by what names them."""
        wanted, found = list(ids), dict[str, Any]()
        for at in range(0, len(wanted), AT_ONCE):
            part = wanted[at : at + AT_ONCE]
            rows = self._connection.execute(
                f"SELECT record FROM {table} WHERE id IN ({','.join('?' * len(part))})", part
            )
            kept = (codec.decode(record, kind) for (record,) in rows)
            found.update((name_of(one), one) for one in kept)
        return found

    def _series_of(self, touchpoint: str, mission: str) -> int:
        known = self._series.get((touchpoint, mission))
        if known is None:
            self._connection.execute(
                "INSERT OR IGNORE INTO series (touchpoint, mission) VALUES (?, ?)",
                (touchpoint, mission),
            )
            (known,) = self._connection.execute(
                "SELECT id FROM series WHERE touchpoint = ? AND mission = ?", (touchpoint, mission)
            ).fetchone()
            self._series[touchpoint, mission] = known
        return known

    def _note_latest(self, topic: str, came: Sequence[Came], now: datetime) -> None:
        """Remember the newest event, which pages count their windows from."""
        if topic != VERDICTS or not came:
            return
        newest = max(one.record.occurred_at for one in came)
        newest = min(newest, now + timedelta(minutes=5))
        if self.latest is None or newest > self.latest:
            self.latest = newest
            self._connection.execute(
                "INSERT INTO meta VALUES ('latest', ?) ON CONFLICT DO UPDATE"
                " SET value = max(value, excluded.value)",
                (milliseconds(newest),),
            )


def _newest(records: Sequence[Any], id_of: Callable[[Any], str]) -> dict[str, Any]:
    """Of each id the highest revision, the later one where two are equal."""
    newest: dict[str, Any] = {}
    for one in records:
        id_ = id_of(one)
        before = newest.get(id_)
        if before is None or before.revision <= one.revision:
            newest[id_] = one
    return newest
