"""What a listener asks of whatever makes records durable.

A publisher is chosen by the bootstrap; `listener.py` knows this protocol only. It is structural:
an implementation need not import it.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable


class Outgoing(NamedTuple):
    """A record on its way: the topic, the key it is partitioned by, and its bytes."""

    topic: str
    key: str
    value: bytes


class Publisher(Protocol):
    """Makes records durable."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return only when every record is durable, in this order per key.

        Raises:
            Unavailable: Nothing may be acknowledged. Some of the records may be durable all the
                same; their ids absorb the repeat.
        """
        ...


@runtime_checkable
class KnowsReadiness(Protocol):
    """A publisher that can say whether `publish` would succeed now."""

    async def ready(self) -> None:
        """Return when it would.

        Raises:
            Unavailable: It would not; says why.
        """
        ...
