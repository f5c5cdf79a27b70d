"""One item through its dialect's adapter; a fault of ours costs this item and no other."""

from listeners.adapters.adapter import Adapter, Context
from listeners.errors import ItemRefused, Reason
from listeners.publishers.publisher import Outgoing
from schemas.codec import encode
from schemas.errors import place_of
from schemas.identifiers import primary
from schemas.records import Touchpoint
from schemas.topics import TOUCHPOINTS


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
