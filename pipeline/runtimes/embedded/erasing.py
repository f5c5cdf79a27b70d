"""Erasing in the embedded runtime: the log and the states are rewritten without a customer.

One transaction; then the file is written anew (`VACUUM`) and its write-ahead log emptied, since
what SQLite frees it does not overwrite. Afterwards no byte of the folder holds what was erased;
only `identity-changes` says that a customer, by its derived id, was.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from time import sleep
from typing import Any, Final

from pipeline.books import UNKNOWN
from pipeline.receipts import Receipt, Removed, Seal
from pipeline.runtimes.embedded import receipts
from pipeline.runtimes.embedded.log import Entry, Log, all_chunks, chunks_from, pack_chunk
from pipeline.stitching import erasing, keys
from pipeline.stitching.caps import ONE_MORE
from pipeline.stitching.claims import IdentifierState
from pipeline.stitching.contents import names_in_content
from pipeline.stitching.erasing import ERASED, Circle
from pipeline.stitching.identity import BY_OPERATOR
from pipeline.stitching.rules import Rules
from pipeline.stitching.signals import IDENTITY_ONLY
from pipeline.stitching.tallies import Tally
from pipeline.topology import IDENTIFY, STITCH, TALLY, WATCH
from schemas import codec
from schemas.errors import ContractViolation
from schemas.letters import DeadLetter
from schemas.records import IdentityChange, Record, Touchpoint
from schemas.topics import (
    CUSTOMER_TOUCHPOINTS,
    DEAD_LETTERS,
    IDENTITY_CHANGES,
    TOPICS,
    TOUCHPOINTS,
)

CHECKPOINT_TRIES: Final = 100
"""Tries, 50 ms apart, to empty the write-ahead log while somebody reads."""

Rewrite = Callable[[int, Entry], Entry | None]
"""Of an offset and an entry, what is to stand there; None for nothing."""


class Erasing:
    """Erases customers from one file.

    Args:
        rules: The catalogue's.
        seal: Signs the receipt.
        hashed: The keyed hash of a normalised personal value, as the listeners make it.
    """

    def __init__(self, rules: Rules, seal: Seal, hashed: Callable[[str], str]) -> None:
        self._rules, self._seal, self._hashed = rules, seal, hashed

    def erase(
        self,
        connection: sqlite3.Connection,
        log: Log,
        asked: tuple[str, str],
        now: datetime,
    ) -> Receipt:
        """Forget a customer, and say so.

        Nothing else may use the connection meanwhile. What the caller holds in memory of log or
        states is stale afterwards. It takes as long as reading the log and writing the file anew.

        Args:
            connection: The writing one, in no transaction.
            log: Of the same connection; nothing is pending on it.
            asked: The receipt's id, and one of the customer's identifiers as `type:value`.
            now: The wall clock.

        Raises:
            Ambiguous: The identifier was several customers'; nothing was done.
            StillRead: All was done, but the old state is still on the disk.
            sqlite3.Error: Where the disk is full, all or nothing of it was done. Whichever it was,
                asked again it finishes, and the receipt tells all.
        """
        connection.execute("PRAGMA secure_delete = ON")
        try:
            receipt = receipts.kept(connection, asked[0])
            if receipt is None:
                receipt = self._forgotten(connection, log, asked, now)
            connection.execute("VACUUM")
            empty_the_wal(connection)
            receipts.finish(connection, receipt)
        finally:
            connection.execute("PRAGMA secure_delete = OFF")
        return receipt

    def _forgotten(
        self, connection: sqlite3.Connection, log: Log, asked: tuple[str, str], now: datetime
    ) -> Receipt:
        """The transaction, and the receipt that it stores."""
        work = _Work(connection, log, self._rules, self._hashed)
        connection.execute("BEGIN IMMEDIATE")
        try:
            circle = work.circle_of(asked[1])
            topics = work.rewrite_log(circle)
            states = work.rewrite_states(circle)
            work.tell(circle, now)
            receipt = Receipt(
                id=asked[0],
                erased_at=now,
                runtime="embedded",
                identifiers=self._seal.digests(circle.names),
                shared=len(circle.shared),
                customers=self._seal.digests(circle.customers),
                topics={topic: {"0": done} for topic, done in topics.items()},
                states=states,
                dead_letters_unread=work.unread,
                remains=REMAINS,
            )
            digest = self._seal.digest(asked[1])
            receipt = self._seal.sealed(receipts.with_unfinished(connection, receipt, digest))
            receipts.keep(connection, receipt)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            log.rollback()
            raise
        log.commit()
        return receipt


class StillRead(sqlite3.OperationalError):
    """Somebody went on reading an old state of the file for too long."""


REMAINS: Final = (
    "identity-changes: that a customer of this derived id was erased",
    "votes, touchpoint-alerts: counts that name nobody",
    "copies that others made before: subscribers, backups, files written by `tail` or `export`",
)
"""What an erasure leaves, for the receipt."""


def empty_the_wal(connection: sqlite3.Connection) -> None:
    """Carry the write-ahead log over into the file, and cut it to nothing.

    Raises:
        StillRead: Somebody went on reading an old state for too long.
    """
    for _ in range(CHECKPOINT_TRIES):
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        sleep(0.05)
    message = "somebody who reads the data and keeps the write-ahead log from being emptied"
    raise StillRead(message)


class _Work:
    """One erasure, inside its transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        log: Log,
        rules: Rules,
        hashed: Callable[[str], str],
    ) -> None:
        self.unread = 0
        self._connection, self._log = connection, log
        self._rules, self._hashed = rules, hashed
        (self._processed,) = connection.execute("SELECT processed FROM progress").fetchone()
        self._known: dict[str, IdentifierState | None] = {}

    def circle_of(self, identifier: str) -> Circle:
        """The customer's identifiers, by the states and by what waits to be processed."""
        circle = erasing.circle_of(identifier, self._state_of, self._owned_by, self._rules.identity)
        while True:
            more: set[str] = set()
            for _, touchpoint in self._waiting():
                if erasing.is_theirs(touchpoint, circle, self._state_of, self._rules.identity):
                    key, shown = keys.read(touchpoint, self._rules.identity)
                    more |= {name for name in (key, *shown) if self._state_of(name) is None}
            if more <= circle.names:
                return circle
            circle = Circle(circle.names | more, circle.shared)

    def rewrite_log(self, circle: Circle) -> dict[str, Removed]:
        """Every topic, `touchpoints` first: whose those are decides on what follows from them."""
        gone: set[int] = set()

        def touchpoints(offset: int, entry: Entry) -> Entry | None:
            touchpoint = codec.decode_touchpoint(entry[1]) if isinstance(entry[1], bytes) else None
            if touchpoint is None:
                return entry
            left: Touchpoint | None = touchpoint
            if erasing.is_theirs(touchpoint, circle, self._state_of, self._rules.identity):
                circle.add(touchpoint, self._rules)
                left = None
            else:
                left = erasing.without_names(touchpoint, circle)
            if left is touchpoint:
                return entry
            if left is not None:
                return (entry[0], codec.encode(left))
            gone.add(offset)
            return _stub(offset, touchpoint) if offset >= self._processed else None

        def passed_on(_: int, entry: Entry) -> Entry | None:
            if entry[0] in circle.customers:
                return None
            if isinstance(entry[1], int):
                return None if entry[1] in gone else entry
            told = codec.decode_control(entry[1])
            return None if told is not None and erasing.without(told, circle) is None else entry

        done = {TOUCHPOINTS: self._rewrite(TOUCHPOINTS, touchpoints)}
        done[CUSTOMER_TOUCHPOINTS] = self._rewrite(CUSTOMER_TOUCHPOINTS, passed_on)
        done[DEAD_LETTERS] = self._rewrite(DEAD_LETTERS, self._letters(circle))
        for topic in TOPICS.values():
            if topic.name not in done:
                done[topic.name] = self._rewrite(topic.name, _derived(topic.record, circle))
        return done

    def rewrite_states(self, circle: Circle) -> dict[str, Removed]:
        """Every stage: states of the customer go, those of others are taken out of them."""

        def of_stitch(state: Any) -> bool:
            if isinstance(state, Tally):
                return erasing.forget_in_tally(state, circle)
            return erasing.forget_in_customer(state, circle)

        def of_identify(state: Any) -> bool:
            return erasing.forget_in_identifier(state, circle)

        def of_watch(state: Any) -> bool:
            return erasing.forget_in_watched(state, circle)

        return {
            IDENTIFY.name: self._states(IDENTIFY, circle.names, circle, of_identify),
            STITCH.name: self._states(STITCH, circle.customers, circle, of_stitch),
            WATCH.name: self._states(WATCH, (), circle, of_watch),
        }

    def tell(self, circle: Circle, now: datetime) -> None:
        """Tell subscribers which customers are no more, so that they forget them, too."""
        for customer in sorted(circle.customers):
            change = IdentityChange(customer=customer, change="erased", at=now, reason=BY_OPERATOR)
            self._log.append(IDENTITY_CHANGES, customer, codec.encode(change))
        self._log.write(now)

    def _letters(self, circle: Circle) -> Rewrite:
        values = {name.partition(":")[2] for name in circle.names} | circle.names

        def letters(_: int, entry: Entry) -> Entry | None:
            if not isinstance(entry[1], bytes):
                return entry
            letter = codec.decode(entry[1], DeadLetter)
            if letter.reason == "identifier_cap":
                return None if circle.has("", letter.found.removeprefix(ONE_MORE)) else entry
            said = letter.content + b" " + letter.found.encode()
            source = "" if letter.source == UNKNOWN else letter.source
            try:
                theirs = any(
                    word in values or circle.has(source, word)
                    for word in names_in_content(said, self._hashed)
                )
            except RecursionError:
                theirs = False
            self.unread += letter.truncated and not theirs
            return None if theirs else entry

        return letters

    def _rewrite(self, topic: str, rewrite: Rewrite) -> Removed:
        number = self._log.ids[topic]
        removed = rewritten = 0
        for chunk in all_chunks(self._connection, number):
            entries: list[Entry | None] = []
            for offset, entry in enumerate(chunk.entries, chunk.base):
                left = None if entry is None else rewrite(offset, entry)
                if entry is not None and left is not entry:
                    removed += left is None or left[0] == ERASED
                    rewritten += left is not None and left[0] != ERASED
                entries.append(left)
            if entries == chunk.entries:
                continue
            if any(entries):
                checksum, records = pack_chunk(entries)
                self._connection.execute(
                    "UPDATE chunks SET checksum = ?, records = ? WHERE topic = ? AND base = ?",
                    (checksum, records, number, chunk.base),
                )
            else:
                self._connection.execute(
                    "DELETE FROM chunks WHERE topic = ? AND base = ?", (number, chunk.base)
                )
        return Removed(removed=removed, rewritten=rewritten)

    def _states(
        self,
        stage: Any,
        theirs: Iterable[str],
        circle: Circle,
        forget: Callable[[Any], bool],
    ) -> Removed:
        table = f"state_{stage.name}"
        marks = [name.encode() for name in circle.names | circle.customers]
        counting = stage is WATCH  # has samples of touchpoints, and is small; so have tallies
        removed = 0
        for key in theirs:
            removed += self._connection.execute(
                f"DELETE FROM {table} WHERE key = ?", (key,)
            ).rowcount
        changed: list[tuple[bytes, int]] = []
        for number, packed in self._connection.execute(f"SELECT id, state FROM {table}"):
            if counting or packed[:1] == TALLY or any(mark in packed for mark in marks):
                state = stage.decode(packed)
                if forget(state):
                    changed.append((stage.encode(state), number))
        self._connection.executemany(f"UPDATE {table} SET state = ? WHERE id = ?", changed)
        return Removed(removed=removed, rewritten=len(changed))

    def _state_of(self, identifier: str) -> IdentifierState | None:
        if identifier not in self._known:
            row = self._connection.execute(
                "SELECT state FROM state_identify WHERE key = ?", (identifier,)
            ).fetchone()
            self._known[identifier] = None if row is None else IDENTIFY.decode(row[0])
        return self._known[identifier]

    def _owned_by(self, names: Iterable[str]) -> Iterator[tuple[str, IdentifierState]]:
        wanted = set(names)
        marks = [name.encode() for name in wanted]
        for key, packed in self._connection.execute("SELECT key, state FROM state_identify"):
            if any(mark in packed for mark in marks):
                state = IDENTIFY.decode(packed)
                if not wanted.isdisjoint(erasing.owners_in(state)):
                    yield key, state

    def _waiting(self) -> Iterator[tuple[int, Touchpoint]]:
        """Touchpoints that no stage has seen."""
        for chunk in chunks_from(self._connection, self._log.ids[TOUCHPOINTS], self._processed):
            for offset, entry in enumerate(chunk.entries, chunk.base):
                if entry is not None and offset >= self._processed and isinstance(entry[1], bytes):
                    try:
                        yield offset, codec.decode_touchpoint(entry[1])
                    except ContractViolation:
                        continue


def _stub(offset: int, touchpoint: Touchpoint) -> Entry:
    """What stands where an unprocessed touchpoint stood: offsets there may have no gaps.

    Its source is kept, since there the ledger counted it when it was accepted.
    """
    left = Touchpoint(
        id=f"{ERASED}-{offset}",
        source=touchpoint.source,
        channel=touchpoint.channel,
        name=ERASED,
        occurred_at=touchpoint.occurred_at,
        received_at=touchpoint.received_at,
        signals=(IDENTITY_ONLY,),
    )
    return (ERASED, codec.encode(left))


def _derived(kind: type[Record], circle: Circle) -> Rewrite:
    def derived(_: int, entry: Entry) -> Entry | None:
        if not isinstance(entry[1], bytes):
            return entry
        record = codec.decode_either(entry[1], kind)
        left = erasing.without(record, circle)
        if left is record:
            return entry
        return None if left is None else (entry[0], codec.encode(left))

    return derived
