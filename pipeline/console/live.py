"""Live: what changes on a page is sent to all who look at it, by server-sent events.

Each page is made once for each change, however many look; sent is what differs from what the reader
has, packed once for all of them. Where making them takes long, it is done more seldom.
"""

import asyncio
import json
import logging
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator
from time import monotonic
from typing import Final, NamedTuple

from pipeline.console.frame import notice
from pipeline.console.pieces import Section
from pipeline.console.rendering import Key, Rendered, Renderer

LOOK_EVERY: Final = 1.0
"""Seconds between two looks for changes."""

EFFORT_MAX: Final = 0.2
"""The share of time that making pages may take; the rest is waited (P)."""

VIEWERS_MAX: Final = 500
"""Readers that are kept informed at once (P)."""

BEAT: Final = 15.0
"""Seconds after which something is sent in any case: so whoever left is noticed here, and there a
connection that is dead without saying so."""

GZIP_HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""With which a packed stream begins (RFC 1952): deflate, no name, no time, no system."""

_logger: Final = logging.getLogger("touchpoints.console")


class Event(NamedTuple):
    """Something to send, as it stands, and packed for whoever takes gzip.

    What is packed refers to nothing before it (RFC 1951: whole blocks, ended at a byte), so that
    the same bytes do for every reader, whatever else they were sent.
    """

    plain: bytes
    packed: bytes


def event_of(plain: bytes) -> Event:
    """An event, packed."""
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return Event(plain, packing.compress(plain) + packing.flush(zlib.Z_SYNC_FLUSH))


RETRY: Final = event_of(b"retry: 2000\n\n")
STILL: Final = event_of(b"event: beat\ndata:\n\n")


class Full(Exception):
    """As many look as can be kept informed."""


class Live:
    """Keeps readers informed.

    Args:
        renderer: Makes the pages.
        emitters_url: Where touchpoints are sent.
    """

    def __init__(self, renderer: Renderer, emitters_url: str) -> None:
        self._renderer = renderer
        self._emitters_url = emitters_url
        self._readers: dict[Key, set[asyncio.Queue[Event]]] = defaultdict(set)
        self._sent: dict[Key, tuple[int, dict[str, str]]] = {}
        self.viewers = 0

    async def follow(self, key: Key, seq: int) -> AsyncIterator[Event]:
        """What the reader of a page is sent, for ever.

        Args:
            key: The page.
            seq: The change as of which they have it.

        Raises:
            Full: Too many look.
        """
        if self.viewers >= VIEWERS_MAX:
            raise Full
        queue: asyncio.Queue[Event] = asyncio.Queue(4)
        self.viewers += 1
        self._readers[key].add(queue)
        try:
            yield RETRY
            rendered = await self._renderer.rendered(key)
            sections = self._sections(rendered)
            self._sent.setdefault(key, (rendered.seq, sections))
            if rendered.seq != seq:
                yield _event(sections, sections)
            while True:
                try:
                    async with asyncio.timeout(BEAT):
                        yield await queue.get()
                except TimeoutError:
                    yield STILL
        finally:
            self.viewers -= 1
            self._readers[key].discard(queue)
            if not self._readers[key]:
                del self._readers[key]
                self._sent.pop(key, None)

    async def run(self) -> None:
        """Look for changes and send them, for ever."""
        while True:
            started = monotonic()
            try:
                changed = await self._renderer.look()
            except Exception:
                _logger.exception("the console could not look for changes")
                changed = False
            for key in list(self._readers) if changed else ():
                try:
                    await self._renew(key)
                except Exception:  # of this page alone
                    _logger.exception("the console could not renew %r", key.path)
            took = monotonic() - started
            await asyncio.sleep(max(LOOK_EVERY, took / EFFORT_MAX - took))

    async def _renew(self, key: Key) -> None:
        rendered = await self._renderer.rendered(key)
        sections = self._sections(rendered)
        _, before = self._sent.get(key, (0, {}))
        self._sent[key] = (rendered.seq, sections)
        changed = {id_: html for id_, html in sections.items() if before.get(id_) != html}
        if not changed and before.keys() == sections.keys():
            return
        event = _event(sections, changed)
        for queue in list(self._readers.get(key, ())):
            if queue.full():  # whoever reads so slowly gets all of it at once
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(_event(sections, sections))
            else:
                queue.put_nowait(event)

    def _sections(self, rendered: Rendered) -> dict[str, str]:
        if rendered.page is None:
            return {}
        shown: tuple[Section, ...] = (
            notice(rendered.standing, self._emitters_url),
            *rendered.page.sections,
        )
        return {f"s-{one.name}": str(one.content) for one in shown}


def _event(sections: dict[str, str], changed: dict[str, str]) -> Event:
    told = {"order": list(sections), "changed": changed}
    return event_of(b"event: sections\ndata: " + json.dumps(told).encode() + b"\n\n")
