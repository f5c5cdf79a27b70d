"""The books: what a runtime keeps count of together with its state, so that no crash loses it.

The **ledger** accounts for every touchpoint, by source: what was accepted is a result, a dead
letter, a repeat, nothing but news of who is who, of a customer who was erased, or it is in flight.
Each is counted where it is seen to happen: a result by the verdict that is published first, never
as the remainder. What then is missing is the *difference*, which is nought as long as nothing is
lost or made up.

    accepted = results + dead letters + repeats + identity only + erased + in flight + difference

The books of several partitions add up. One partition's alone need not say what is in flight: what
one has sent, another takes in.

Beside it, the **alerts** that stand.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from pipeline.stitching.change import Change, Message
from pipeline.stitching.forgetting import is_erased
from pipeline.stitching.kept import CustomerState
from pipeline.stitching.signals import IDENTITY_ONLY
from schemas import codec
from schemas.controls import Erase, Handover
from schemas.letters import DeadLetter
from schemas.records import Alert, Touchpoint, Verdict
from schemas.topics import CUSTOMER_TOUCHPOINTS, TOUCHPOINTS

SOURCES_MAX: Final = 100
"""Sources with an account of their own; those that come after them share `OTHER` (P)."""

COUNTED: Final = frozenset({TOUCHPOINTS, CUSTOMER_TOUCHPOINTS})
"""Topics by which touchpoints go from stage to stage."""

OTHER: Final = "other"
UNKNOWN: Final = "unknown"
"""The source of what cannot be read."""

ALERTS_MAX: Final = 500
"""Alerts that are remembered, those that have ended going first (P): two series of each."""


class _Arrived(NamedTuple):
    """A touchpoint without a verdict, as it reached its customer."""

    ref: str
    source: str
    told_only: bool
    """Whether it tells of nothing but identity."""
    erased: bool
    """Whether its customer is erased, and it came along with the order or is of the time before."""


class Account(msgspec.Struct, array_like=True, gc=False):
    """One source's touchpoints, since the state was begun.

    Attributes:
        accepted: Records that stand on the topic `touchpoints`; on Kafka, those that were read.
        taken: Of these, those that the first stage has taken in.
        sent: On their way to the stage `stitch`, each as often as it was sent there.
        arrived: Those that it has taken in, each as often as it arrived.
        results: Those that got a verdict.
        dead: Those that went to the dead letters.
        repeated: Those that the customer had already, by source and id.
        identity_only: Those that told who is who, and nothing else.
        erased: Those that came after their customer's erasure, and were received before it.
    """

    accepted: int = 0
    taken: int = 0
    sent: int = 0
    arrived: int = 0
    results: int = 0
    dead: int = 0
    repeated: int = 0
    identity_only: int = 0
    erased: int = 0

    @property
    def in_flight(self) -> int:
        """Accepted or sent, and not yet taken in."""
        return self.accepted - self.taken + self.sent - self.arrived

    @property
    def difference(self) -> int:
        """What was taken in and did not come out; negative for what came of nothing."""
        told = self.results + self.dead + self.repeated + self.identity_only + self.erased
        return self.taken + self.arrived - self.sent - told

    def add(self, other: "Account") -> None:
        """Add what another partition has counted."""
        for name in Account.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Stands(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An alert as it was last published; `mission` None for the touchpoint as a whole."""

    touchpoint: str
    mission: str | None
    severity: str
    firing: bool


