"""A body, and each of its items, through its dialect; a fault of ours costs these and no others."""

from listeners.adapters.adapter import Adapter, Context, Envelope, Limits
from listeners.dialects import DIALECTS
from listeners.errors import ItemRefused, Reason, Refused, Unreadable
from listeners.exchange import Delivery
from listeners.publishers.publisher import Outgoing
from schemas.codec import encode
from schemas.errors import place_of
from schemas.identifiers import primary
from schemas.records import Touchpoint
from schemas.topics import TOUCHPOINTS


def cut(body: bytes, delivery: Delivery, bytes_max: int, limits: Limits) -> Envelope:
    """A body, opened and cut into its items.

    Raises:
        Refused: It cannot be; with `PROCESSING_FAILED` where the dialect raised what it should not
            have. The sender would else send it again for ever, and nobody would see what it is.
    """
    dialect = DIALECTS[delivery.dialect]
    try:
        text = dialect.opened(body, delivery, bytes_max)
        return dialect.adapter.unpack(text, delivery, limits)
    except Refused:
        raise
    except Exception as error:
        raise Unreadable(
            reason=Reason.PROCESSING_FAILED,
            message=f"expected a body that the adapter can take in; found {place_of(error)}",
        ) from error


def adapted(adapter: Adapter, item: bytes, context: Context) -> tuple[Touchpoint, Outgoing]:
    """A touchpoint, and the same on its way to its topic.

    Raises:
        ItemRefused: It cannot be one; with `PROCESSING_FAILED` where the adapter raised what it
            should not have. The whole request would else fail as often as it is sent again, and
            take the other items with it.
    """
    try:
        touchpoint = adapter.adapt(item, context)
        source, hint = touchpoint.source, touchpoint.session_hint
        key = primary(touchpoint.identifiers, source, hint, touchpoint.id)
        return touchpoint, Outgoing(TOUCHPOINTS, key, encode(touchpoint))
    except ItemRefused:
        raise
    except Exception as error:
        raise ItemRefused(
            reason=Reason.PROCESSING_FAILED,
            where="$",
            expected="an item that the adapter can take in",
            found=place_of(error),
        ) from error
