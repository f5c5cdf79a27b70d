"""The listener: a body in, a receipt out. It knows neither HTTP nor Kafka.

One item may be refused while its neighbours are accepted; nothing is acknowledged before the
publisher has made it durable. What stands in an item is the adapter's to say, what it means is
left to the pipeline.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from listeners.adapters.adapter import Context, Envelope, Limits
from listeners.adapting import adapted, cut
from listeners.clocks import Clocks
from listeners.credentials import Credentials
from listeners.dialects import DIALECTS
from listeners.errors import ItemRefused, Reason, Refused, Unauthorised, Unavailable, Unreadable
from listeners.exchange import Delivery, Receipt
from listeners.letters import door_of, door_of_body, letter_of, outgoing, refusal_of_body
from listeners.numbering import Numbered, in_turn
from listeners.publishers.publisher import KnowsReadiness, Outgoing, Publisher
from listeners.rates import Rates
from listeners.settings import ListenerSettings, SourceSettings
from listeners.signatures import missing
from listeners.telemetry import Telemetry
from listeners.tokens import Tokens, check_alone
from listeners.webhooks import Signed, Webhooks
from schemas.codec import encode
from schemas.records import Channel

_ACCEPTED: Final = b'{"id":'
_AS_ACCEPTED: Final = b',"status":"accepted"}'


class _Named(msgspec.Struct):
    """The id that a refused item claims, by its name in each dialect, to find it again by."""

    id: Any = None
    messageId: Any = None
    eid: Any = None
    uuid: Any = None


_decode_named: Final = msgspec.json.Decoder(_Named).decode


class Listener:
    """Takes bodies in, whoever carries them.

    Args:
        settings: Sources and limits.
        publisher: Makes records durable.
        telemetry: Counts and logs.
        clock: Now, aware and in UTC.
        new_id: Draws an id for a touchpoint that has none and cannot have one derived.
    """

    def __init__(
        self,
        settings: ListenerSettings,
        publisher: Publisher,
        telemetry: Telemetry,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._publisher = publisher
        self._telemetry = telemetry
        self._clock = clock
        self._new_id = new_id
        self._limits = Limits.of(settings)
        self._body_bytes_max = settings.body_bytes_max
        self._hash_key = settings.hash_key
        self._retry_after = settings.retry_after
        self._skew_min = settings.skew_min
        self.credentials = Credentials(settings)
        self._webhooks = Webhooks(settings)
        self._tokens = Tokens(settings, telemetry.keys_missing)
        self._rates = Rates(
            rate_max=settings.request_rate_max, burst_max=settings.request_burst_max
        )
        self._clocks = Clocks(
            skew_min=settings.skew_min,
            spread_max=settings.skew_spread_max,
            senders_max=settings.skew_senders_max,
        )

    async def receive(self, body: bytes, delivery: Delivery) -> Receipt:
        """Adapt, validate, make durable; what cannot be used becomes a dead letter.

        Args:
            body: As it came over the wire, compressed or not.
            delivery: What the wire says of it.

        Returns:
            A receipt; all it calls accepted is durable.

        Raises:
            Refused: The whole request, nothing of it accepted. Unreadable bodies of a known
                source are dead letters too.
            Unavailable: Nothing can be made durable now.
        """
        received_at = self._clock()
        source: SourceSettings | None = None
        signed: Signed | None = None
        by_token = repeated = False
        try:
            dialect = DIALECTS[delivery.dialect]
            signed = self._signed(body, delivery, received_at)
            if signed is None and dialect.bearer and self._tokens:
                signed = await self._by_token(body, delivery, received_at)
                by_token = signed is not None
            if signed is not None:
                source = signed.source
                repeated = self._webhooks.came_before(signed, received_at)
            elif delivery.key:
                source = self._source(delivery.key, delivery, received_at)
            envelope = cut(body, delivery, self._body_bytes_max, self._limits)
            if source is None:
                source = self._source(envelope.key, delivery, received_at)
            elif envelope.key and envelope.key != delivery.key:
                self._check_same(source, envelope.key)
            if by_token:
                check_alone(envelope.items, body)
        except Refused as refused:
            if source is None and self.credentials.open:
                source = self.credentials.source_of(None)
            name = "unknown" if source is None else source.name
            self._telemetry.touchpoint_rejected(refused.reason, name)
            if refused.reason == Reason.PROCESSING_FAILED:
                self._telemetry.adapter_failed(delivery.dialect, refused.message)
            if isinstance(refused, Unreadable) and source is not None:
                origin = None if signed is None else signed.id
                door = door_of_body(delivery, self._hash_key, origin)
                fault = refusal_of_body(refused)
                await self._publish([outgoing(letter_of(fault, name, body, received_at, door))])
            raise
        context = self._context(source, delivery, envelope, received_at, signed)
        receipt, records, channels, faults = self._adapted(envelope, delivery, context)
        if repeated:
            self._telemetry.request_discarded()
            return receipt
        if records:
            await self._publish(records)
        if signed is not None:
            self._webhooks.remember(signed, received_at)
        self._tell(channels, faults, context)
        seconds = (self._clock() - received_at).total_seconds()
        self._telemetry.request_received(delivery.dialect, max(seconds, 0.0))
        return receipt

    def _tell(
        self, channels: Mapping[Channel, int], faults: Mapping[Reason, int], context: Context
    ) -> None:
        """Count what is durable by now."""
        for channel, number in channels.items():
            self._telemetry.touchpoint_received(channel, number)
        for reason, number in faults.items():
            self._telemetry.touchpoint_rejected(reason, context.source, number)
        for why, number in context.nobody.items():
            self._telemetry.identifier_blocked(why, number)
        if context.clamped:
            self._telemetry.time_adjusted("future_max", context.source, context.clamped)

    async def close(self) -> None:
        """End what goes on beside requests: the reading of tokens' keys."""
        await self._tokens.close()

    async def ready(self) -> None:
        """Return when records could be made durable now.

        Raises:
            Unavailable: They could not.
        """
        if isinstance(self._publisher, KnowsReadiness):
            try:
                await self._publisher.ready()
            except Exception as error:
                raise self._unavailable(error) from error
        self._telemetry.publisher_ready()

    def _adapted(
        self, envelope: Envelope, delivery: Delivery, context: Context
    ) -> tuple[Receipt, list[Outgoing], dict[Channel, int], dict[Reason, int]]:
        """Every item as a record: a touchpoint or a dead letter."""
        records: list[Outgoing] = []
        receipts: list[bytes] = []
        channels: dict[Channel, int] = {}
        faults: dict[Reason, int] = {}
        first: ItemRefused | None = None
        adapter, source = DIALECTS[delivery.dialect].adapter, context.source
        for item in in_turn(envelope.items, context.new_id):
            try:
                touchpoint, record = adapted(adapter, item, context)
            except ItemRefused as fault:
                first = first or fault
                if fault.reason == Reason.PROCESSING_FAILED:
                    self._telemetry.adapter_failed(delivery.dialect, fault.found)
                door = door_of(delivery.dialect, context)
                letter = letter_of(fault, source, item, context.received_at, door)
                records.append(outgoing(letter))
                receipts.append(_rejection_of(fault, item))
                faults[fault.reason] = faults.get(fault.reason, 0) + 1
                continue
            records.append(record)
            receipts.append(_ACCEPTED + encode(touchpoint.id) + _AS_ACCEPTED)
            channels[touchpoint.channel] = channels.get(touchpoint.channel, 0) + 1
        rejected = sum(faults.values())
        receipt = Receipt(
            accepted=len(receipts) - rejected,
            rejected=rejected,
            items=receipts,
            batch=envelope.batch,
            fault=first,
            answer=envelope.answer,
        )
        return receipt, records, channels, faults

    def _signed(self, body: bytes, delivery: Delivery, now: datetime) -> Signed | None:
        """Whose signature it bears, within its rate; None where it bears none.

        An open listener knows no secrets, and looks at no signature.
        """
        if self.credentials.open:
            return None
        dialect = DIALECTS[delivery.dialect]
        signed = self._webhooks.verified(body, delivery, dialect.schemes, now)
        if signed is None:
            if dialect.signs:
                raise missing()
            return None
        if delivery.key:
            self._check_same(signed.source, delivery.key)
        self._rates.take(signed.source.name, now)
        return signed

    async def _by_token(self, body: bytes, delivery: Delivery, now: datetime) -> Signed | None:
        """Whose token it shows, within its rate; None where it shows none."""
        signed = await self._tokens.verified(body, delivery, now)
        if signed is not None:
            self._rates.take(signed.source.name, now)
        return signed

    def _source(self, key: str | None, delivery: Delivery, now: datetime) -> SourceSettings:
        """Whose key it is, within its rate; not that of a source that signs."""
        source = self.credentials.source_of(key, delivery.origin)
        if source.signed is not None:
            raise missing()
        self._rates.take(source.name, now)
        return source

    def _check_same(self, source: SourceSettings, key: str) -> None:
        """Refuse a body whose key is another source's than the header's."""
        if self.credentials.source_of(key).name != source.name:
            raise Unauthorised(
                reason=Reason.KEY_MISMATCH,
                message="expected one write key; found another source's in the body",
            )

    def _context(
        self,
        source: SourceSettings,
        delivery: Delivery,
        envelope: Envelope,
        now: datetime,
        signed: Signed | None,
    ) -> Context:
        return Context(
            source=source.name,
            channel=source.channel,
            received_at=now,
            hash_key=self._hash_key,
            new_id=self._new_id if signed is None else _ids_of(signed, self._new_id),
            limits=self._limits,
            call=delivery.call,
            shared=envelope.shared,
            asked=source,
            shift=None
            if envelope.sent_at is None
            else self._shift(source.name, delivery, envelope, now, envelope.sent_at),
        )

    def _shift(
        self,
        source: str,
        delivery: Delivery,
        envelope: Envelope,
        now: datetime,
        sent_at: datetime,
    ) -> timedelta | None:
        """What to add to the times of a body whose clock is wrong."""
        if abs(now - sent_at) <= self._skew_min and not self._clocks:
            return None  # Nearly always, so no item is looked at for it.
        sender = DIALECTS[delivery.dialect].adapter.device_of(envelope.items) or delivery.peer
        shift = self._clocks.shift(source, sender, sent_at, now)
        if shift is not None:
            self._telemetry.time_adjusted("skew_min", source, len(envelope.items))
        return shift

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        try:
            await self._publisher.publish(records)
        except Exception as error:  # Whatever it is, nothing may be acknowledged.
            raise self._unavailable(error) from error
        self._telemetry.publisher_ready()

    def _unavailable(self, error: Exception) -> Unavailable:
        """Any failure of the publisher, counted, with the pause it asks for."""
        reason = str(error) or type(error).__name__
        self._telemetry.publisher_unavailable(reason)
        pause = getattr(error, "retry_after", None)
        return Unavailable(
            retry_after=pause if isinstance(pause, timedelta) else self._retry_after, reason=reason
        )


def _ids_of(signed: Signed, new_id: Callable[[], str]) -> Callable[[], str]:
    """Ids for the items of a signed delivery that have none: sent again, they are the same."""
    return new_id if signed.id is None else Numbered(signed.source.name, signed.id)


def _rejection_of(fault: ItemRefused, item: bytes) -> bytes:
    """The receipt of a refused item, with the id it claims where that can be read."""
    try:
        named = _decode_named(item)
        claimed = named.id or named.messageId or named.eid or named.uuid
    except (msgspec.MsgspecError, RecursionError, ValueError):
        claimed = None
    sane = isinstance(claimed, str) and len(claimed) <= 256 and claimed.isprintable()
    return encode(
        {
            "id": claimed if sane else None,
            "status": "rejected",
            "code": fault.reason,
            "where": fault.where,
            "expected": fault.expected,
            "found": fault.found,
        }
    )