class Books(msgspec.Struct, array_like=True):
    """Accounts by source, and alerts by id. Part of what a runtime commits with its state."""

    accounts: dict[str, Account] = {}
    alerts: dict[str, Stands] = {}

    def copy(self) -> "Books":
        """Books that no longer change."""
        accounts = {source: msgspec.structs.replace(one) for source, one in self.accounts.items()}
        return Books(accounts, dict(self.alerts))

    def account(self, source: str) -> Account:
        """The source's account."""
        found = self.accounts.get(source)
        if found is None:
            if len(self.accounts) >= SOURCES_MAX:
                source = OTHER
            found = self.accounts.setdefault(source, Account())
        return found

    def accept(self, value: bytes) -> None:
        """A touchpoint, as its bytes, stands on the topic."""
        self.account(source_of(value)).accepted += 1

    def step(self, messages: Sequence[Message], change: Change[Any]) -> None:
        """A stage has taken messages to one key in; what came of them together."""
        if messages[0].topic not in COUNTED:
            return
        if len(messages) == 1 and self._as_usual(messages[0], change.results):
            return
        arrived: list[_Arrived] = []
        forwarded: dict[int, Touchpoint] = {}
        erased: datetime | None = getattr(change.state, "erased", None)
        # What the customer had already is not known any more where its erasure came along, too.
        orders = [at for at, one in enumerate(messages) if type(one.record) is Erase]
        wiped_until = orders[-1] if orders and erased is not None else 0
        for number, message in enumerate(messages):
            record = message.record
            kind = type(record)
            if kind is Touchpoint:
                if message.topic == TOUCHPOINTS:
                    self.account(record.source).taken += 1  # type: ignore[attr-defined]
                    forwarded[id(record)] = record  # type: ignore[assignment]
                else:
                    arrived.append(_of(record, erased, number < wiped_until))  # type: ignore[arg-type]
            elif kind is Handover:
                for one in record.interactions:  # type: ignore[attr-defined]
                    if not one.revision:
                        gone = number < wiped_until or (erased is not None and one.at <= erased)
                        arrived.append(_Arrived(one.ref, one.source, False, gone))
        if forwarded:
            for made in change.results:
                if forwarded.pop(id(made.record), None) is not None:
                    self.account(made.record.source).sent += 1  # type: ignore[attr-defined]
            for left in forwarded.values():
                if is_erased(erased, left):
                    self.account(left.source).erased += 1
        if arrived:
            self._stitched(arrived, change)

    def _as_usual(self, message: Message, results: list[Message]) -> bool:
        """Count what nearly always comes of one touchpoint; tells whether it did."""
        record = message.record
        if type(record) is not Touchpoint:
            return False
        if message.topic == TOUCHPOINTS:
            if not results or results[-1].record is not record:
                return False
            account = self.account(record.source)
            account.taken += 1
            account.sent += 1
            return True
        id_, source = record.id, record.source
        for made in results:
            told = made.record
            if (
                type(told) is Verdict
                and told.id == id_
                and told.source == source
                and told.revision == 1
            ):
                account = self.account(source)
                account.arrived += 1
                account.results += 1
                return True
        return False

    def bury(self, topic: str, value: bytes) -> None:
        """A message of a topic went to the dead letters, as its bytes."""
        if topic == TOUCHPOINTS:
            account = self.account(source_of(value))
            account.taken += 1
            account.dead += 1
        elif topic == CUSTOMER_TOUCHPOINTS:
            for source in _carried(value):
                account = self.account(source)
                account.arrived += 1
                account.dead += 1

    def publish(self, messages: Iterable[Message]) -> None:
        """Note the alerts among what is published."""
        for message in messages:
            record = message.record
            if type(record) is Alert:
                self.alerts.pop(record.id, None)
                self.alerts[record.id] = Stands(
                    record.touchpoint, record.mission, record.severity, record.state == "firing"
                )
                if len(self.alerts) > ALERTS_MAX:
                    ended = (id_ for id_, one in self.alerts.items() if not one.firing)
                    del self.alerts[next(ended, next(iter(self.alerts)))]

    def _stitched(self, arrived: list[_Arrived], change: Change[Any]) -> None:
        """Touchpoints arrived that had no verdict yet."""
        missing: dict[str, list[_Arrived]] = {}
        for one in arrived:
            self.account(one.source).arrived += 1
            missing.setdefault(one.ref, []).append(one)
        again: set[str] = set()
        letters: list[str] = []
        for made in change.results:
            record: Any = made.record
            kind = type(record)
            if kind is Verdict:
                again.add(record.ref)
                if record.revision == 1:
                    self.account(_took(missing, record.ref)).results += 1
            elif kind is DeadLetter:
                self.account(record.source).dead += 1
                letters.append(record.source)
            elif kind is Handover:
                for one in record.interactions:
                    if one.revision:
                        again.add(one.ref)  # it was kept here until now
                    else:
                        _took(missing, one.ref)
                        self.account(one.source).sent += 1
        if missing:
            left = [one for ones in missing.values() for one in ones]
            self._left(left, letters, again, change.state)

    def _left(self, left: list[_Arrived], letters: list[str], again: set[str], state: Any) -> None:
        """What got no verdict: refused, shown to be kept already - or missing indeed."""
        kept = {one.ref for one in state.tail} if isinstance(state, CustomerState) else set()
        left.sort(
            key=lambda one: one.told_only or one.erased or one.ref in kept or one.ref in again
        )
        for source in letters:
            refused = (
                at for at, one in enumerate(left) if one.source == source and not one.told_only
            )
            if (at := next(refused, None)) is not None:
                del left[at]
        for one in left:
            if one.erased:
                self.account(one.source).erased += 1
            elif one.told_only:
                self.account(one.source).identity_only += 1
            elif one.ref in kept or one.ref in again:
                self.account(one.source).repeated += 1


def _of(touchpoint: Touchpoint, erased: datetime | None, wiped: bool) -> _Arrived:
    told_only = IDENTITY_ONLY in touchpoint.signals
    gone = wiped or is_erased(erased, touchpoint)
    return _Arrived(touchpoint.ref, touchpoint.source, told_only, gone)


def _took(missing: dict[str, list[_Arrived]], ref: str) -> str:
    """Take one of that name off what is missing; its source, `UNKNOWN` where there is none."""
    ones = missing.get(ref)
    if ones is None:
        return UNKNOWN
    one = ones.pop()
    if not ones:
        del missing[ref]
    return one.source


class _Sourced(msgspec.Struct, gc=False):
    source: str = UNKNOWN


_decode_source: Final = msgspec.json.Decoder(_Sourced).decode


def source_of(value: bytes) -> str:
    """The source of a touchpoint's bytes; `UNKNOWN` where they cannot be read."""
    try:
        return _decode_source(value).source
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return UNKNOWN


def _carried(value: bytes) -> list[str]:
    """The sources of what a message to `stitch` carries without a verdict."""
    try:
        told = codec.decode_control(value)
    except Exception:
        return [UNKNOWN]
    if told is None:
        return [source_of(value)]
    if isinstance(told, Handover):
        return [one.source for one in told.interactions if not one.revision]
    return []


def sum_of(all_books: Iterable[Books]) -> Books:
    """The books of several partitions as one."""
    total = Books()
    for books in all_books:
        for source, account in books.accounts.items():
            total.account(source).add(account)
        total.alerts.update(books.alerts)
    return total
