"""Traces: whether a file still holds anything of a customer whom a receipt says was erased.

The receipt has digests only; so the digest of every identifier and customer that is found is made,
and compared. Reading only, beside a running process.
"""

import sqlite3

from pipeline.receipts import Receipt, Seal
from pipeline.runtimes.embedded.log import Chunk, all_chunks, milliseconds
from pipeline.stitching import erasing
from pipeline.stitching.ids import customer_of
from pipeline.topology import IDENTIFY, STITCH
from schemas import codec
from schemas.records import IdentityChange, Record, Touchpoint
from schemas.topics import CUSTOMER_TOUCHPOINTS, IDENTITY_CHANGES, TOPICS, TOUCHPOINTS


def traces(connection: sqlite3.Connection, receipt: Receipt, seal: Seal) -> list[str]:
    """What is left of whom a receipt is about, in words; nothing where all is gone.

    What was received after the erasure is new, and no trace.
    """
    identifiers, customers = set(receipt.identifiers), set(receipt.customers)
    left: list[str] = []
    newer: set[str] = set()
    ids = dict(connection.execute("SELECT name, id FROM topics"))
    for topic in TOPICS.values():
        for chunk in all_chunks(connection, ids[topic.name]):
            for offset, entry in enumerate(chunk.entries, chunk.base):
                if entry is None or not isinstance(entry[1], bytes):
                    continue
                found = _digests_in(topic.name, entry[1], seal)
                if found.isdisjoint(identifiers | customers):
                    continue
                if _received_later(topic.name, entry[1], chunk, receipt):
                    newer |= found
                else:
                    left.append(f"{topic.name}: a record at offset {offset}")
    for stage, wanted in ((IDENTIFY, identifiers), (STITCH, customers)):
        for (key,) in connection.execute(f"SELECT key FROM state_{stage.name}"):
            if (digest := seal.digest(key)) in wanted and digest not in newer:
                left.append(f"state of {stage.name}: one")
    return left


def _digests_in(topic: str, value: bytes, seal: Seal) -> set[str]:
    record: Record | None
    if topic in (TOUCHPOINTS, CUSTOMER_TOUCHPOINTS):
        record = codec.decode_control(value) or codec.decode_touchpoint(value)
    else:
        record = codec.decode_either(value, TOPICS[topic].record)
    names = {name for name in erasing.names_in(record) if name}
    found = {seal.digest(name) for name in names}
    if isinstance(record, Touchpoint):
        found |= {seal.digest(customer_of(name)) for name in names}
    return found


def _received_later(topic: str, value: bytes, chunk: Chunk, receipt: Receipt) -> bool:
    if topic == TOUCHPOINTS:
        return codec.decode_touchpoint(value).received_at > receipt.erased_at
    if topic == IDENTITY_CHANGES and codec.decode(value, IdentityChange).change == "erased":
        return True
    return chunk.appended_at > milliseconds(receipt.erased_at)
