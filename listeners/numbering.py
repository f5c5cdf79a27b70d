"""Ids of items that have none, by their place in what came."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from listeners.adapters.adapter import id_of


class Numbered:
    """Draws the same ids whenever the same is sent again.

    The place counts, not how many had no id before: what is refused today may be accepted
    tomorrow, and must not take the id of its neighbour.

    Args:
        source: Whose items they are.
        origin: What identifies what they came in: a signed delivery's id, or a letter's.
        item: The place of the one that is adapted now, from 0.
    """

    def __init__(self, source: str, origin: str, item: int = 0) -> None:
        self._source = source
        self.origin = origin
        self.item = item

    def __call__(self) -> str:
        """The id of the item that is adapted now."""
        return id_of(self._source, (self.origin, self.item))

    def over(self, items: Iterable[bytes]) -> Iterator[bytes]:
        """The items, each of which is the one that is adapted now."""
        for self.item, item in enumerate(items):
            yield item


def in_turn(items: Sequence[bytes], new_id: Callable[[], str]) -> Iterable[bytes]:
    """The items, numbered where their ids depend on it."""
    return new_id.over(items) if isinstance(new_id, Numbered) else items
