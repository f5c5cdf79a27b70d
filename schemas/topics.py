"""The topic catalogue: name, key, record, partitions, retention and cleanup. Said here, once.

Topics are plural kebab-case without dots or environment. Co-partitioned topics - those that one
stage reads together - have the same number of partitions.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec

from schemas.letters import DeadLetter
from schemas.records import (
    Alert,
    IdentityChange,
    JourneyOutcome,
    Link,
    Record,
    Session,
    Touchpoint,
    Verdict,
    Votes,
)


class Cleanup(StrEnum):
    """What Kafka does with old records of a topic; the words are Kafka's own."""

    DELETE = "delete"
    COMPACT = "compact"
    COMPACT_DELETE = "compact,delete"


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic.

    Attributes:
        name: What it is called, everywhere.
        key: What its records are keyed by, in words.
        record: The struct that its values decode to.
        cleanup: What happens to old records.
        retention: How long a record stays; None where only compaction removes it.
        partitions: How many it has by default on Kafka.
        message_bytes_max: Bytes of the largest record, as sent, that Kafka is to take: the largest
            item of a listener, 1 MiB, and what is put around it; a hand-over holds 1,000
            touchpoints in short.
    """

    name: str
    key: str
    record: type[Record]
    cleanup: Cleanup
    retention: timedelta | None
    partitions: int = 8
    message_bytes_max: int = 2 * 1024**2


TOUCHPOINTS: Final = "touchpoints"
CUSTOMER_TOUCHPOINTS: Final = "customer-touchpoints"
LINKS: Final = "links"
IDENTITY_CHANGES: Final = "identity-changes"
SESSIONS: Final = "sessions"
JOURNEY_OUTCOMES: Final = "journey-outcomes"
VERDICTS: Final = "verdicts"
VOTES: Final = "votes"
TOUCHPOINT_ALERTS: Final = "touchpoint-alerts"
DEAD_LETTERS: Final = "dead-letters"

_WEEK: Final = timedelta(days=7)
_QUARTER: Final = timedelta(days=90)

TOPICS: Final[dict[str, Topic]] = {
    topic.name: topic
    for topic in (
        Topic(
            name=TOUCHPOINTS,
            key="primary identifier",
            record=Touchpoint,
            cleanup=Cleanup.DELETE,
            retention=_WEEK,
        ),
        Topic(
            name=CUSTOMER_TOUCHPOINTS,
            key="customer",
            record=Touchpoint,
            cleanup=Cleanup.DELETE,
            retention=_WEEK,
            message_bytes_max=8 * 1024**2,
        ),
        Topic(name=LINKS, key="identifier", record=Link, cleanup=Cleanup.COMPACT, retention=None),
        Topic(
            name=IDENTITY_CHANGES,
            key="customer",
            record=IdentityChange,
            cleanup=Cleanup.COMPACT,
            retention=None,
        ),
        Topic(
            name=SESSIONS,
            key="session id",
            record=Session,
            cleanup=Cleanup.COMPACT_DELETE,
            retention=_QUARTER,
        ),
        Topic(
            name=JOURNEY_OUTCOMES,
            key="journey id",
            record=JourneyOutcome,
            cleanup=Cleanup.COMPACT_DELETE,
            retention=_QUARTER,
        ),
        Topic(
            name=VERDICTS,
            key="touchpoint",
            record=Verdict,
            cleanup=Cleanup.DELETE,
            retention=_WEEK,
        ),
        Topic(
            name=VOTES,
            key="touchpoint",
            record=Votes,
            cleanup=Cleanup.DELETE,
            retention=timedelta(days=1),
        ),
        Topic(
            name=TOUCHPOINT_ALERTS,
            key="alert series",
            record=Alert,
            cleanup=Cleanup.COMPACT_DELETE,
            retention=_QUARTER,
        ),
        Topic(
            name=DEAD_LETTERS,
            key="source",
            record=DeadLetter,
            cleanup=Cleanup.DELETE,
            retention=timedelta(days=30),
        ),
    )
}
"""Every topic by its name, in the order in which a touchpoint meets them."""
