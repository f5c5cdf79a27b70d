"""Errors of the listeners, and the closed list of reasons for which something is refused.

Types carry data; which status code each becomes stands in `routes.py` and nowhere else.

Exception
├── ListenerError
│   ├── Refused              a whole request: reason, message
│   │   ├── Unreadable       it cannot be read: encoding, compression, JSON
│   │   ├── Unauthorised     no key, an unknown key, a page that may not use it, a forgery
│   │   ├── TooLarge         a limit on size or count was reached
│   │   ├── TooSlow          the body did not come in time
│   │   └── TooFast          its source sends more than its share; retry_after
│   ├── Unavailable          it cannot be made durable now; retry_after
│   │   └── RecordsRefused   the brokers will never take some records; the others are durable
│   ├── KafkaRefused         the brokers answer, but not to us: login, rights, topics
│   ├── SpoolFault           the spool cannot be used: path, found
│   │   ├── SpoolInUse       by another process
│   │   ├── SpoolUnreadable  not ours, of another version, or damaged beyond reading
│   │   └── SpoolFailed      the disk can no longer be believed; the process stops
│   └── SettingsInvalid      a settings file: every problem at once
└── schemas.errors.ContractViolation
    └── ItemRefused          one item of a body: reason, where, expected, found
"""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from schemas.errors import ContractViolation


class Reason(StrEnum):
    """Why a request or an item was refused: the `reason` of a dead letter and of the metrics."""

    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    EMPTY_BODY = "empty_body"
    NOT_INFLATABLE = "not_inflatable"
    ENCODING_UNKNOWN = "encoding_unknown"
    BODY_TOO_LARGE = "body_too_large"
    BATCH_TOO_LARGE = "batch_too_large"
    ITEM_TOO_LARGE = "item_too_large"
    TOO_DEEP = "too_deep"
    TOO_MANY_KEYS = "too_many_keys"
    TOO_MANY_VALUES = "too_many_values"
    KEY_TOO_LONG = "key_too_long"
    STRING_TOO_LONG = "string_too_long"
    CONTROL_CHARACTER = "control_character"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    FIELD_MISSING = "field_missing"
    FIELD_INVALID = "field_invalid"
    TIME_INVALID = "time_invalid"
    PROCESSING_FAILED = "processing_failed"
    CALL_UNKNOWN = "call_unknown"
    NO_IDENTIFIER = "no_identifier"
    KEY_MISSING = "key_missing"
    KEY_UNKNOWN = "key_unknown"
    KEY_MISMATCH = "key_mismatch"
    ORIGIN_REFUSED = "origin_refused"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNATURE_EXPIRED = "signature_expired"
    SIGNATURE_REPLAYED = "signature_replayed"
    BODY_TOO_SLOW = "body_too_slow"
    TOO_FAST = "too_fast"
    UNAVAILABLE = "unavailable"


class ListenerError(Exception):
    """The root of what a listener raises about a request, its publisher or its settings."""


class Refused(ListenerError):
    """A whole request is refused.

    Attributes:
        reason: From the closed list.
        message: For a person; never repeats what was sent.
    """

    def __init__(self, *, reason: Reason, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(message)


class Unreadable(Refused):
    """The body cannot be read at all; sending it again does not help."""


class Unauthorised(Refused):
    """The key is missing or unknown, its page is not on the source's list, or a signature fails."""


class TooLarge(Refused):
    """A limit on size or count was reached; smaller requests are welcome."""


class TooSlow(Refused):
    """The body did not arrive within its deadline or fast enough."""


class TooFast(Refused):
    """The source sends faster than its share.

    Attributes:
        retry_after: When to come again.
    """

    def __init__(self, *, reason: Reason, message: str, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        super().__init__(reason=reason, message=message)


class Unavailable(ListenerError):
    """Nothing can be made durable now; nothing of the request was acknowledged.

    Attributes:
        retry_after: When to come again.
        reason: What is wrong, for the log; the emitter is not told.
    """

    def __init__(self, *, retry_after: timedelta, reason: str) -> None:
        self.retry_after = retry_after
        self.reason = reason
        super().__init__(reason)


class RecordsRefused(Unavailable):
    """The brokers will not take some of the records, however often they are sent.

    All other records of the publication are durable.

    Attributes:
        positions: Where the refused ones stand in the publication, rising.
    """

    def __init__(self, *, retry_after: timedelta, reason: str, positions: Sequence[int]) -> None:
        self.positions = tuple(positions)
        super().__init__(retry_after=retry_after, reason=reason)


class KafkaRefused(ListenerError):
    """The brokers answer, but will not serve us as things are configured; a person must act."""


class SpoolFault(ListenerError):
    """The spool cannot be used. The message says what a person is to do.

    Attributes:
        path: The file.
        found: What is wrong with it, in words.
    """

    remedy = "Give another folder with --data, or move this file away to start anew."

    def __init__(self, *, path: Path, found: str) -> None:
        self.path = path
        self.found = found
        super().__init__(f"{path}: {found}. {self.remedy}")


class SpoolInUse(SpoolFault):
    """Another process holds the spool; two at once would send in an order of their own."""

    remedy = "Stop that process, or give this one a folder of its own with --data."


class SpoolUnreadable(SpoolFault):
    """The file cannot be used as it is; nothing in it was changed."""


class SpoolFailed(SpoolFault):
    """The disk failed in a way after which nothing written can be believed."""

    remedy = (
        "Nothing more is accepted, and all that was acknowledged before is kept. "
        "Check the disk, then start again."
    )


class SettingsInvalid(ListenerError):
    """The settings cannot be used; nothing is started.

    Attributes:
        problems: One sentence each: where, what was expected, what was found.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ItemRefused(ContractViolation):
    """One item of a body is refused; its neighbours are not.

    Attributes:
        reason: From the closed list.
    """

    def __init__(self, *, reason: Reason, where: str, expected: str, found: str) -> None:
        self.reason = reason
        super().__init__(where=where, expected=expected, found=found)
