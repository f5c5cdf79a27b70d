"""Receipts of erasure that the file keeps, so that an erasure that was broken off tells all it did.

A receipt is stored in the transaction that it is about. What follows - writing the file anew - may
fail or be cut short; whoever then asks again gets that receipt, and not one of what little was left
to do. The last one that was finished stays, since its answer may not have been written.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final

import msgspec

from pipeline.receipts import Receipt, Removed

_UNFINISHED: Final = "erasing "
_FINISHED: Final = "erased "

_decode: Final = msgspec.json.Decoder(Receipt).decode


def kept(connection: sqlite3.Connection, id_: str) -> Receipt | None:
    """The receipt of the order with this id; None where it has not been carried out."""
    row = connection.execute(
        "SELECT value FROM meta WHERE name IN (?, ?)", (_UNFINISHED + id_, _FINISHED + id_)
    ).fetchone()
    return None if row is None else _decode(row[0])


def ids(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Of the receipts that are kept, among which is the newest."""
    names = connection.execute(
        "SELECT name FROM meta WHERE name GLOB ? OR name GLOB ?",
        (f"{_UNFINISHED}*", f"{_FINISHED}*"),
    )
    return tuple(name.removeprefix(_UNFINISHED).removeprefix(_FINISHED) for (name,) in names)


def with_unfinished(connection: sqlite3.Connection, receipt: Receipt, digest: str) -> Receipt:
    """A receipt that also tells what unfinished erasures of the same customer did.

    Args:
        connection: In the erasure's transaction; theirs are taken out.
        receipt: Not sealed yet.
        digest: Of the identifier by which the customer was asked for.
    """
    for name, earlier in list(_unfinished(connection)):
        if digest in earlier.identifiers:
            receipt = _both(earlier, receipt)
            connection.execute("DELETE FROM meta WHERE name = ?", (name,))
    return receipt


def keep(connection: sqlite3.Connection, receipt: Receipt) -> None:
    """Store a sealed receipt as unfinished, in the erasure's transaction."""
    connection.execute("DELETE FROM meta WHERE name GLOB ?", (f"{_FINISHED}*",))
    value = msgspec.json.encode(receipt)
    connection.execute("INSERT INTO meta VALUES (?, ?)", (_UNFINISHED + receipt.id, value))


def finish(connection: sqlite3.Connection, receipt: Receipt) -> None:
    """The file was written anew: nothing is left to do."""
    connection.execute(
        "UPDATE meta SET name = ? WHERE name = ?",
        (_FINISHED + receipt.id, _UNFINISHED + receipt.id),
    )


def _unfinished(connection: sqlite3.Connection) -> Iterator[tuple[str, Receipt]]:
    for name, value in connection.execute(
        "SELECT name, value FROM meta WHERE name GLOB ?", (f"{_UNFINISHED}*",)
    ):
        yield name, _decode(value)


def _both(earlier: Receipt, later: Receipt) -> Receipt:
    return msgspec.structs.replace(
        later,
        identifiers=tuple(sorted({*earlier.identifiers, *later.identifiers})),
        shared=max(earlier.shared, later.shared),
        customers=tuple(sorted({*earlier.customers, *later.customers})),
        topics={
            topic: _sums(earlier.topics.get(topic, {}), done)
            for topic, done in later.topics.items()
        },
        states=_sums(earlier.states, later.states),
    )


def _sums(one: dict[str, Removed], other: dict[str, Removed]) -> dict[str, Removed]:
    return {
        name: Removed(
            removed=sum(of.get(name, Removed()).removed for of in (one, other)),
            rewritten=sum(of.get(name, Removed()).rewritten for of in (one, other)),
        )
        for name in {**one, **other}
    }
